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
