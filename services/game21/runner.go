package game21

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync/atomic"
	"time"

	"gamehall/shared/event"
)

const (
	// attemptFor bounds one step of the runner, so that what it does was decided not long
	// ago.
	attemptFor = 5 * time.Second

	// retryFrom and retryTo are how long it waits after a step that failed; the wait doubles.
	retryFrom, retryTo = 20 * time.Millisecond, time.Second

	// creditsAtOnce is how many rounds it credits in one step.
	creditsAtOnce = 32

	// creditAgain is how long it leaves the database alone after an error.
	creditAgain = 5 * time.Second
)

// runner starts, ends and tells the rounds. Its goroutine alone touches its fields, save
// wake and opening. What it remembers is a copy of what is stored and saves reading it again; it may be
// thrown away at any time.
type runner struct {
	store  store
	ledger ledger
	clock  Clock
	pace   pace
	deal   func() (Numbers, error)
	log    *slog.Logger
	wake   chan struct{} // holds one

	started time.Duration // by clock.Elapsed

	schedule Schedule
	revision uint64 // 0 when there is no schedule
	planned  bool   // this copy set it
	said     bool   // when the next round starts, to who reads the log
	last     uint64 // highest round known, when there is none

	round    roundLog
	due      time.Duration
	unopened uint64        // this round was not open
	before   time.Duration // at this time by clock.Elapsed

	known   bool            // the channel has been read
	channel uint64          // up to here
	told    map[uint64]told // by round

	opening atomic.Pointer[opening] // the last one that it heard

	creditedTo uint64        // all rounds closed up to this sequence are credited
	creditMore bool          // there may be more
	creditAt   time.Duration // not before
}

// opening is where the channel has the start of a round.
type opening struct{ round, seq uint64 }

func newRunner(st store, l ledger, c Clock, p pace, deal func() (Numbers, error), log *slog.Logger) *runner {
	return &runner{
		store: st, ledger: l, clock: c, pace: p, deal: deal, log: log,
		wake: make(chan struct{}, 1), started: c.Elapsed(), told: map[uint64]told{}, creditMore: true,
	}
}

// poke makes the runner look at the log. It never waits.
func (r *runner) poke() {
	select {
	case r.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// run goes on until ctx ends.
func (r *runner) run(ctx context.Context) {
	retry := retryFrom
	for ctx.Err() == nil {
		err := r.turn(ctx)
		if err == nil {
			if retry > retryFrom {
				r.log.Info("the rounds go on")
			}
			retry = retryFrom
			continue
		}
		if ctx.Err() != nil {
			return
		}
		if retry == retryFrom {
			r.log.Warn("the rounds cannot go on, trying again", "error", err)
		}
		if idle(ctx, retry) != nil {
			return
		}
		retry = min(2*retry, retryTo)
	}
}

// turn reads, decides and acts until there is nothing to do but wait, and then waits.
func (r *runner) turn(ctx context.Context) error {
	var done step
	for {
		if err := r.attempt(ctx, r.load); err != nil {
			return err
		}
		next, err := r.act(ctx, &done)
		if err != nil {
			return err
		}
		s, ok := next.(sleep)
		if !ok {
			continue
		}
		r.say()
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-r.clock.At(s.until):
		}
		return nil
	}
}

// say tells who reads the log, once, when the next round starts; and that [Config.First] is of
// no use where that was planned before.
func (r *runner) say() {
	if r.said || r.schedule.Round == 0 || !r.schedule.StartsAt.After(r.clock.Now()) { // past: it is planned anew, or starts
		return
	}
	r.said = true
	starts := r.schedule.StartsAt.In(r.pace.zone)
	if r.pace.first > 0 && !r.planned {
		r.log.Info("the next round was planned before, and that holds", "round", r.schedule.Round, "starts_at", starts, "first", r.pace.first)
		return
	}
	r.log.Info("the next round is planned", "round", r.schedule.Round, "starts_at", starts)
}

// act does the next steps, up to one after which the log is to be read again, or to one that
// waits, which it gives. done is the step before.
func (r *runner) act(ctx context.Context, done *step) (step, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		next := decide(r.state(), r.pace)
		if s, ok := next.(sleep); ok {
			return s, nil
		}
		if reflect.DeepEqual(next, *done) && next != (credit{}) {
			// Another copy did it, and the replica that told us is behind.
			if err := idle(ctx, pause); err != nil {
				return nil, err
			}
		}
		*done = next
		reread := true
		err := r.attempt(ctx, func(ctx context.Context) (err error) {
			reread, err = r.do(ctx, next)
			return err
		})
		if err != nil || reread {
			return next, err
		}
	}
}

