package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// fleet is the clients of one server. Everything about it is done by one goroutine.
type fleet struct {
	channel  *channel
	dialect  Dialect
	server   unix.Sockaddr
	poller   int // epoll
	timer    int // timerfd, wakes poll at a time that is due
	clients  []client
	begun    time.Time // durations of the channel are since then
	buffer   []byte
	events   []unix.EpollEvent
	welcomed int                         // how many clients have a session
	pinged   time.Time                   // when the last heartbeat was sent
	pingNext int                         // which client's is next
	onState  func(client int, now state) // is told when a client gets on; may be nil
	waiting  map[int]struct{}            // clients with lines that others are told of first
	waitedAt int                         // the channel's end when they were tried
	onPoll   func() error                // is asked before each wait; may be nil
	later    []again                     // clients that ask again, soonest first
	retries  int                         // how many did
}

// state is how far a client is.
type state uint8

const (
	closed state = iota
	opening
	upgrading // of the WebSocket
	open      // nothing was asked yet
	signingUp
	signedUp
	signingIn
	refusedOnce // and may ask again
	in
)

// client is one of them.
type client struct {
	fd      int32
	state   state
	partial []byte // of a message, nil mostly
	unsent  []byte // nil mostly
	user    string
	token   string // to resume with
	seq     int64  // of its joining
}

// again is a client that was told to try once more.
type again struct {
	client int
	at     time.Duration
}

// againAfter is when it does.
const againAfter = 50 * time.Millisecond

// timerEvent is what the timer's events carry in place of a client.
const timerEvent = -1

// readMost is how much is read at once.
const readMost = 256 << 10

// eventsMost is how many sockets are told of at once.
const eventsMost = 512

// newFleet makes a fleet without clients. Who called closes it.
func newFleet(server string, d Dialect, m marker) (*fleet, error) {
	at, err := netip.ParseAddrPort(server)
	if err != nil {
		return nil, fmt.Errorf("the server's address: %w", err)
	}
	f := &fleet{
		channel: newChannel(d, m), dialect: d, poller: -1, timer: -1,
		waiting: map[int]struct{}{}, begun: time.Now(), buffer: make([]byte, readMost), events: make([]unix.EpollEvent, eventsMost),
	}
	if at.Addr().Is4() {
		f.server = &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	} else {
		f.server = &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	}
	if f.poller, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if f.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		f.close()
		return nil, fmt.Errorf("timer: %w", err)
	}
	if err := unix.EpollCtl(f.poller, unix.EPOLL_CTL_ADD, f.timer, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: timerEvent}); err != nil {
		f.close()
		return nil, fmt.Errorf("watch the timer: %w", err)
	}
	return f, nil
}

// close ends all connections.
func (f *fleet) close() {
	for i := range f.clients {
		f.hangUp(i)
	}
	for _, fd := range []int{f.poller, f.timer} {
		if fd >= 0 {
			_ = unix.Close(fd) // nothing was written
		}
	}
}

// hangUp ends a client's connection at once.
func (f *fleet) hangUp(i int) {
	c := &f.clients[i]
	if c.state == closed {
		return
	}
	_ = unix.Close(int(c.fd)) // what was written does not matter any more
	if c.state == in {
		f.welcomed--
	}
	delete(f.waiting, i)
	c.fd, c.state, c.partial, c.unsent = -1, closed, nil, nil
}

// since is the time on the channel's clock.
func (f *fleet) since() time.Duration { return time.Since(f.begun) }

// dial opens a client's connection. It does not wait for the server.
func (f *fleet) dial(i int) error {
	family := unix.AF_INET
	if _, six := f.server.(*unix.SockaddrInet6); six {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("client %d: socket: %w", i, err)
	}
	c := &f.clients[i]
	c.fd, c.state = int32(fd), opening
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fmt.Errorf("client %d: %w", i, err)
	}
	if err := f.bind(fd, i); err != nil {
		return err
	}
	if err := unix.Connect(fd, f.server); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("client %d: connect: %w", i, err)
	}
	if err := unix.EpollCtl(f.poller, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT, Fd: int32(i)}); err != nil {
		return fmt.Errorf("client %d: watch: %w", i, err)
	}
	return nil
}

// perSource is how many clients share one of the loopback's addresses: one has some 28,000
// ports to connect from, and those of closed connections are kept for a minute.
const perSource = 8000

