package edge

import (
	"sync"
	"testing"
	"time"

	"gamehall/shared/natstest"
)

// rounds is the sockets of a writer's connections: what is sent in its rounds, and when.
type rounds struct {
	noSocket
	during func() // called while the first round goes on

	mu     sync.Mutex
	sent   int       // writes
	bytes  int       // of all of them
	first  time.Time // the end of the first round's first write
	second time.Time // when the write after the first round began
	size   int       // of a round
}

func (r *rounds) try(a *attempt) {
	now := time.Now()
	a.n, a.err = 0, nil
	for _, p := range a.pieces {
		a.n += len(p)
	}
	r.mu.Lock()
	r.sent++
	r.bytes += a.n
	n := r.sent
	if n == r.size+1 {
		r.second = now
	}
	r.mu.Unlock()
	if n == 1 {
		r.during()
		r.mu.Lock()
		r.first = time.Now()
		r.mu.Unlock()
	}
}

// TestWriterRests: what is told while a round goes on waits for a rest, and shares the writes of
// the round after it.
func TestWriterRests(t *testing.T) {
	t.Parallel()
	const took = 2 * time.Millisecond
	e := bareEdge(t)
	w := newWriter(0, new(coming))
	ch := newChannel("lobby", 1)
	line := func() {
		ch.mu.Lock()
		ch.logs[lines].append([]byte("line\n"))
		ch.mu.Unlock()
		w.tell(ch)
	}
	socks := &rounds{size: restFrom, during: func() {
		for begun := time.Now(); time.Since(begun) < took; {
		}
		for range 10 {
			line()
		}
	}}
	for range restFrom {
		c := benchConn(e)
		c.w, c.sock = w, socks
		c.out.hear(slotLobby, ch.logs[lines], ch.logs[lines].here())
		w.ops = append(w.ops, op{ch, c, true})
	}
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { w.run(stop) })
	defer running.Wait()
	defer close(stop)
	line()
	natstest.Eventually(t, "all is sent", func() bool {
		socks.mu.Lock()
		defer socks.mu.Unlock()
		return socks.bytes == restFrom*11*len("line\n")
	})
	socks.mu.Lock()
	defer socks.mu.Unlock()
	// The first write took its line alone; the others had the ten that came meanwhile, or get
	// them in the second round, with one write.
	if socks.sent > 2*restFrom {
		t.Errorf("%d writes for 11 lines to %d sockets", socks.sent, restFrom)
	}
	if rest := socks.second.Sub(socks.first); rest < restShare*took/restLooks {
		t.Errorf("the second round began %s after the first, which took %s", rest, took)
	}
}

// Who begins to hear a channel is sent what that told meanwhile; nobody else is looked at for that.
func TestJoinIsNoRound(t *testing.T) {
	t.Parallel()
	w, ch := newWriter(0, &coming{}), newChannel("lobby", 1)
	c := benchConn(bareEdge(t))
	c.w = w
	for range 2 {
		w.member(ch, c, true)
	}
	if len(w.news) != 0 || len(w.due) != 1 || w.due[0] != c || len(w.ops) != 2 {
		t.Errorf("%d channels have news, %d connections something of their own", len(w.news), len(w.due))
	}
}

// Who leaves a channel is sent what that told before, also when the writer has not come to it yet and
// nothing else is sent to that connection.
func TestLeaverIsSentWhatItHeard(t *testing.T) {
	t.Parallel()
	cr := newCrowd(t, 1, 1, false)
	c, w := cr.conns[0], cr.writers[0]
	w.due, c.queued = nil, false // its joining is long ago
	cr.tell(1)
	cr.ch.leave(c, slotLobby)
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { w.run(stop) })
	defer running.Wait()
	defer close(stop)
	natstest.Eventually(t, "the line is sent", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.out.queue) == 0
	})
}

// Sessions that wait for a channel to go on are found by their connections, however many wait, and
// hear it from the event that each waited for.
func TestWaitersOfAChannel(t *testing.T) {
	t.Parallel()
	e, term := bareEdge(t), newTerm()
	ch := newChannel("game21", 1)
	var all []*conn
	for i := range 4 {
		c, s := beginsSession(e, term)
		c.session, c.w = s, newWriter(0, &coming{})
		if !ch.join(c, s, slotGame, uint64(10+10*i)) || c.hears[slotGame] != nil {
			t.Fatalf("%d does not wait", i)
		}
		all = append(all, c)
	}
	ch.leave(all[1], slotGame)
	for _, step := range []struct {
		seq  uint64
		hear []bool
	}{{10, []bool{false, false, false, false}}, {35, []bool{true, false, true, false}}} {
		ch.skip(step.seq)
		for i, c := range all {
			if (c.hears[slotGame] != nil) != step.hear[i] {
				t.Errorf("at %d: %d hears it: %v", step.seq, i, !step.hear[i])
			}
		}
	}
	if len(ch.waiting) != 1 {
		t.Errorf("%d wait, want one", len(ch.waiting))
	}
}