// attempt bounds the time of do.
func (r *runner) attempt(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, attemptFor)
	defer cancel()
	return do(ctx)
}

func (r *runner) state() state {
	elapsed := r.clock.Elapsed() // before Now: a wait that is too short is only repeated
	return state{
		now: r.clock.Now(), elapsed: elapsed, up: elapsed - r.started,
		scheduled: r.schedule.Round != 0, schedule: r.schedule, last: r.last,
		round: r.round, due: r.due, told: r.told[r.round.number],
		credit: r.creditMore && elapsed >= r.creditAt,
	}
}

// load reads what has changed.
func (r *runner) load(ctx context.Context) error {
	begun := r.clock.Elapsed()
	var err error
	if r.schedule, r.revision, err = r.store.Schedule(ctx); err != nil {
		return err
	}
	latest := r.schedule.Round
	if r.schedule.Round == 0 {
		if latest, err = r.lastRound(ctx); err != nil {
			return err
		}
		r.last = latest
	}
	// It is the planned one if that has been opened and the schedule was not moved yet,
	// otherwise the one before it. Older ones are finished.
	for n := latest; n > 0 && n+1 >= latest && n >= r.round.number; n-- {
		opened, err := r.read(ctx, n)
		if err != nil {
			return err
		}
		if opened {
			break
		}
		if n == latest {
			r.unopened, r.before = n, begun
		}
	}
	if !r.round.opened() {
		return nil
	}
	return r.listen(ctx)
}

// read reads on in the log of a round. It is r.round from then on if it is open or closed.
func (r *runner) read(ctx context.Context, n uint64) (opened bool, err error) {
	log := r.round
	if log.number != n {
		log = roundLog{number: n}
	}
	if log.close != nil {
		return true, nil
	}
	entries, err := r.store.Read(ctx, n, log.pos)
	if err != nil {
		return false, fmt.Errorf("read round %d: %w", n, err)
	}
	log.add(entries)
	if !log.opened() {
		return false, nil
	}
	if !r.round.opened() || r.round.number != n {
		before := time.Duration(-1)
		if r.unopened == n {
			before = r.before
		}
		elapsed := r.clock.Elapsed()
		r.due = dueAt(log.open, r.clock.Now(), elapsed, before)
	}
	if log.close != nil {
		r.creditMore = true
	}
	r.round = log
	return true, nil
}

// lastRound gives the highest number that any of our memories has, for a hall whose schedule
// is missing.
func (r *runner) lastRound(ctx context.Context) (uint64, error) {
	o, _, err := r.store.LatestOpen(ctx)
	if err != nil && !errors.Is(err, errUnreadable) {
		return 0, err
	}
	last, err := r.ledger.last(ctx)
	if err != nil {
		return 0, err
	}
	events, _, err := r.store.LastEvents(ctx, max(o.Round, last)+1)
	if err != nil {
		return 0, err
	}
	last = max(o.Round, last)
	for _, e := range events {
		last = max(last, uint64(e.Round))
	}
	return last, nil
}

// listen reads what the channel has of the round, if something of it may be untold.
func (r *runner) listen(ctx context.Context) error {
	t := r.told[r.round.number]
	if r.known && t.started != 0 && t.answered >= len(r.round.answers) && (r.round.close == nil || t.ended) {
		return nil
	}
	var events []event.Stored
	var last uint64
	var err error
	if r.known {
		events, last, err = r.store.EventsAfter(ctx, r.channel)
	} else {
		events, last, err = r.store.LastEvents(ctx, r.round.number)
	}
	if err != nil {
		return fmt.Errorf("read the channel: %w", err)
	}
	r.known, r.channel = true, last
	for _, e := range events {
		r.hear(e)
	}
	for n := range r.told {
		if n < r.round.number {
			delete(r.told, n)
		}
	}
	return nil
}

// hear remembers an event of the channel.
func (r *runner) hear(e event.Stored) {
	n := uint64(e.Round)
	t := r.told[n]
	switch e.Kind {
	case event.Game21Started:
		t.started = e.Seq
		r.opening.Store(&opening{n, e.Seq})
	case event.Game21Answered:
		t.answered++
	case event.Game21Ended:
		t.ended = true
	}
	r.told[n] = t
}

