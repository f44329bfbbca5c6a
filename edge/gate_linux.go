package edge

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// gate takes connections from a port as descriptors, of which Go's runtime never hears (see
// [rawSocket]): to be accepted by it and taken from it again costs six system calls more.
type gate struct {
	port *os.File // the listening socket, as a descriptor of our own
	raw  syscall.RawConn
}

// newGate gives the gate of a port; nil for one that is not TCP.
func newGate(port net.Listener) (*gate, error) {
	tcp, ok := port.(*net.TCPListener)
	if !ok {
		return nil, nil //nolint:nilnil // there is none
	}
	file, err := tcp.File()
	if err != nil {
		return nil, err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &gate{file, raw}, nil
}

// accept waits for the next connection and gives its descriptor, which does not block, and where it
// comes from. After close it gives net.ErrClosed.
func (g *gate) accept() (fd int, from netip.Addr, err error) {
	var sa unix.Sockaddr
	waited := g.raw.Read(func(port uintptr) bool {
		for {
			fd, sa, err = unix.Accept4(int(port), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.ECONNABORTED) { // who is gone already is nobody
				return !errors.Is(err, unix.EAGAIN)
			}
		}
	})
	switch {
	case waited != nil:
		return 0, netip.Addr{}, net.ErrClosed
	case err != nil:
		return 0, netip.Addr{}, os.NewSyscallError("accept4", err)
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		from = netip.AddrFrom4(sa.Addr)
	case *unix.SockaddrInet6:
		from = netip.AddrFrom16(sa.Addr).Unmap()
	}
	return fd, from, nil
}

// close ends accept. A gate that there is not needs none.
func (g *gate) close() {
	if g != nil {
		_ = g.port.Close() // fails only when it is closed
	}
}

// letIn makes the connection with this descriptor one of the edge, or closes it when there are too
// many.
func (e *Edge) letIn(fd int, from netip.Addr) {
	c := e.visitor(from)
	if err := e.allowed(c); err != nil {
		e.turnedAway(from, err)
		_ = unix.Close(fd) // nothing was said yet
		return
	}
	c.sock = &rawSocket{fd: fd, c: c}
	e.received(c)
	e.run(c, &input{c: c})
}
