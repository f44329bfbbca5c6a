package edge

import (
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// noSocket is what a socket in a test needs not do.
type noSocket struct{}

func (noSocket) read(func() []byte, func()) (int, error) { select {} }
func (noSocket) try(a *attempt)                          { a.n, a.err = 0, nil }
func (noSocket) wait([][]byte) (int, error)              { panic("a socket that is never full") }
func (noSocket) readBy(time.Time) error                  { return nil }
func (noSocket) closeWrite() error                       { return nil }
func (noSocket) close() error                            { return nil }

// fakeSocket fails as it is told.
type fakeSocket struct {
	noSocket
	reads  func() (int, error)
	writes error
}

func (s *fakeSocket) read(func() []byte, func()) (int, error) { return s.reads() }
func (s *fakeSocket) try(a *attempt)                          { a.n, a.err = 0, s.writes }
func (s *fakeSocket) wait([][]byte) (int, error)              { return 0, s.writes }

// onFake gives a connection of an edge, on a socket that fails as it is told.
func onFake(t *testing.T, s *fakeSocket) *conn {
	t.Helper()
	e := bareEdge(t)
	e.addresses = newAddresses(Config{})
	c := benchConn(e)
	c.id, c.sock, c.since = "c", s, time.Now()
	c.heard.Store(instant())
	e.sessions.connect(c)
	return c
}

// A panic in the handling of a connection ends that connection, and nothing else.
func TestPanicEndsTheConnection(t *testing.T) {
	t.Parallel()
	c := onFake(t, &fakeSocket{reads: func() (int, error) { panic("a mistake of ours") }})
	var told strings.Builder
	c.edge.log = slog.New(slog.NewTextHandler(&told, nil))
	c.edge.tasks.hold()
	newReading(c, &input{c: c}).run()
	select {
	case <-c.done:
	default:
		t.Error("the connection is open")
	}
	if c.edge.sessions.conn("c") != nil {
		t.Error("the connection is remembered")
	}
	if !strings.Contains(told.String(), "a mistake of ours") {
		t.Errorf("the log says %q", told.String())
	}
}

// Whoever is told that the peer is dead, the session's time ends when it was last there.
func TestDeadPeerIsNoticedByWhoever(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		reads  error
		writes error
		dead   bool
	}{
		{"the reader", syscall.ETIMEDOUT, nil, true},
		{"a writer", net.ErrClosed, syscall.ETIMEDOUT, true},
		{"no route any more", syscall.EHOSTUNREACH, nil, true},
		{"a reset", syscall.ECONNRESET, syscall.EPIPE, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := onFake(t, &fakeSocket{writes: tt.writes})
			now := time.Now()
			c.heard.Store(instantOf(now.Add(-10 * time.Minute)))
			if tt.writes != nil {
				c.out.push([]byte("hi\n"))
				c.w.flush(c)
			}
			c.ended(tt.reads)
			seen := c.lastSeen(now)
			if want := now.Add(-deadAfter); tt.dead && !seen.Equal(want) {
				t.Errorf("last seen at %v, want %v", seen, want)
			}
			if !tt.dead && !seen.IsZero() {
				t.Errorf("last seen at %v, want now", seen)
			}
		})
	}
}

// failing is a port on which nothing can be accepted: the process has no files left.
type failing struct {
	net.Listener
	fails, asked int
}

func (l *failing) Accept() (net.Conn, error) {
	if l.asked++; l.asked > l.fails {
		return nil, net.ErrClosed
	}
	return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
}

// An edge without files left waits longer and longer between its tries.
func TestAcceptBacksOff(t *testing.T) {
	t.Parallel()
	e := bareEdge(t)
	e.ctx = t.Context()
	port := &failing{fails: 5}
	e.tcp = port
	begun := time.Now()
	e.accepting()
	if took, least := time.Since(begun), (5+10+20+40+80)*time.Millisecond; took < least {
		t.Errorf("%d failures took %v, want %v at least", port.fails, took, least)
	}
	if port.asked != port.fails+1 {
		t.Errorf("tried %d times, want %d", port.asked, port.fails+1)
	}
}
