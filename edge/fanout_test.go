package edge

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"gamehall/shared/event"
	"gamehall/shared/natstest"
	"gamehall/shared/wire"
)

// crowd is sessions in one channel, on real sockets whose other ends read.
type crowd struct {
	ch      *channel
	writers []*writer
	conns   []*conn
}

// waitsFor lets e wait for sockets as one that runs does.
func waitsFor(tb testing.TB, e *Edge) {
	tb.Helper()
	var err, clogs error
	e.parking, err = newParking()
	e.clogged, clogs = newClogged()
	if err = errors.Join(err, clogs); err != nil {
		tb.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(e.parking.run)
	running.Go(e.clogged.run)
	tb.Cleanup(func() {
		e.parking.close()
		e.clogged.close()
		running.Wait()
		e.runners.close()
	})
}

// newCrowd gathers n of them; their writers run when serve says so.
func newCrowd(tb testing.TB, n, writers int, serve bool) *crowd {
	tb.Helper()
	e := &Edge{stats: newStats(), tasks: newTasks(), log: natstest.Quiet()}
	waitsFor(tb, e)
	cr := &crowd{ch: newChannel("lobby", writers)}
	stop := make(chan struct{})
	tb.Cleanup(func() { close(stop) })
	for i := range writers {
		w := newWriter(i, new(coming))
		cr.writers = append(cr.writers, w)
		if serve {
			go w.run(stop)
		}
	}
	port, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer port.Close()
	for i := range n {
		player, err := new(net.Dialer).DialContext(tb.Context(), "tcp", port.Addr().String())
		if err != nil {
			tb.Fatal(err)
		}
		nc, err := port.Accept()
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = player.Close() })
		go func() { _, _ = io.Copy(io.Discard, player) }()
		c, s := signedIn(e)
		if c.sock, err = newSocket(nc, c); err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(c.broken)
		c.w = cr.writers[i%writers]
		cr.ch.join(c, s, slotLobby, 0)
		cr.conns = append(cr.conns, c)
	}
	return cr
}

// tell appends an event and wakes the writers, as the hub does.
func (cr *crowd) tell(seq uint64) {
	cr.ch.add(said(seq, "a line of about the length that people type"), onlyLines)
	for _, w := range cr.writers {
		w.tell(cr.ch)
	}
}

// settle waits until everybody has been sent everything.
func (cr *crowd) settle() {
	for _, c := range cr.conns {
		for {
			c.mu.Lock()
			lag := c.out.lag()
			c.mu.Unlock()
			if lag == 0 {
				break
			}
			runtime.Gosched()
		}
	}
}

// BenchmarkFanOut tells one event to n sessions: as fast as it goes, when writes share many
// events, and one at a time, when each delivery is a system call.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		for _, paced := range []bool{false, true} {
			b.Run(fmt.Sprintf("sockets=%d/one-at-a-time=%v", n, paced), func(b *testing.B) {
				cr := newCrowd(b, n, 2, true)
				b.ReportAllocs()
				seq := uint64(0)
				for b.Loop() {
					seq++
					cr.tell(seq)
					if paced || seq%1024 == 0 { // no further ahead than a session may lag
						cr.settle()
					}
				}
				cr.settle()
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(seq)/float64(n), "ns/delivery")
			})
		}
	}
}

// BenchmarkLogAppend appends an encoded event to a channel's log.
func BenchmarkLogAppend(b *testing.B) {
	line := wire.AppendEvent(nil, said(1, "a line of about the length that people type"), time.UTC)
	l := newLog()
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		l.append(line)
	}
}

// A delivery allocates nothing: the event was encoded once, and a session is a place in the
// log. It is not parallel, since others' allocations would count.
func TestDeliveryAllocatesNothing(t *testing.T) { //nolint:paralleltest // see above
	const n = 50
	cr := newCrowd(t, n, 1, false)
	w := cr.writers[0]
	members(w, cr.ch)
	line := wire.AppendEvent(nil, event.Stored{Event: event.Event{Kind: event.Chat, From: "ann", Text: "hi"}}, time.UTC)
	deliver := func() {
		for _, l := range cr.ch.logs[:1] {
			l.append(line)
		}
		for _, c := range cr.conns {
			w.flush(c)
		}
	}
	deliver() // the first grows what is kept
	if got := testing.AllocsPerRun(200, deliver); got > 0 {
		t.Errorf("%v allocations for %d deliveries", got, n)
	}
}