// bind gives a client beyond the first [perSource] a loopback address of its own kind to come
// from. Of other networks the kernel knows the address.
func (f *fleet) bind(fd, i int) error {
	to, ok := f.server.(*unix.SockaddrInet4)
	if !ok || to.Addr[0] != 127 || i < perSource {
		return nil
	}
	// The port is chosen when the connection is made, so that it need only differ from those to
	// the same server.
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return fmt.Errorf("client %d: bind: %w", i, err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + i/perSource)}}); err != nil {
		return fmt.Errorf("client %d: bind: %w", i, err)
	}
	return nil
}

// wake makes poll return at this time on the channel's clock.
func (f *fleet) wake(at time.Duration) error {
	left := max(at-f.since(), 1) // 0 would disarm it
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(left))}
	if err := unix.TimerfdSettime(f.timer, 0, &spec, nil); err != nil {
		return fmt.Errorf("timer: %w", err)
	}
	return nil
}

// pollFor is how long poll waits at most: so soon a run notices that it shall end.
const pollFor = 50 * time.Millisecond

// heartbeatEvery is how often a client of frames or WebSocket says that it lives.
const heartbeatEvery = 9 * time.Second

// poll waits for what the server says, the timer, or a while, and takes what came. It fails when
// ctx ends, or when what came is not the dialect.
func (f *fleet) poll(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.onPoll != nil {
		if err := f.onPoll(); err != nil {
			return err
		}
	}
	f.askAgain()
	n, err := unix.EpollWait(f.poller, f.events, int(pollFor/time.Millisecond))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("epoll: %w", err)
	}
	for _, e := range f.events[:max(n, 0)] {
		if e.Fd == timerEvent {
			var expired [8]byte
			_, _ = unix.Read(f.timer, expired[:]) // how often it expired does not matter
			continue
		}
		if err := f.serve(int(e.Fd), e.Events); err != nil {
			return err
		}
	}
	f.heartbeats()
	return f.tryWaiting()
}

// tryWaiting looks whether clients that wait for others to be told of a line wait no longer.
func (f *fleet) tryWaiting() error {
	if len(f.waiting) == 0 || f.channel.end() == f.waitedAt {
		return nil
	}
	f.waitedAt = f.channel.end()
	for i := range f.waiting {
		delete(f.waiting, i)
		if err := f.take(i, nil); err != nil {
			return err
		}
	}
	return nil
}

// askAgain lets those try once more whose time has come.
func (f *fleet) askAgain() {
	for len(f.later) > 0 && f.later[0].at <= f.since() {
		i := f.later[0].client
		f.later = f.later[1:]
		if f.clients[i].state == signingIn {
			f.retries++
			f.become(i, refusedOnce)
		}
	}
}

// heartbeats sends those that are due, spread over the clients.
func (f *fleet) heartbeats() {
	if !f.dialect.objects() || len(f.clients) == 0 {
		return
	}
	step := heartbeatEvery / time.Duration(len(f.clients))
	if f.pinged.IsZero() {
		f.pinged = time.Now()
	}
	for due := int(time.Since(f.pinged) / max(step, 1)); due > 0; due-- {
		f.pinged = f.pinged.Add(step)
		if i := f.pingNext % len(f.clients); f.clients[i].state == in {
			f.send(i, f.dialect.ping(nil))
		}
		f.pingNext++
	}
}

// serve does what a client's socket is ready for.
func (f *fleet) serve(i int, ready uint32) error {
	c := &f.clients[i]
	if c.state == closed {
		return nil // it was closed by an event before this one
	}
	if ready&unix.EPOLLOUT != 0 {
		if c.state == opening {
			return f.opened(i)
		}
		f.flush(i)
	}
	if ready&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) == 0 || c.state == closed {
		return nil
	}
	n, err := unix.Read(int(c.fd), f.buffer)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return f.ended(i, err)
	case n == 0:
		return f.ended(i, errors.New("the server closed the connection"))
	}
	f.channel.now = f.since()
	return f.take(i, f.buffer[:n])
}

// opened goes on with a client whose connection stands, or does not.
func (f *fleet) opened(i int) error {
	c := &f.clients[i]
	if errno, err := unix.GetsockoptInt(int(c.fd), unix.SOL_SOCKET, unix.SO_ERROR); err != nil || errno != 0 {
		return fmt.Errorf("client %d: connect: %w", i, errors.Join(err, unix.Errno(errno)))
	}
	f.watch(i, unix.EPOLLIN)
	if f.dialect == WebSocket {
		c.state = upgrading
		f.send(i, []byte(upgrade))
		return nil
	}
	f.become(i, open)
	return nil
}

