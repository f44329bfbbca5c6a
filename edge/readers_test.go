package edge

import (
	"io"
	"testing"

	"gamehall/shared/natstest"
)

// waiting is how many readers wait for a reading.
func (rs *readers) waiting() int {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return len(rs.idle)
}

// A reader that is done waits for the next reading, and ends when it was not needed for a while.
func TestReadersAreKept(t *testing.T) {
	t.Parallel()
	e := bareEdge(t)
	waitsFor(t, e)
	e.ctx, e.addresses = t.Context(), newAddresses(Config{ConnectionsPerIP: 1})
	c, player := overTCP(t, e)
	e.sessions.connect(c)
	if !e.tasks.hold() {
		t.Fatal("the edge has stopped")
	}
	e.readers.run(newReading(c, &input{c: c}))
	one := func() bool { return e.readers.waiting() == 1 }
	natstest.Eventually(t, "the reader waits", one)
	e.readers.trim()
	for range 3 {
		c.acted.Store(0)
		if _, err := io.WriteString(player, "/PING\n"); err != nil {
			t.Fatal(err)
		}
		natstest.Eventually(t, "the line is read", func() bool { return c.acted.Load() != 0 })
		natstest.Eventually(t, "one reader waits", one)
	}
	if e.readers.trim(); !one() {
		t.Errorf("%d readers wait after one was needed", e.readers.waiting())
	}
	if e.readers.trim(); e.readers.waiting() != 0 {
		t.Errorf("%d readers wait that were not needed", e.readers.waiting())
	}
	e.readers.all.Wait() // or the test does not end
}

// No more readers wait than are allowed to, and none once they are closed.
func TestReadersAreFew(t *testing.T) {
	t.Parallel()
	rs := &readers{}
	for i := range readersMost {
		if !rs.wait(make(chan *reading, 1)) {
			t.Fatalf("%d readers are too many", i+1)
		}
	}
	if rs.wait(make(chan *reading, 1)) {
		t.Errorf("more than %d readers wait", readersMost)
	}
	rs.trim()
	rs.close()
	rs.trim() // the sweeper's last: there is none to end
	if rs.waiting() != 0 || rs.wait(make(chan *reading, 1)) {
		t.Error("a reader waits when they are closed")
	}
}
