package streams

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// table plays a stream with one message per subject. Whatever it does it may not answer.
type table struct {
	mu      sync.Mutex
	seq     uint64
	last    map[string]uint64
	batched int                 // messages that were stored in batches
	fails   func() bool         // a batch, before it is stored
	mute    func() bool         // a batch, after it was stored
	wait    func(batch int)     // before anything is stored; 0 is a single one
	after   func(batch []*swap) // it was asked for
}

var errWrongLast = &jetstream.APIError{ErrorCode: jetstream.JSErrCodeStreamWrongLastSequence}

func (b *table) swapper() *Swapper {
	return &Swapper{batches: true, single: b.single, store: b.store}
}

func (b *table) single(_ context.Context, w *swap) (uint64, error) {
	if b.wait != nil {
		b.wait(0)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last[w.subject] != w.over {
		return 0, errWrongLast
	}
	b.seq++
	b.last[w.subject] = b.seq
	return b.seq, nil
}

func (b *table) store(_ context.Context, batch []*swap) (uint64, error) {
	if b.wait != nil {
		b.wait(len(batch))
	}
	if b.after != nil {
		b.after(batch)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	staged := map[string]bool{}
	for _, w := range batch {
		if staged[w.subject] || b.last[w.subject] != w.over {
			return 0, errWrongLast
		}
		staged[w.subject] = true
	}
	if b.fails != nil && b.fails() {
		return 0, context.DeadlineExceeded
	}
	for _, w := range batch {
		b.seq++
		b.last[w.subject] = b.seq
	}
	b.batched += len(batch)
	if b.mute != nil && b.mute() {
		return 0, context.DeadlineExceeded
	}
	return b.seq, nil
}

// moment is so long that others come meanwhile.
func moment(int) { <-time.After(time.Millisecond) }

// Each write has the outcome that it would have alone, whatever it shares a batch with: of those
// that would take the same place one wins, and who won knows the sequence that is there.
func TestSwapOutcomes(t *testing.T) {
	t.Parallel()
	const writers, rounds, keys = 128, 20, 128
	var lost atomic.Int64
	b := &table{
		last: map[string]uint64{}, wait: moment,
		fails: func() bool { return rand.N(8) == 0 }, mute: func() bool { return rand.N(8) == 0 },
	}
	s := b.swapper()
	var won [keys]sync.Map // by the sequence that was replaced
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for range rounds {
				key := w
				if rand.N(200) == 0 {
					key = (w + 1) % keys // rivals are rare: a conflict refuses a batch
				}
				subject := fmt.Sprint(key)
				b.mu.Lock()
				over := b.last[subject]
				b.mu.Unlock()
				seq, err := s.Swap(t.Context(), subject, nil, over)
				switch {
				case Conflict(err):
					lost.Add(1)
				case err != nil:
					t.Errorf("%v", err)
				default:
					if other, twice := won[key].LoadOrStore(over, seq); twice {
						t.Errorf("%d of %s was replaced by %d and by %v", over, subject, seq, other)
					}
					if seq <= over {
						t.Errorf("%d of %s was replaced by %d", over, subject, seq)
					}
				}
			}
		})
	}
	all.Wait()
	// What a mute batch stored is a conflict to its writers, and counted as won by none.
	if b.batched == 0 || lost.Load() == writers*rounds || s.singles != 0 || len(s.waiting) != 0 || s.batching {
		t.Errorf("%d in batches, %d refused; left %d singles, %d waiting", b.batched, lost.Load(), s.singles, len(s.waiting))
	}
}

// crowdIn lets so many swap at once, behind as many singles as go by themselves, and gives their
// errors once all are done. meanwhile is called when all of them wait.
func crowdIn(s *Swapper, ctxOf func(i int) context.Context, n int, release chan struct{}, meanwhile func()) []error {
	errs := make([]error, singlesMost+n)
	var all sync.WaitGroup
	add := func(i int) {
		all.Go(func() {
			_, errs[i] = s.Swap(ctxOf(i), fmt.Sprint(i), nil, 0)
		})
	}
	for i := range singlesMost {
		add(i)
	}
	until(s, func() bool { return s.singles == singlesMost })
	for i := range n {
		add(singlesMost + i)
	}
	until(s, func() bool { return s.batching || len(s.waiting) == n })
	if meanwhile != nil {
		meanwhile()
	}
	close(release)
	all.Wait()
	return errs
}

