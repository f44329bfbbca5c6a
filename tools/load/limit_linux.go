package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Limit is the least that a fan-out through sockets costs: one thread, one epoll set, one buffer
// that all clients share, and a cursor for each. It shows that the generator can drive more than
// the hall. Otherwise it is [Relay].
func Limit(ctx context.Context, addr string, out io.Writer) error {
	at, err := netip.ParseAddrPort(addr)
	if err != nil || !at.Addr().Is4() {
		return fmt.Errorf("limit: %q is not an IPv4 address and port", addr)
	}
	l := &limit{clients: map[int32]*limitClient{}, buffer: make([]byte, readMost)}
	if l.poller, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("limit: epoll: %w", err)
	}
	defer l.close()
	if err := l.listen(at); err != nil {
		return fmt.Errorf("limit: %w", err)
	}
	bound, err := unix.Getsockname(l.listener)
	if err != nil {
		return fmt.Errorf("limit: %w", err)
	}
	if four, ok := bound.(*unix.SockaddrInet4); ok {
		port := net.JoinHostPort(at.Addr().String(), fmt.Sprint(four.Port))
		if _, err := fmt.Fprintln(out, "listening", port); err != nil {
			return fmt.Errorf("limit: %w", err)
		}
	}
	events := make([]unix.EpollEvent, eventsMost)
	for ctx.Err() == nil {
		n, err := unix.EpollWait(l.poller, events, int(pollFor.Milliseconds()))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("limit: epoll: %w", err)
		}
		before := len(l.log)
		for _, e := range events[:max(n, 0)] {
			l.serve(e)
		}
		if len(l.log) > before {
			l.tellAll()
		}
	}
	return nil
}

// limit is that server at work.
type limit struct {
	poller, listener int
	clients          map[int32]*limitClient
	buffer           []byte
	log              []byte // what some client has not been told
}

type limitClient struct {
	fd    int32
	sent  int  // of log
	stuck bool // its socket is full
}

func (l *limit) listen(at netip.AddrPort) error {
	var err error
	if l.listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(l.listener, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if err := unix.Bind(l.listener, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err != nil {
		return err
	}
	if err := unix.Listen(l.listener, unix.SOMAXCONN); err != nil {
		return err
	}
	return unix.EpollCtl(l.poller, unix.EPOLL_CTL_ADD, l.listener, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(l.listener)})
}

func (l *limit) close() {
	for fd := range l.clients {
		_ = unix.Close(int(fd)) // the end of all
	}
	_ = unix.Close(l.listener)
	_ = unix.Close(l.poller)
}

func (l *limit) serve(e unix.EpollEvent) {
	if int(e.Fd) == l.listener {
		l.accept()
		return
	}
	c := l.clients[e.Fd]
	if c == nil {
		return
	}
	if e.Events&unix.EPOLLOUT != 0 {
		c.stuck = false
		l.watch(c, unix.EPOLLIN)
		l.tell(c)
	}
	if e.Events&^unix.EPOLLOUT == 0 {
		return
	}
	n, err := unix.Read(int(c.fd), l.buffer)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return
	}
	if err != nil || n == 0 {
		delete(l.clients, c.fd)
		_ = unix.Close(int(c.fd)) // it is gone
		return
	}
	l.log = append(l.log, l.buffer[:n]...)
}

func (l *limit) accept() {
	for {
		fd, _, err := unix.Accept4(l.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return // nobody waits
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // of no use is no harm
		c := &limitClient{fd: int32(fd), sent: len(l.log)}
		if err := unix.EpollCtl(l.poller, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: c.fd}); err != nil {
			_ = unix.Close(fd) // it cannot be served
			continue
		}
		l.clients[c.fd] = c
		_, _ = unix.Write(fd, []byte(greeting+"\n")) // the socket is empty
	}
}

func (l *limit) watch(c *limitClient, events uint32) {
	// It fails for sockets that are not watched, and all are.
	_ = unix.EpollCtl(l.poller, unix.EPOLL_CTL_MOD, int(c.fd), &unix.EpollEvent{Events: events, Fd: c.fd})
}

// tellAll sends every client what it has not had, and drops what all have.
func (l *limit) tellAll() {
	least := len(l.log)
	for _, c := range l.clients {
		if !c.stuck {
			l.tell(c)
		}
		least = min(least, c.sent)
	}
	l.log = append(l.log[:0], l.log[least:]...)
	for _, c := range l.clients {
		c.sent -= least
	}
}

func (l *limit) tell(c *limitClient) {
	if c.sent == len(l.log) {
		return
	}
	n, _ := unix.Write(int(c.fd), l.log[c.sent:]) // who is gone shows when read
	if c.sent += max(n, 0); c.sent < len(l.log) {
		c.stuck = true
		l.watch(c, unix.EPOLLIN|unix.EPOLLOUT)
	}
}
