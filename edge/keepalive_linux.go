package edge

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// port is how a port listens. The kernel finds dead peers (see deadAfter): each connection has the
// port's options from its beginning (tcp(7)), which saves nine system calls for each.
func port() *net.ListenConfig {
	listening := func(_, _ string, raw syscall.RawConn) error {
		seconds := int(deadAfter.Seconds())
		var err error
		cerr := raw.Control(func(fd uintptr) {
			err = errors.Join(
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds/2),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, seconds/6),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3),
				// Who accepts by himself (gate) has what Go would set: nothing waits for more to send.
				unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
				// How long sent data may go without a confirmation (RFC 5482).
				unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(deadAfter.Milliseconds())),
			)
		})
		return errors.Join(cerr, err)
	}
	cfg := &net.ListenConfig{KeepAlive: -1, Control: listening} // or Go would set its own for each
	cfg.SetMultipathTCP(false)                                  // older kernels refuse it these options
	return cfg
}
