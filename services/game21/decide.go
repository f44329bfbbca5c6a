package game21

import (
	"strconv"
	"time"

	"gamehall/shared/event"
)

const (
	// poll is how often a copy looks at what the others have done. A result that its copy
	// did not live to tell is told by another one this much later.
	poll = time.Second

	// forgotten is how old the end of a round must be for a channel that has nothing of it to
	// mean that its events have expired there, and not that they were never told.
	forgotten = time.Hour

	// undisturbed is how long before a round's end the scores are left alone: a database that
	// is locked holds its caller up for two seconds.
	undisturbed = 5 * time.Second
)

// roundLog is the log of one round, as far as it was read.
type roundLog struct {
	number  uint64
	pos     uint64 // the sequence up to which it was read
	entries []Entry
	open    Open     // its Round is 0 until it was read
	answers []Answer // those before the close, in the order of their sequences
	decided bool     // one of them is 21
	close   *Close
}

// opened tells whether the round has begun.
func (r *roundLog) opened() bool { return r.open.Round != 0 }

// add takes the entries that follow those that it has.
func (r *roundLog) add(entries []Entry) {
	for _, e := range entries {
		if r.close != nil {
			return // what follows does not count
		}
		r.pos = e.sequence()
		r.entries = append(r.entries, e)
		switch e := e.(type) {
		case Open:
			r.open = e
		case Answer:
			r.answers = append(r.answers, e)
			r.decided = r.decided || e.Value.Is21()
		case Close:
			r.close = &e
		}
	}
}

// told is what the channel has of one round.
type told struct {
	started  uint64 // its sequence, 0 when it is not there
	answered int    // they are told in the log's order, so how many tells which
	ended    bool
}

// nothing tells whether the channel has no event of the round.
func (t told) nothing() bool { return t == told{} }

// state is all that decide needs to know.
type state struct {
	now     time.Time
	elapsed time.Duration
	up      time.Duration // since this copy started

	scheduled bool
	schedule  Schedule
	last      uint64 // when nothing is scheduled: the highest round number known

	round roundLog      // the one that was opened last
	due   time.Duration // by elapsed, when its time is over
	told  told          // of it

	credit bool // there are rounds to credit, and the database may be asked
}

// The steps. Each is safe to repeat, and safe to do in several copies at once.
type (
	step any

	openRound  struct{ round uint64 }
	closeRound struct {
		round  uint64
		reason Reason
	}
	tell struct {
		id    string
		event event.Event
	}
	plan   struct{ schedule Schedule } // move the schedule, or set it
	credit struct{}
	sleep  struct{ until time.Duration } // by elapsed
)

// decide gives the next step. It knows nothing but what it is given, and what it is given is
// stored: so a copy that starts anew goes on where another one fell.
func decide(s state, p pace) step {
	if s.round.opened() {
		if next := finish(s, p); next != nil {
			return next
		}
	}
	if s.credit {
		return credit{}
	}
	if !s.scheduled {
		return plan{Schedule{Round: max(s.last, s.round.number) + 1, StartsAt: p.start(s.now.Add(-s.up), s.now)}}
	}
	what, in := p.timing(s.schedule.StartsAt, s.now, s.up)
	switch what {
	case start:
		return openRound{s.schedule.Round}
	case missed:
		return plan{Schedule{Round: s.schedule.Round, StartsAt: p.start(s.now.Add(-s.up), s.now)}}
	}
	return sleep{s.elapsed + min(in, poll)}
}

// finish gives what is left to do about the round that was opened last, or nil. What the
// hall is told of a round is told in this order, and all of it before the next one opens.
func finish(s state, p pace) step {
	r := &s.round
	if s.scheduled && s.schedule.Round <= r.number {
		return plan{Schedule{Round: r.number + 1, StartsAt: p.following(s.schedule.StartsAt, r.open)}}
	}
	if s.told.nothing() && s.now.Sub(r.open.EndsAt) > forgotten && r.close != nil {
		return nil
	}
	if s.told.started == 0 {
		return tell{"started." + strconv.FormatUint(r.number, 10), event.Event{
			Kind: event.Game21Started, Round: int(r.number), Numbers: r.open.Numbers[:], EndsAt: r.open.EndsAt,
		}}
	}
	if s.told.answered < len(r.answers) {
		a := r.answers[s.told.answered]
		return tell{"answered." + strconv.FormatUint(r.number, 10) + "." + a.UserID, event.Event{
			Kind: event.Game21Answered, Round: int(r.number), User: a.User, UserID: a.UserID,
		}}
	}
	switch {
	case r.close != nil:
	case r.decided:
		return closeRound{r.number, Made21}
	case s.elapsed >= s.due:
		return closeRound{r.number, Deadline}
	case s.credit && s.elapsed+undisturbed < s.due:
		return credit{}
	default:
		return sleep{min(s.due, s.elapsed+poll)}
	}
	if s.told.ended {
		return nil
	}
	if s.credit { // first, so that who reads the result finds it in the scores
		return credit{}
	}
	result := Fold(r.entries)
	return tell{"ended." + strconv.FormatUint(r.number, 10), event.Event{
		Kind: event.Game21Ended, Round: int(r.number), Answers: result.Answers(),
		Winner: result.Winner.Name, Expression: result.Expression, Value: result.Value,
		Best: &event.Solution{Expression: result.Best.Expression, Value: result.Best.Value},
	}}
}

// dueAt is when the time of a round is over, by elapsed. The server says when it ends, but
// the wall clock that would tell how long that is from now may be wrong, or have jumped. So
// it counts only as far as it agrees with what this copy saw itself: the round is open at
// elapsed, and was not at before (negative if it did not look).
func dueAt(o Open, now time.Time, elapsed, before time.Duration) time.Duration {
	duration := o.EndsAt.Sub(o.Stored)
	due := elapsed + min(o.EndsAt.Sub(now), duration)
	if before >= 0 {
		due = max(due, before+duration)
	}
	return due
}
