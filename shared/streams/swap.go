package streams

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"gamehall/shared/bus"
)

// Swapper stores by compare-and-set: a message takes the place of the one that was there, or is
// refused when that is another one by now. Those that wait for the disk at the same moment share
// its sync, for the reason and on the terms that [Appender] gives: on one replica, when there are
// [swapsFrom] of them.
//
// A batch is stored whole or not at all, so one conflict refuses it. Then, as after any other
// failure, each of its messages is tried on its own, and has its own outcome.
type Swapper struct {
	batches bool
	// How one is stored on its own, and a batch, whose last sequence that gives.
	single func(ctx context.Context, w *swap) (uint64, error)
	store  func(ctx context.Context, batch []*swap) (uint64, error)

	mu       sync.Mutex // guards the rest; not held while anything is sent
	waiting  []*swap
	singles  int  // under way on their own
	batching bool // a batch is under way
}

// swapsFrom is from how many waiting writes on a batch is cheaper than each for itself. Unlike a
// line of the lobby, nobody reads these in their order, so those that come meanwhile go at once.
const swapsFrom = 16

// NewSwapper stores with js in the stream, one by one where that has several replicas, or allows
// no atomic batches, as one of an earlier version. It waits for JetStream until ctx ends.
func NewSwapper(ctx context.Context, js jetstream.JetStream, stream string) (*Swapper, error) {
	var is jetstream.StreamConfig
	err := Retry(ctx, func(ctx context.Context) error {
		s, err := js.Stream(ctx, stream)
		if err == nil {
			is = s.CachedInfo().Config
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look at stream %s: %w", stream, err)
	}
	return &Swapper{
		batches: is.Replicas <= 1 && is.AllowAtomicPublish,
		single: func(ctx context.Context, w *swap) (uint64, error) {
			ack, err := js.PublishMsg(ctx, w.message(), jetstream.WithRetryAttempts(0))
			if err != nil {
				return 0, err
			}
			return ack.Sequence, nil
		},
		store: func(ctx context.Context, batch []*swap) (last uint64, err error) {
			msgs := make([]*nats.Msg, len(batch))
			for i, w := range batch {
				msgs[i] = w.message()
			}
			err = bus.While(ctx, js.Conn(), 0, func(ctx context.Context) error {
				// Nothing is asked before the last message, which the server answers for all of them.
				ack, err := jetstreamext.PublishMsgBatch(ctx, js, msgs, jetstreamext.BatchFlowControl{})
				if err == nil {
					last = ack.Sequence
				}
				return err
			})
			return last, err
		},
	}, nil
}

// swap is a write that waits for its turn.
type swap struct {
	subject string
	data    []byte
	over    uint64        // the sequence that it takes the place of; 0 is none
	until   time.Time     // it is not to be sent later than that; zero is any time
	turn    chan swapTurn // has room for the one that comes; of several that wait together, for one each
	gone    bool          // nobody waits for its turn any more; guarded by the Swapper
}

// swapTurn is what a write that waited is to do: nothing, for it is stored; carry out a batch that
// it is in; or go on its own.
type swapTurn struct {
	of    *swap
	seq   uint64
	batch []*swap
}

func (w *swap) message() *nats.Msg {
	return &nats.Msg{Subject: w.subject, Data: w.data, Header: nats.Header{
		jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(w.over, 10)},
	}}
}

func (w *swap) late() bool { return late(w.until) }

// Swap stores data at subject, where the last message has the sequence over (0: there is none),
// and gives its own sequence once JetStream has acknowledged it. It tries once, which may be twice
// after a batch that failed. Its error is [Conflict] when something else is there; after an
// attempt without an answer that may be data itself. When ctx ends the outcome is unknown.
func (s *Swapper) Swap(ctx context.Context, subject string, data []byte, over uint64) (uint64, error) {
	w := &swap{subject: subject, data: data, over: over}
	w.until, _ = ctx.Deadline()
	if !s.batches {
		return s.send(ctx, w)
	}
	now := s.enter(w)
	if now == nil {
		select {
		case t := <-w.turn:
			now = &t
		case <-ctx.Done():
			if now = s.leave(w); now == nil {
				return 0, ctx.Err()
			}
		}
	}
	if now.batch != nil {
		s.carryOut(ctx, now.batch)
		now = new(<-w.turn)
	}
	if now.seq != 0 {
		return now.seq, nil
	}
	defer s.ended()
	return s.send(ctx, w)
}

// Write is one of several for [Swapper.SwapAll]; its members are what Swap takes.
type Write struct {
	Subject string
	Data    []byte
	Over    uint64
}

// Swapped is what Swap gives.
type Swapped struct {
	Seq uint64
	Err error
}

// SwapAll is [Swapper.Swap] of several at once, in no order, each with an outcome of its own. They
// go on together in the queue, so that one who has them all needs no goroutine for each.
func (s *Swapper) SwapAll(ctx context.Context, writes []Write) []Swapped {
	outcomes, all := make([]Swapped, len(writes)), make([]*swap, len(writes))
	turns := make(chan swapTurn, len(writes))
	until, _ := ctx.Deadline()
	place := make(map[*swap]int, len(writes)) // of those that have not had their turn
	for i, write := range writes {
		all[i] = &swap{subject: write.Subject, data: write.Data, over: write.Over, until: until, turn: turns}
		place[all[i]] = i
	}
	var singles sync.WaitGroup
	defer singles.Wait()
	single := func(w *swap, ended func()) {
		o := &outcomes[place[w]]
		singles.Go(func() {
			defer ended()
			o.Seq, o.Err = s.send(ctx, w)
		})
	}
	if !s.batches {
		for _, w := range all {
			single(w, func() {})
		}
		return outcomes
	}
	take := func(t swapTurn) {
		switch {
		case t.batch != nil:
			s.carryOut(ctx, t.batch)
			return // its own turn is yet to come
		case t.seq != 0:
			outcomes[place[t.of]].Seq = t.seq
		default:
			single(t.of, s.ended)
		}
		delete(place, t.of)
	}
	s.enterAll(all)
	defer func() {
		if len(place) > 0 { // a panic: nobody is to wait for what it leaves
			s.leaveAll(all)
			s.pass(turns)
		}
	}()
	for len(place) > 0 {
		select {
		case t := <-turns:
			take(t)
		case <-ctx.Done():
			s.leaveAll(all)
			for len(turns) > 0 { // what has had its turn goes on, for others may wait for it
				take(<-turns)
			}
			for _, i := range place {
				outcomes[i].Err = ctx.Err()
			}
			clear(place)
		}
	}
	return outcomes
}

func (s *Swapper) send(ctx context.Context, w *swap) (uint64, error) {
	if w.late() {
		return 0, context.DeadlineExceeded
	}
	return s.single(ctx, w)
}

// enter gives the turn of w where that comes at once, nil where w waits.
func (s *Swapper) enter(w *swap) *swapTurn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.batching && s.singles < singlesMost && len(s.waiting) == 0 {
		s.singles++
		return &swapTurn{}
	}
	w.turn = make(chan swapTurn, 1)
	s.waiting = append(s.waiting, w)
	s.next()
	return nil
}

