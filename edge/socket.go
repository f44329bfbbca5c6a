package edge

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
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
	// readBy ends a read that waits at t; the reader calls it.
	readBy(t time.Time) error
	// closeWrite says that no more comes; it may wait.
	closeWrite() error
	// close ends everything, without a last word of TLS, which may have to wait for the client.
	close() error
}

// parker is a socket whose reader may be left while nothing comes.
type parker interface {
	// peek reads what has come, and fails with errIdle when that is nothing.
	peek(buf []byte) (int, error)
	// park lets the connection be unparked once something comes; false when that cannot be.
	park() bool
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

// newSocket gives the socket of c, which takes nc over.
func newSocket(nc net.Conn, c *conn) (socket, error) {
	if secured, ok := nc.(*tls.Conn); ok {
		return &tlsSocket{secured}, nil
	}
	if s, err := detach(nc, c); s != nil || err != nil {
		return s, err
	}
	sys, ok := nc.(syscall.Conn)
	if !ok {
		return nil, errors.New("not a socket of the operating system")
	}
	raw, err := sys.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &plainSocket{nc, raw}, nil
}

// plainSocket goes to the system call itself, and waits as the runtime does.
type plainSocket struct {
	nc  net.Conn
	raw syscall.RawConn
}

func (s *plainSocket) readBy(t time.Time) error { return s.nc.SetReadDeadline(t) }
func (s *plainSocket) closeWrite() error        { return closeWrite(s.nc) }
func (s *plainSocket) close() error             { return s.nc.Close() }

func closeWrite(nc net.Conn) error {
	half, ok := nc.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

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

func (s *tlsSocket) readBy(t time.Time) error { return s.nc.SetReadDeadline(t) }
func (s *tlsSocket) closeWrite() error        { return s.nc.CloseWrite() }
func (s *tlsSocket) close() error             { return s.nc.NetConn().Close() }

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
