package edge

import (
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// What the tests of the package edge_test do behind an edge's back.

// Deafen ends the subscription of a channel that is open: what is told live is lost. The
// function it gives lets the edge hear again.
func (e *Edge) Deafen(t *testing.T, channel string) (hear func()) {
	t.Helper()
	ch := e.hub.find(channel)
	if ch == nil {
		t.Fatalf("nobody hears %s", channel)
	}
	swap := func(next *nats.Subscription) {
		e.hub.mu.Lock()
		old := ch.sub
		ch.sub = next
		e.hub.mu.Unlock()
		if old != nil {
			_ = old.Unsubscribe() // it is the test's to end
		}
		if err := e.nc.Flush(); err != nil {
			t.Errorf("flush: %v", err)
		}
	}
	swap(nil)
	return func() {
		t.Helper()
		sub, err := e.nc.ChanSubscribe(streams.Live(channel), e.hub.live)
		if err != nil {
			t.Fatalf("hear %s: %v", channel, err)
		}
		swap(sub)
	}
}

// Hears tells whether a channel is open.
func (e *Edge) Hears(channel string) bool { return e.hub.find(channel) != nil }

// Sweep looks at every connection as if it were now.
func (e *Edge) Sweep(now time.Time) { e.sweep(now) }

// SweepSilent is Sweep once every connection is being read from. One that has only just been
// answered may not be yet, and is not taken for silent.
func (e *Edge) SweepSilent(t testing.TB, now time.Time) {
	t.Helper()
	deadline := time.Now().Add(natstest.Wait)
	for _, c := range e.sessions.all() {
		for c.waits.Load() == 0 {
			if time.Now().After(deadline) {
				t.Fatal("a connection is not read from")
			}
			runtime.Gosched()
		}
	}
	e.sweep(now)
}

// AgeLease makes the last renewal of the lease d older.
func (e *Edge) AgeLease(d time.Duration) {
	t := e.tenure.Load()
	older := t.renewed.Load().Add(-d)
	t.renewed.Store(&older)
}

// Remember lets the edge take so much memory for its limit, and look at once.
func (e *Edge) Remember(limit int64) {
	e.memory.limit.Store(limit)
	e.memory.look()
}

// Hold keeps the hub from looking at anything while do is done.
func (e *Edge) Hold(t *testing.T, do func()) {
	t.Helper()
	// The hub closes ready of who asks: it waits for the channel's mutex as long as it is held.
	ch := newChannel("held", len(e.writers))
	ch.mu.Lock()
	e.hub.asks <- ask{ch: ch}
	defer ch.mu.Unlock()
	do()
}

// LiveMost is how many live messages wait for the hub.
const LiveMost = liveMost

// Full waits until no more of them find room.
func (e *Edge) Full(t *testing.T) {
	t.Helper()
	natstest.Eventually(t, "the hub's queue is full", func() bool { return len(e.hub.live) == liveMost })
}

// Dropped waits until so many live messages of a channel have found no room.
func (e *Edge) Dropped(t *testing.T, channel string, n int) {
	t.Helper()
	natstest.Eventually(t, "live messages are dropped", func() bool {
		dropped, err := e.hub.find(channel).sub.Dropped()
		return err == nil && dropped >= n
	})
}

// Begun tells how many connections have begun a line and not ended it.
func (e *Edge) Begun() (n int) {
	for _, c := range e.sessions.all() {
		if c.begun.Load() != 0 {
			n++
		}
	}
	return n
}

// Closing tells how many connections are being closed.
func (e *Edge) Closing() (n int) {
	for _, c := range e.sessions.all() {
		c.mu.Lock()
		if c.closing {
			n++
		}
		c.mu.Unlock()
	}
	return n
}

// Left gives how many connections there are, and how many of them have no reader at the moment.
func (e *Edge) Left() (conns, left int) {
	for _, c := range e.sessions.all() {
		c.mu.Lock()
		if c.parked != nil {
			left++
		}
		c.mu.Unlock()
		conns++
	}
	return conns, left
}

// Break closes every socket.
func (e *Edge) Break() {
	for _, c := range e.sessions.all() {
		c.broken()
	}
}

// ConfirmAll lets no command be quick enough to be answered without being confirmed.
func ConfirmAll(cfg *Config) { cfg.confirmAfter = -1 }

// WaitForReturns lets who comes back wait for the request before its own, however long that takes.
func WaitForReturns(cfg *Config) { cfg.returnsFor = time.Hour }

// Returning is how many wait to be asked for.
func (e *Edge) Returning() int {
	e.returns.mu.Lock()
	defer e.returns.mu.Unlock()
	return len(e.returns.waiting)
}

// Coming is how many lines of the edge's clients are on their way to the stream.
func (e *Edge) Coming() uint64 { return e.coming.begun.Load() - e.coming.ended.Load() }
