package game21

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"gamehall/shared/event"
	"gamehall/shared/natstest"
)

// sleeper is a store whose copy is frozen right before one of its writes, which is sent all
// the same when it wakes, however late that is.
type sleeper struct {
	store
	at      int32 // the write, counted from 1
	writes  atomic.Int32
	entered chan struct{}
	wake    chan struct{}
}

func (s *sleeper) point(ctx context.Context) context.Context {
	if s.writes.Add(1) != s.at {
		return ctx
	}
	close(s.entered)
	<-s.wake
	return context.WithoutCancel(ctx) // it was on its way already
}

func (s *sleeper) Reschedule(ctx context.Context, next Schedule, revision uint64) error {
	return s.store.Reschedule(s.point(ctx), next, revision)
}

func (s *sleeper) WriteOpen(ctx context.Context, o Open) error {
	return s.store.WriteOpen(s.point(ctx), o)
}

func (s *sleeper) WriteClose(ctx context.Context, c Close) error {
	return s.store.WriteClose(s.point(ctx), c)
}

func (s *sleeper) Tell(ctx context.Context, id string, e event.Event, after uint64) (uint64, error) {
	return s.store.Tell(s.point(ctx), id, e, after)
}

// A copy that is frozen between its decision and its write, and wakes two rounds later,
// changes nothing: what it does then is refused. The other copy goes on meanwhile.
func TestFrozenCopy(t *testing.T) {
	t.Parallel()
	// A round is planned, opened, moved on in the plan, told, closed, told.
	for at := int32(1); at <= 6; at++ {
		t.Run(fmt.Sprint("write ", at), func(t *testing.T) {
			t.Parallel()
			h := newHall(t)
			often := func(c *Config) { c.Period = 5 * time.Minute }
			frozen := &sleeper{at: at, entered: make(chan struct{}), wake: make(chan struct{})}
			// Time goes on until something is so.
			pass := func(what string, met func() bool) {
				t.Helper()
				natstest.Eventually(t, what, func() bool {
					if met() {
						return true
					}
					h.clock.advance(5 * time.Second)
					return false
				})
			}
			ended := func(round int) func() bool {
				return func() bool { return slices.Contains(short(h.told()), fmt.Sprint("ended ", round)) }
			}
			h.copy(often, func(c *Config) {
				inner := c.wrap
				c.wrap = func(s store) store { frozen.store = inner(s); return frozen }
			})
			pass("it is frozen", func() bool {
				select {
				case <-frozen.entered:
					return true
				default:
					return false
				}
			})
			h.copy(often)
			pass("the other one plays", ended(2))
			close(frozen.wake)
			pass("both play", ended(4))
			var want []string
			for n := 1; n <= 4; n++ {
				want = append(want, fmt.Sprint("started ", n), fmt.Sprint("ended ", n))
			}
			got := short(h.told())
			if i := slices.Index(got, "ended 4"); i >= 0 {
				got = got[:i+1] // the next one may have begun
			}
			if !slices.Equal(got, want) {
				t.Errorf("the hall was told %q, want %q", got, want)
			}
			for n := 1; n <= 4; n++ {
				if log := h.log(n); len(log) != 2 {
					t.Errorf("the log of round %d has %d entries, want an open and a close", n, len(log))
				}
			}
		})
	}
}

// skewed is a clock that is wrong by as much, always.
type skewed struct {
	*driven
	by time.Duration
}

func (s skewed) Now() time.Time { return s.driven.Now().Add(s.by) }

// Clocks of copies that differ by five seconds and more change when a round starts, by as
// much, and how long it lasts by no more than that: who learns of it late, or comes in the middle,
// may end it as much too early.
func TestSkewedCopies(t *testing.T) {
	t.Parallel()
	const skew = 5 * time.Second
	by := func(d time.Duration) func(*Config) {
		return func(c *Config) { c.Clock = skewed{c.Clock.(*driven), d} } //nolint:forcetypeassert // the hall's is
	}
	h := newHall(t)
	fast, slow := h.copy(by(skew)), h.copy(by(-skew))
	for round := 1; round <= 3; round++ {
		planned := h.planned()
		if planned.Minute() != 0 || planned.Second() != 0 {
			t.Errorf("round %d is planned for %v, want the full hour", round, planned)
		}
		h.clock.until(planned.Add(-skew))
		if e := h.expect(event.Game21Started); e.Round != round {
			t.Fatalf("round %d started, want %d", e.Round, round)
		}
		h.clock.advance(2*time.Minute - skew - time.Second)
		h.say("ann", "10+5+3+2") // it is still open, for either copy
		h.expect(event.Game21Answered)
		h.clock.advance(skew + time.Second)
		h.expect(event.Game21Ended)
	}
	h.open()
	h.clock.advance(time.Minute)
	h.end(fast)
	h.end(slow)
	h.copy(by(skew))
	h.clock.advance(time.Minute - skew - time.Second)
	h.say("ann", "10+5+3+2")
	h.expect(event.Game21Answered)
	h.clock.advance(skew + time.Second)
	h.expect(event.Game21Ended)
}
