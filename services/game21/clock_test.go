package game21

import (
	"context"
	"sync"
	"testing"
	"time"
)

// driven is a clock that stands still until a test moves it.
type driven struct {
	mu      sync.Mutex
	wall    time.Time
	elapsed time.Duration
	waits   []drivenWait
	moves   []move
}

type drivenWait struct {
	until time.Duration
	ring  chan time.Time
}

// move is a moment of the machine's clock from which on the driven one showed wall.
type move struct{ at, wall time.Time }

func newDriven(wall time.Time) *driven {
	return &driven{wall: wall, moves: []move{{wall: wall}}}
}

func (d *driven) Now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.wall
}

func (d *driven) Elapsed() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.elapsed
}

func (d *driven) At(e time.Duration) <-chan time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := drivenWait{until: e, ring: make(chan time.Time, 1)}
	d.waits = append(d.waits, w)
	d.ringLocked()
	return w.ring
}

// advance lets time pass.
func (d *driven) advance(by time.Duration) { d.move(by, by) }

// jump sets the wall clock; no time passes.
func (d *driven) jump(by time.Duration) { d.move(by, 0) }

// until lets time pass until the wall clock shows at.
func (d *driven) until(at time.Time) { d.advance(at.Sub(d.Now())) }

func (d *driven) move(wall, elapsed time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wall = d.wall.Add(wall)
	d.elapsed += elapsed
	d.moves = append(d.moves, move{at: time.Now(), wall: d.wall})
	d.ringLocked()
}

func (d *driven) ringLocked() {
	kept := d.waits[:0]
	for _, w := range d.waits {
		if w.until <= d.elapsed {
			w.ring <- d.wall
		} else {
			kept = append(kept, w)
		}
	}
	d.waits = kept
}

// server is what the driven clock showed at a time of the machine's clock, by which the
// embedded server stamps what it stores.
func (d *driven) server(at time.Time) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.moves) - 1; i > 0; i-- {
		if !d.moves[i].at.After(at) {
			return d.moves[i].wall
		}
	}
	return d.moves[0].wall
}

// drivenStore has its server's time from a driven clock.
type drivenStore struct {
	store
	clock *driven
}

func (s drivenStore) LatestOpen(ctx context.Context) (Open, bool, error) {
	o, found, err := s.store.LatestOpen(ctx)
	return s.stamp(o), found, err
}

func (s drivenStore) Read(ctx context.Context, round, after uint64) ([]Entry, error) {
	entries, err := s.store.Read(ctx, round, after)
	for i, e := range entries {
		if o, ok := e.(Open); ok {
			entries[i] = s.stamp(o)
		}
	}
	return entries, err
}

func (s drivenStore) stamp(o Open) Open {
	duration := o.EndsAt.Sub(o.Stored)
	o.Stored = s.clock.server(o.Stored)
	o.EndsAt = o.Stored.Add(duration)
	return o
}

func TestMachineClock(t *testing.T) {
	t.Parallel()
	c := newMachine()
	from := c.Elapsed()
	<-c.At(from + 10*time.Millisecond)
	if got := c.Elapsed() - from; got < 10*time.Millisecond {
		t.Errorf("it waited %v, want 10 ms at least", got)
	}
	<-c.At(0) // past
	if d := time.Since(c.Now()); d < 0 || d > time.Minute {
		t.Errorf("it is %v slow", d)
	}
}