// until waits for what s comes to.
func until(s *Swapper, is func() bool) {
	for {
		s.mu.Lock()
		ok := is()
		s.mu.Unlock()
		if ok {
			return
		}
		<-time.After(100 * time.Microsecond)
	}
}

// Those who wait while others write share one batch; fewer than pay go on their own.
func TestSwapShares(t *testing.T) {
	t.Parallel()
	for n, batched := range map[int]int{swapsFrom - 1: 0, swapsFrom: swapsFrom} {
		release := make(chan struct{})
		b := &table{last: map[string]uint64{}, wait: func(int) { <-release }}
		for i, err := range crowdIn(b.swapper(), func(int) context.Context { return t.Context() }, n, release, nil) {
			if err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
		if b.batched != batched || b.seq != uint64(singlesMost+n) {
			t.Errorf("%d waited: %d of %d in a batch, want %d", n, b.batched, b.seq, batched)
		}
	}
}

// Who gave up while it waited is not written, and holds up nobody. The batch of who gave up
// while it was under way goes on.
func TestSwapGivenUp(t *testing.T) {
	t.Parallel()
	for _, inBatch := range []bool{false, true} {
		n := swapsFrom - 1
		if inBatch {
			n = swapsFrom
		}
		release := make(chan struct{})
		b := &table{last: map[string]uint64{}, wait: func(int) { <-release }}
		s := b.swapper()
		impatient, giveUp := context.WithCancel(t.Context())
		last := singlesMost + n - 1
		errs := crowdIn(s, func(i int) context.Context {
			if i == last {
				return impatient
			}
			return t.Context()
		}, n, release, func() {
			giveUp()
			if !inBatch {
				until(s, func() bool { return len(s.waiting) == n-1 })
			}
		})
		for i, err := range errs {
			if i != last && err != nil {
				t.Errorf("in a batch %v: %d: %v", inBatch, i, err)
			}
		}
		if !inBatch && (!errors.Is(errs[last], context.Canceled) || b.last[fmt.Sprint(last)] != 0) {
			t.Errorf("who gave up got %v, and has sequence %d", errs[last], b.last[fmt.Sprint(last)])
		}
		if s.singles != 0 || len(s.waiting) != 0 || s.batching {
			t.Errorf("left: %d singles, %d waiting, a batch %v", s.singles, len(s.waiting), s.batching)
		}
	}
}

// A process that stood still writes nothing for those who went away meanwhile, although their
// contexts may not know it yet.
func TestSwapTooLate(t *testing.T) {
	t.Parallel()
	b := &table{last: map[string]uint64{}}
	s := b.swapper()
	for _, until := range []time.Time{time.Now().Add(-time.Second), {}} {
		w := &swap{subject: "a", until: until}
		_, err := s.send(t.Context(), w)
		if late := !until.IsZero(); late != errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("until %v: %v", until, err)
		}
	}
	batch := []*swap{
		{subject: "b", turn: make(chan swapTurn, 1)},
		{subject: "c", turn: make(chan swapTurn, 1), until: time.Now().Add(-time.Second)},
	}
	s.carryOut(t.Context(), batch)
	if b.batched != 0 || (<-batch[0].turn).seq != 0 || (<-batch[1].turn).seq != 0 {
		t.Errorf("%d were stored in a batch with one that was too late", b.batched)
	}
}

// Whoever carries a batch out may panic: the others go on, each on its own.
func TestSwapAfterAPanic(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	b := &table{last: map[string]uint64{}, wait: func(batch int) {
		if batch == 0 {
			<-release
		}
	}, after: func([]*swap) { panic("a defect") }}
	s := b.swapper()
	var panics atomic.Int64
	var all sync.WaitGroup
	for i := range singlesMost + swapsFrom {
		all.Go(func() {
			defer func() {
				if recover() != nil {
					panics.Add(1)
				}
			}()
			if _, err := s.Swap(t.Context(), fmt.Sprint(i), nil, 0); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
		if i < singlesMost {
			until(s, func() bool { return s.singles == i+1 })
		}
	}
	until(s, func() bool { return panics.Load() == 1 })
	close(release)
	all.Wait()
	if s.singles != 0 || len(s.waiting) != 0 || s.batching || b.seq != singlesMost+swapsFrom-1 {
		t.Errorf("left: %d singles, %d waiting, a batch %v; stored %d", s.singles, len(s.waiting), s.batching, b.seq)
	}
}
