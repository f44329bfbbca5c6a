package edge

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"syscall"
)

// socket is how a connection's bytes move. A plain one is never waited for by a writer and
// holds no buffer while its reader waits; one with TLS cannot do either.
type socket interface {
	// read waits for bytes and reads some into what buf gives; idle is called before it
	// waits, when buf's bytes are not needed meanwhile.
	read(buf func() []byte, idle func()) (int, error)
	// try writes as much of the attempt's pieces as goes without waiting, and errFull when
	// that is not all.
	try(a *attempt)
	// wait writes some of the pieces, and waits until it can.
	wait(pieces [][]byte) (int, error)
}

// errFull says that a socket takes no more without waiting.
var errFull = errors.New("socket is full")

// attempt is one write. Its writer keeps it, so that a write allocates nothing.
type attempt struct {
	pieces [][]byte
	n      int
	err    error
	write  func(fd uintptr) bool
}

func newAttempt() *attempt {
	a := &attempt{}
	a.write = func(fd uintptr) bool {
		a.n, a.err = writePieces(int(fd), a.pieces)
		return true // never wait here: a full socket must not hold up the others
	}
	return a
}

// newSocket gives nc's socket.
func newSocket(nc net.Conn) (socket, error) {
	if secured, ok := nc.(*tls.Conn); ok {
		return &tlsSocket{secured}, nil
	}
	sys, ok := nc.(syscall.Conn)
	if !ok {
		return nil, errors.New("not a socket of the operating system")
	}
	raw, err := sys.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &plainSocket{raw}, nil
}

// plainSocket goes to the system call itself.
type plainSocket struct{ raw syscall.RawConn }

func (s *plainSocket) read(buf func() []byte, idle func()) (n int, err error) {
	waited := s.raw.Read(func(fd uintptr) bool {
		n, err = readOnce(fd, buf())
		if errors.Is(err, syscall.EAGAIN) {
			idle()
			return false
		}
		return true
	})
	if waited != nil {
		return 0, waited
	}
	if err != nil {
		return 0, os.NewSyscallError("read", err)
	}
	return n, nil
}

// readOnce reads what has come; EAGAIN when that is nothing.
func readOnce(fd uintptr, buf []byte) (n int, err error) {
	for {
		if n, err = syscall.Read(int(fd), buf); !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}

// peek reads what has come, and fails with errIdle when that is nothing.
func (s *plainSocket) peek(buf []byte) (n int, err error) {
	waited := s.raw.Read(func(fd uintptr) bool {
		n, err = readOnce(fd, buf)
		return true
	})
	switch {
	case waited != nil:
		return 0, waited
	case errors.Is(err, syscall.EAGAIN):
		return 0, errIdle
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	}
	return n, nil
}

// park leaves the socket to the poller: see [poller.watch].
func (s *plainSocket) park(p *poller, c *conn) (ok bool) {
	err := s.raw.Control(func(fd uintptr) { ok = p.watch(int(fd), c) })
	return ok && err == nil
}

func (s *plainSocket) try(a *attempt) {
	a.n, a.err = 0, nil
	if err := s.raw.Write(a.write); err != nil {
		a.err = err
	}
	if errors.Is(a.err, syscall.EAGAIN) {
		a.err = errFull
	}
}

func (s *plainSocket) wait(pieces [][]byte) (n int, err error) {
	waited := s.raw.Write(func(fd uintptr) bool {
		n, err = writePieces(int(fd), pieces)
		return n > 0 || !errors.Is(err, syscall.EAGAIN)
	})
	if waited != nil {
		return 0, waited
	}
	if n > 0 {
		return n, nil
	}
	return 0, err
}

// tlsSocket encrypts. Its writes may wait for the network whatever is asked, so they are
// never tried by a writer: they are left to a goroutine of the connection's own. Nor is it ever
// parked: a record may be read already, of which the operating system knows nothing.
type tlsSocket struct{ nc *tls.Conn }

func (s *tlsSocket) read(buf func() []byte, _ func()) (int, error) { return s.nc.Read(buf()) }

func (s *tlsSocket) try(a *attempt) { a.n, a.err = 0, errFull }

func (s *tlsSocket) wait(pieces [][]byte) (int, error) {
	if len(pieces) == 1 {
		return s.nc.Write(pieces[0])
	}
	// One record for what would be one write on a plain socket.
	var all []byte
	for _, p := range pieces {
		all = append(all, p...)
	}
	return s.nc.Write(all)
}