// upgrade asks for a WebSocket (RFC 6455, section 4.1). The key's answer is not looked at: this
// is no browser.
const upgrade = "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: hall.v1\r\n\r\n"

func (f *fleet) watch(i int, events uint32) {
	// It fails for sockets that are not watched, and all are.
	_ = unix.EpollCtl(f.poller, unix.EPOLL_CTL_MOD, int(f.clients[i].fd), &unix.EpollEvent{Events: events, Fd: int32(i)})
}

func (f *fleet) become(i int, s state) {
	f.clients[i].state = s
	if s == in {
		f.welcomed++
	}
	if f.onState != nil {
		f.onState(i, s)
	}
}

// ended notes that the server ended a connection.
func (f *fleet) ended(i int, err error) error {
	state := f.clients[i].state
	f.hangUp(i)
	f.channel.faults.Closed++
	f.channel.faults.add("client %d: %v", i, err)
	if state != in {
		return fmt.Errorf("client %d did not get in: %w", i, err)
	}
	return nil
}

// send sends what the socket takes now, and the rest when it takes it.
func (f *fleet) send(i int, data []byte) {
	c := &f.clients[i]
	if c.state == closed {
		return
	}
	if len(c.unsent) > 0 {
		c.unsent = append(c.unsent, data...)
		return
	}
	n, err := unix.Write(int(c.fd), data)
	if n = max(n, 0); err != nil || n < len(data) {
		// Any error but a full socket is met by the next read, too.
		c.unsent = append(c.unsent, data[n:]...)
		f.watch(i, unix.EPOLLIN|unix.EPOLLOUT)
	}
}

func (f *fleet) flush(i int) {
	c := &f.clients[i]
	n, _ := unix.Write(int(c.fd), c.unsent) // as send
	if c.unsent = c.unsent[max(n, 0):]; len(c.unsent) == 0 {
		c.unsent = nil
		f.watch(i, unix.EPOLLIN)
	}
}

// take gives the channel what a client read, and keeps the begin of a message for the next time.
func (f *fleet) take(i int, data []byte) error {
	c := &f.clients[i]
	whole := data
	if len(c.partial) > 0 {
		c.partial = append(c.partial, data...)
		whole = c.partial
	}
	if c.state == upgrading {
		n, err := f.upgraded(i, whole)
		if err != nil {
			return err
		}
		whole = whole[n:]
		if c.state == upgrading {
			f.keep(c, whole)
			return nil
		}
	}
	var failed error
	n, err := f.channel.take(i, whole, func(k kind, body []byte) {
		if err := f.private(i, k, body); err != nil && failed == nil {
			failed = err
		}
	})
	if err := errors.Join(err, failed); err != nil {
		return fmt.Errorf("client %d: %w", i, err)
	}
	if f.keep(c, whole[n:]); len(c.partial) > 0 && f.channel.isFresh(i) {
		f.waiting[i] = struct{}{}
	}
	return nil
}

func (f *fleet) keep(c *client, rest []byte) {
	if len(rest) == 0 {
		c.partial = nil
		return
	}
	c.partial = append([]byte(nil), rest...)
}

// private takes what concerns one client alone.
func (f *fleet) private(i int, k kind, body []byte) error {
	c := &f.clients[i]
	switch k {
	case welcome:
		if f.dialect.objects() {
			c.token, c.seq = string(member(body, "token")), number(body, "seq")
		}
		if f.dialect == Bare {
			f.channel.enter(i)
		}
		f.become(i, in)
	case upSigned:
		f.become(i, signedUp)
	case refused:
		if c.state == signingIn && bytes.Contains(body, []byte(`"retry":true`)) {
			f.later = append(f.later, again{i, f.since() + againAfter})
			return nil
		}
		f.channel.faults.Refused++
		f.channel.faults.add("client %d (%s) was refused: %.120q", i, c.user, body)
		if c.state != in {
			return fmt.Errorf("%s does not get in: %.160q", c.user, body)
		}
	case closing:
		f.channel.faults.add("client %d was told that the server hangs up: %.120q", i, body)
	}
	return nil
}
