package edge

import (
	"errors"
	"math"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// rawSocket is a TCP connection's file descriptor by itself, waited for in the edge's own epoll
// sets. Go's runtime, which has let go of it, would keep half a KiB for each, mostly outside the
// heap: its poller's entry with two timers, a finalizer, two addresses.
type rawSocket struct {
	fd    int
	c     *conn
	users atomic.Int32 // calls under way; since close it counts from closedUsers
	until time.Time    // when a read that waits ends; the reader's own
}

// closedUsers is what rawSocket.users counts from once the socket is to be closed.
const closedUsers = math.MinInt32

// detach takes the descriptor of a TCP connection from the runtime, and closes nc; nil when nc is
// something else, or the process may open no more files, and it is left as it is.
func detach(nc net.Conn, c *conn) (socket, error) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok || c.edge.parking == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &rawSocket{c: c}
	var refused error
	if err := raw.Control(func(fd uintptr) { s.fd, refused = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return nil, err
	}
	if errors.Is(refused, unix.EMFILE) || errors.Is(refused, unix.ENFILE) {
		return nil, nil //nolint:nilnil // the connection has its descriptor already; the next one waits to be accepted
	}
	if refused != nil {
		return nil, os.NewSyscallError("fcntl", refused)
	}
	// What is closed is one of two descriptors, so the client is told nothing. It does not block:
	// that is the socket's, not the descriptor's.
	return s, nc.Close()
}

// hold keeps the descriptor from being closed, and so from becoming another connection's, until
// release; false when it is to be closed.
func (s *rawSocket) hold() bool {
	for {
		n := s.users.Load()
		if n < 0 {
			return false
		}
		if s.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (s *rawSocket) release() {
	if s.users.Add(-1) == closedUsers {
		_ = unix.Close(s.fd) // nobody is there to be told
	}
}

// close closes the descriptor once nobody uses it. Who waits for it is woken by the connection.
func (s *rawSocket) close() error {
	for {
		n := s.users.Load()
		if n < 0 {
			return net.ErrClosed
		}
		if !s.users.CompareAndSwap(n, n+closedUsers) {
			continue
		}
		if n == 0 {
			return os.NewSyscallError("close", unix.Close(s.fd))
		}
		return nil
	}
}

func (s *rawSocket) closeWrite() error {
	if !s.hold() {
		return net.ErrClosed
	}
	defer s.release()
	return os.NewSyscallError("shutdown", unix.Shutdown(s.fd, unix.SHUT_WR))
}

func (s *rawSocket) readBy(t time.Time) error {
	s.until = t
	return nil
}

// peek reads what has come, and fails with errIdle when that is nothing.
func (s *rawSocket) peek(buf []byte) (int, error) {
	if !s.hold() {
		return 0, net.ErrClosed
	}
	defer s.release()
	n, err := readOnce(uintptr(s.fd), buf)
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return 0, errIdle
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	}
	return n, nil
}

// park leaves the socket to the poller: see [poller.watch].
func (s *rawSocket) park() bool {
	if !s.hold() {
		return false
	}
	defer s.release()
	return s.c.edge.parking.watch(s.fd, s.c)
}

func (s *rawSocket) read(buf func() []byte, idle func()) (int, error) {
	for s.until.IsZero() || time.Now().Before(s.until) {
		n, err := s.peek(buf())
		if !errors.Is(err, errIdle) {
			return n, err
		}
		idle()
		if err := s.await(s.c.edge.parking, &s.c.readable, s.until); err != nil {
			return 0, err
		}
	}
	return 0, os.ErrDeadlineExceeded
}

func (s *rawSocket) try(a *attempt) {
	if !s.hold() {
		a.n, a.err = 0, net.ErrClosed
		return
	}
	a.n, a.err = writePieces(s.fd, a.pieces)
	s.release()
	if errors.Is(a.err, syscall.EAGAIN) {
		a.err = errFull
	}
}

func (s *rawSocket) wait(pieces [][]byte) (int, error) {
	a := attempt{pieces: pieces}
	for {
		if s.try(&a); a.n > 0 {
			return a.n, nil
		}
		if !errors.Is(a.err, errFull) {
			return 0, a.err
		}
		if err := s.await(s.c.edge.clogged, &s.c.writable, time.Time{}); err != nil {
			return 0, err
		}
	}
}

// await waits for what p tells of the socket, until then or, if that is zero, for as long as the
// connection lasts. Whoever wakes it finds the channel in at.
func (s *rawSocket) await(p *poller, at *chan struct{}, until time.Time) error {
	woken := make(chan struct{})
	s.c.mu.Lock()
	*at = woken
	s.c.mu.Unlock()
	if !s.hold() {
		return net.ErrClosed
	}
	watched := p.watch(s.fd, s.c)
	s.release()
	switch {
	case watched:
	case s.c.over():
		return net.ErrClosed
	default:
		return errors.New("the socket cannot be waited for")
	}
	var late <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-woken:
		return nil
	case <-s.c.done:
		return net.ErrClosed
	case <-late:
		return os.ErrDeadlineExceeded
	}
}
