package streams

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// Of several that are written at once each has the outcome that it would have alone, whatever
// becomes of the batches that they are in.
func TestSwapAllOutcomes(t *testing.T) {
	t.Parallel()
	const crowds, size, rounds = 6, 24, 20
	b := &table{
		last: map[string]uint64{}, wait: moment,
		fails: func() bool { return rand.N(8) == 0 },
	}
	s := b.swapper()
	var all sync.WaitGroup
	for crowd := range crowds {
		all.Go(func() {
			over := make([]uint64, size)
			for round := range rounds {
				stale := rand.N(size) // is refused, and every batch that it is in
				writes := make([]Write, size)
				for i := range writes {
					writes[i] = Write{Subject: fmt.Sprint(crowd, i), Over: over[i]}
				}
				if round > 0 && round%4 == 0 {
					writes[stale].Over--
				}
				for i, is := range s.SwapAll(t.Context(), writes) {
					switch {
					case writes[i].Over != over[i]:
						if !Conflict(is.Err) {
							t.Errorf("round %d: over what was there before: %+v", round, is)
						}
					case is.Err != nil || is.Seq <= over[i]:
						t.Errorf("round %d: over %d: %+v", round, over[i], is)
					default:
						over[i] = is.Seq
					}
				}
			}
			for i, want := range over {
				b.mu.Lock()
				if have := b.last[fmt.Sprint(crowd, i)]; have != want {
					t.Errorf("%d has %d, and %d was told", i, have, want)
				}
				b.mu.Unlock()
			}
		})
	}
	all.Wait()
	if b.batched == 0 || s.singles != 0 || len(s.waiting) != 0 || s.batching {
		t.Errorf("%d in batches; left %d singles, %d waiting, a batch %v", b.batched, s.singles, len(s.waiting), s.batching)
	}
}

// Several that find nobody there are one batch; fewer than pay go on their own.
func TestSwapAllShares(t *testing.T) {
	t.Parallel()
	for n, batched := range map[int]int{0: 0, 1: 0, swapsFrom - 1: 0, swapsFrom: swapsFrom, batchMost + swapsFrom: batchMost + swapsFrom} {
		b := &table{last: map[string]uint64{}}
		writes := make([]Write, n)
		for i := range writes {
			writes[i].Subject = fmt.Sprint(i)
		}
		for i, is := range b.swapper().SwapAll(t.Context(), writes) {
			if is.Err != nil || b.last[writes[i].Subject] != is.Seq {
				t.Errorf("of %d: %d: %+v", n, i, is)
			}
		}
		if b.batched != batched || b.seq != uint64(n) {
			t.Errorf("%d of %d in batches, want %d", b.batched, n, batched)
		}
	}
}

// Who gives up leaves nothing behind that others wait for.
func TestSwapAllGivenUp(t *testing.T) {
	t.Parallel()
	ctx, giveUp := context.WithCancel(t.Context())
	release, entered := make(chan struct{}), make(chan struct{}, 2*swapsFrom)
	b := &table{last: map[string]uint64{}, wait: func(int) {
		entered <- struct{}{}
		<-release
	}}
	s := b.swapper()
	writes := func(of string) []Write {
		all := make([]Write, swapsFrom)
		for i := range all {
			all[i].Subject = fmt.Sprint(of, i)
		}
		return all
	}
	var all sync.WaitGroup
	all.Go(func() {
		for _, is := range s.SwapAll(t.Context(), writes("a")) {
			if is.Err != nil {
				t.Errorf("who waits: %v", is.Err)
			}
		}
	})
	<-entered
	all.Go(func() {
		for _, is := range s.SwapAll(ctx, writes("b")) {
			if !errors.Is(is.Err, context.Canceled) {
				t.Errorf("who gave up: %+v", is)
			}
		}
	})
	until(s, func() bool { return len(s.waiting) == swapsFrom })
	giveUp()
	until(s, func() bool { return len(s.waiting) == 0 })
	close(release)
	all.Wait()
	if s.singles != 0 || len(s.waiting) != 0 || s.batching || b.seq != swapsFrom {
		t.Errorf("left %d singles, %d waiting, a batch %v; %d are stored", s.singles, len(s.waiting), s.batching, b.seq)
	}
}

// A panic of who carries a batch out, with more of its own in the queue, holds up nobody.
func TestSwapAllAfterAPanic(t *testing.T) {
	t.Parallel()
	var once sync.Once
	b := &table{last: map[string]uint64{}, after: func([]*swap) { once.Do(func() { panic("a defect") }) }}
	s := b.swapper()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("it did not panic")
			}
		}()
		writes := make([]Write, batchMost+swapsFrom)
		for i := range writes {
			writes[i].Subject = fmt.Sprint(i)
		}
		s.SwapAll(t.Context(), writes)
	}()
	writes := make([]Write, swapsFrom)
	for i := range writes {
		writes[i].Subject = fmt.Sprint("later", i)
	}
	for i, is := range s.SwapAll(t.Context(), writes) {
		if is.Err != nil {
			t.Errorf("%d: %v", i, is.Err)
		}
	}
	if s.singles != 0 || len(s.waiting) != 0 || s.batching {
		t.Errorf("left %d singles, %d waiting, a batch %v", s.singles, len(s.waiting), s.batching)
	}
}
