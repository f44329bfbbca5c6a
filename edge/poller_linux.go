package edge

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// poller waits for many connections at once: an epoll set of our own (epoll(7)), which
// the runtime's poller watches like any file. A connection is in it for one event at a time.
type poller struct {
	file   *os.File // the set
	events uint32
	wake   func(*conn)

	mu    sync.Mutex
	conns map[int32]*conn // by file descriptor: those that were watched and are not gone
}

// newParking waits for idle connections to send something, or to end.
func newParking() (*poller, error) {
	return newPoller(unix.EPOLLIN|unix.EPOLLRDHUP, (*conn).unpark)
}

// newClogged waits for full sockets to take more.
func newClogged() (*poller, error) { return newPoller(unix.EPOLLOUT, (*conn).unclog) }

func newPoller(events uint32, wake func(*conn)) (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(os.NewSyscallError("fcntl", err), unix.Close(fd))
	}
	// Not blocking, so the runtime's poller takes it.
	return &poller{file: os.NewFile(uintptr(fd), "epoll"), events: events, wake: wake, conns: map[int32]*conn{}}, nil
}

// watch lets the poller wake c once, when what it waits for has happened on fd; false when c is
// closed, or the kernel refuses. The caller keeps fd open meanwhile.
func (p *poller) watch(fd int, c *conn) bool {
	raw, err := p.file.SyscallConn()
	if err != nil {
		return false
	}
	e := unix.EpollEvent{Events: p.events | unix.EPOLLONESHOT, Fd: int32(fd)}
	p.mu.Lock()
	if c.over() { // it may have been forgotten already, and would be kept until somebody has its number
		p.mu.Unlock()
		return false
	}
	known := p.conns[e.Fd] == c
	p.conns[e.Fd] = c
	c.watched.Store(e.Fd)
	p.mu.Unlock()
	op := unix.EPOLL_CTL_MOD
	if !known {
		op = unix.EPOLL_CTL_ADD
	}
	var refused error
	err = raw.Control(func(set uintptr) { refused = unix.EpollCtl(int(set), op, fd, &e) })
	return err == nil && refused == nil
}

// forget takes c out, which is closed; closing its socket has taken it out of the set.
func (p *poller) forget(c *conn) {
	if p == nil { // in a test
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if fd := c.watched.Load(); p.conns[fd] == c {
		delete(p.conns, fd)
	}
}

// eventsMost is how many connections are taken from the set at a time.
const eventsMost = 256

// run wakes connections until the poller is closed.
func (p *poller) run() {
	raw, err := p.file.SyscallConn()
	if err != nil {
		return // closed
	}
	events := make([]unix.EpollEvent, eventsMost)
	ready := make([]*conn, 0, eventsMost)
	for {
		n, refused := 0, error(nil)
		err := raw.Read(func(set uintptr) bool {
			n, refused = unix.EpollWait(int(set), events, 0)
			return n > 0 || refused != nil && !errors.Is(refused, syscall.EINTR)
		})
		if err != nil {
			return // closed
		}
		if refused != nil {
			panic(fmt.Sprintf("epoll_wait: %v", refused)) // a mistake of ours: nobody would be heard any more
		}
		p.mu.Lock()
		for _, e := range events[:n] {
			if c := p.conns[e.Fd]; c != nil {
				ready = append(ready, c)
			}
		}
		p.mu.Unlock()
		for _, c := range ready {
			p.wake(c)
		}
		clear(ready)
		ready = ready[:0]
	}
}

// close ends run.
func (p *poller) close() {
	if p != nil { // the edge did not start
		_ = p.file.Close() // fails only when it is closed
	}
}
