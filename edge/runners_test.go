package edge

import (
	"io"
	"testing"

	"gamehall/shared/natstest"
)

// waiting is how many runners wait for a reading.
func (rs *runners) waiting() int {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return len(rs.idle)
}

// A runner that is done waits for the next reading, and ends when it was not needed for a while.
func TestRunnersAreKept(t *testing.T) {
	t.Parallel()
	e := bareEdge(t)
	waitsFor(t, e)
	e.ctx, e.addresses = t.Context(), newAddresses(Config{ConnectionsPerIP: 1})
	c, player := overTCP(t, e)
	e.sessions.connect(c)
	if !e.tasks.hold() {
		t.Fatal("the edge has stopped")
	}
	e.runners.run(newReading(c, &input{c: c}))
	one := func() bool { return e.runners.waiting() == 1 }
	natstest.Eventually(t, "the runner waits", one)
	e.runners.trim()
	for range 3 {
		c.acted.Store(0)
		if _, err := io.WriteString(player, "/PING\n"); err != nil {
			t.Fatal(err)
		}
		natstest.Eventually(t, "the line is read", func() bool { return c.acted.Load() != 0 })
		natstest.Eventually(t, "one runner waits", one)
	}
	if e.runners.trim(); !one() {
		t.Errorf("%d runners wait after one was needed", e.runners.waiting())
	}
	if e.runners.trim(); e.runners.waiting() != 0 {
		t.Errorf("%d runners wait that were not needed", e.runners.waiting())
	}
	e.runners.all.Wait() // or the test does not end
}

// No more runners wait than are allowed to, and none once they are closed.
func TestRunnersAreFew(t *testing.T) {
	t.Parallel()
	rs := &runners{}
	for i := range runnersMost {
		if !rs.wait(make(chan *reading, 1)) {
			t.Fatalf("%d runners are too many", i+1)
		}
	}
	if rs.wait(make(chan *reading, 1)) {
		t.Errorf("more than %d runners wait", runnersMost)
	}
	rs.trim()
	rs.close()
	rs.trim() // the sweeper's last: there is none to end
	if rs.waiting() != 0 || rs.wait(make(chan *reading, 1)) {
		t.Error("a runner waits when they are closed")
	}
}