// enterAll lets all of them wait; some have their turns at once.
func (s *Swapper) enterAll(all []*swap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, all...)
	s.next()
}

// leave takes w, which waits no longer, out of the queue. When w has had its turn it gives that;
// nil too when w is in somebody's batch: then the outcome is unknown.
func (s *Swapper) leave(w *swap) *swapTurn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.waiting, w); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
	}
	select {
	case t := <-w.turn:
		return &t
	default:
		w.gone = true
		return nil
	}
}

// leaveAll takes out those that still wait. Of those in somebody's batch the outcome is unknown.
func (s *Swapper) leaveAll(all []*swap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = slices.DeleteFunc(s.waiting, func(w *swap) bool { return w.turn == all[0].turn })
	for _, w := range all {
		w.gone = true
	}
}

// pass ends the turns that nobody takes any more.
func (s *Swapper) pass(turns <-chan swapTurn) {
	for len(turns) > 0 {
		switch t := <-turns; {
		case t.batch != nil:
			s.carriedOut(t.batch, 0, errNotYet, true)
		case t.seq == 0:
			s.ended()
		}
	}
}

// next gives those that wait their turns; s.mu is held.
func (s *Swapper) next() {
	if s.batching {
		return
	}
	if len(s.waiting) >= swapsFrom {
		n := min(len(s.waiting), batchMost)
		batch := slices.Clone(s.waiting[:n])
		s.waiting = slices.Delete(s.waiting, 0, n)
		s.batching = true
		batch[0].turn <- swapTurn{of: batch[0], batch: batch}
		return
	}
	for len(s.waiting) > 0 && s.singles < singlesMost {
		s.singles++
		s.waiting[0].turn <- swapTurn{of: s.waiting[0]}
		s.waiting = slices.Delete(s.waiting, 0, 1)
	}
}

// ended counts one that was sent on its own.
func (s *Swapper) ended() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.singles--
	s.next()
}

// carryOut stores a batch and gives each of its writes its turn. It does not heed the end of ctx,
// which is one write's, while the others wait; of those that nobody waits for, none is sent.
func (s *Swapper) carryOut(ctx context.Context, batch []*swap) {
	last, err, panics := uint64(0), errNotYet, true
	defer func() {
		s.carriedOut(batch, last, err, panics)
	}()
	if !slices.ContainsFunc(batch, (*swap).late) { // else each on its own, which looks again
		trying, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchFor)
		defer cancel()
		last, err = s.store(trying, batch)
	}
	panics = false
}

func (s *Swapper) carriedOut(batch []*swap, last uint64, err error, panics bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batching = false
	for _, w := range batch {
		// Who panics takes no turn any more, of none that it waits for, and the others must not wait.
		w.gone = w.gone || panics && w.turn == batch[0].turn
	}
	for i, w := range batch {
		t := swapTurn{of: w}
		switch {
		case err == nil:
			t.seq = last - uint64(len(batch)-1-i)
		case w.gone:
			continue
		default:
			s.singles++
		}
		w.turn <- t
	}
	s.next()
}