// do does one step. It tells whether what is remembered is out of date. That somebody was
// faster is no error: the step is done.
func (r *runner) do(ctx context.Context, s step) (reread bool, err error) {
	switch s := s.(type) {
	case openRound:
		err = r.openRound(ctx, s.round)
	case closeRound:
		err = r.store.WriteClose(ctx, Close{Round: s.round, Reason: s.reason, At: r.clock.Now().UTC()})
	case plan:
		err = r.store.Reschedule(ctx, s.schedule, r.revision)
		r.planned = r.planned || err == nil
	case tell:
		var seq uint64
		if seq, err = r.store.Tell(ctx, s.id, s.event, r.channel); err == nil {
			r.channel = seq
			r.hear(event.Stored{Seq: seq, Event: s.event})
			return false, nil
		}
	case credit:
		r.credit(ctx)
		return false, nil
	}
	if errors.Is(err, errTaken) {
		err = nil
	}
	return true, err
}

func (r *runner) openRound(ctx context.Context, n uint64) error {
	// A close without an open is none of ours; a round that begins behind it could not be
	// played.
	if _, closed, err := r.store.CloseOf(ctx, n); err != nil {
		return err
	} else if closed {
		return r.passOver(ctx, n)
	}
	numbers, err := r.deal()
	if err != nil {
		return err
	}
	now := r.clock.Now().UTC()
	err = r.store.WriteOpen(ctx, Open{Round: n, Numbers: numbers, OpenedAt: now, EndsAt: now.Add(r.pace.duration)})
	if !errors.Is(err, errTaken) {
		return err
	}
	// Another copy has opened it, or there is something that is no open. Nobody can play
	// that: its number is passed over.
	if _, _, err := r.store.LatestOpen(ctx); !errors.Is(err, errUnreadable) {
		return err
	}
	return r.passOver(ctx, n)
}

// passOver plans the next round in place of one that cannot be played.
func (r *runner) passOver(ctx context.Context, n uint64) error {
	r.log.Error("a round cannot be played and is passed over", "round", n)
	return r.store.Reschedule(ctx, Schedule{Round: n + 1, StartsAt: r.schedule.StartsAt}, r.revision)
}

// credit credits rounds that were closed and are not credited yet. When it fails the game
// goes on, and it is tried again later.
func (r *runner) credit(ctx context.Context) {
	err := r.creditSome(ctx)
	if err == nil {
		return
	}
	r.creditAt = r.clock.Elapsed() + creditAgain
	if !errors.Is(err, context.Canceled) { // it is only being stopped
		r.log.Error("rounds not credited yet, trying again", "error", err)
	}
}

func (r *runner) creditSome(ctx context.Context) error {
	closes, err := r.store.Closes(ctx, r.creditedTo, creditsAtOnce)
	if err != nil {
		return fmt.Errorf("read the closed rounds: %w", err)
	}
	numbers := make([]uint64, 0, len(closes))
	for _, c := range closes {
		numbers = append(numbers, c.Round)
	}
	have, err := r.ledger.credited(ctx, numbers)
	if err != nil {
		return err
	}
	for _, c := range closes {
		if c.Round != 0 && !have[c.Round] { // 0 is a subject that is no round's
			if err := r.creditRound(ctx, c.Round); err != nil {
				return err
			}
		}
		r.creditedTo = c.Seq
	}
	r.creditMore = len(closes) == creditsAtOnce
	if r.round.close != nil && r.creditedTo < r.round.close.Seq { // the replica is behind
		r.creditMore = true
		return idle(ctx, pause)
	}
	return nil
}

func (r *runner) creditRound(ctx context.Context, n uint64) error {
	log := r.round
	for log.number != n || log.close == nil {
		log = roundLog{number: n}
		entries, err := r.store.Read(ctx, n, 0)
		if err != nil {
			return fmt.Errorf("read round %d: %w", n, err)
		}
		if log.add(entries); log.close != nil {
			break
		}
		if err := idle(ctx, pause); err != nil { // the replica is behind
			return fmt.Errorf("read round %d: %w", n, err)
		}
	}
	if !log.opened() { // it has begun to expire
		r.log.Warn("a round is lost to the scores", "round", n)
		return nil
	}
	_, err := r.ledger.credit(ctx, Fold(log.entries))
	return err
}
