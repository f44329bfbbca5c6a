package edge

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gamehall/shared/natstest"
)

// overTCP gives a connection of an edge on a real socket, and its client's end.
func overTCP(tb testing.TB, e *Edge) (*conn, *net.TCPConn) {
	tb.Helper()
	port, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer port.Close()
	player, err := new(net.Dialer).DialContext(tb.Context(), "tcp", port.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = player.Close() })
	nc, err := port.Accept()
	if err != nil {
		tb.Fatal(err)
	}
	c := benchConn(e)
	if c.sock, err = newSocket(nc, c); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.broken)
	tcp, ok := player.(*net.TCPConn)
	if !ok {
		tb.Fatalf("a TCP connection is a %T", player)
	}
	return c, tcp
}

// raw gives the socket of a connection that the runtime knows nothing of.
func raw(t *testing.T, c *conn) *rawSocket {
	t.Helper()
	s, ok := c.sock.(*rawSocket)
	if !ok {
		t.Fatalf("the socket is a %T", c.sock)
	}
	return s
}

// Whoever waits for a socket ends when its connection does, and so does who comes later.
func TestRawSocketEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	e := bareEdge(t)
	waitsFor(t, e)
	c, player := overTCP(t, e)
	read, written := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := c.sock.read(func() []byte { return make([]byte, 10) }, func() {})
		read <- err
	}()
	go func() {
		for {
			if _, err := c.sock.wait([][]byte{make([]byte, 64<<10)}); err != nil {
				written <- err
				return
			}
		}
	}()
	natstest.Eventually(t, "both wait", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.readable != nil && c.writable != nil
	})
	c.broken()
	for name, ended := range map[string]chan error{"read": read, "write": written} {
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("the %s that waited: %v", name, err)
		}
	}
	s := raw(t, c)
	a := newAttempt()
	a.pieces = [][]byte{[]byte("hi")}
	if s.try(a); !errors.Is(a.err, net.ErrClosed) {
		t.Errorf("a write after it: %v", a.err)
	}
	if _, err := s.peek(make([]byte, 10)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a read after it: %v", err)
	}
	if s.park() {
		t.Error("it is parked after it")
	}
	if err := s.closeWrite(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the end of its output after it: %v", err)
	}
	if err := s.close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed twice: %v", err)
	}
	if _, err := io.Copy(io.Discard, player); err != nil && !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("the client: %v", err)
	}
}

// A descriptor that is in use is closed when it no longer is, so that no call meets the socket of
// another connection under its number.
func TestRawSocketIsClosedWhenNobodyUsesIt(t *testing.T) {
	t.Parallel()
	e := bareEdge(t)
	waitsFor(t, e)
	c, player := overTCP(t, e)
	s := raw(t, c)
	for range 2 {
		if !s.hold() {
			t.Fatal("it is closed")
		}
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	s.release()
	if s.hold() {
		t.Error("it is used again")
	}
	if _, err := unix.Write(s.fd, []byte("hi")); err != nil {
		t.Errorf("it is closed while it is used: %v", err)
	}
	s.release()
	got, err := io.ReadAll(player)
	if string(got) != "hi" || err != nil {
		t.Errorf("the client got %q, %v", got, err)
	}
}

// Who is closed while its socket is about to be waited for is not kept by who waits for it.
func TestPollersKeepNobodyWhoIsGone(t *testing.T) {
	t.Parallel()
	e := bareEdge(t)
	waitsFor(t, e)
	c, _ := overTCP(t, e)
	s := raw(t, c)
	both := map[string]*poller{"reader": e.parking, "writer": e.clogged}
	kept := func(p *poller) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.conns[int32(s.fd)] == c
	}
	if !s.hold() {
		t.Fatal("it is closed")
	}
	defer s.release()
	var watches sync.WaitGroup
	for name, p := range both {
		watches.Go(func() {
			if !p.watch(s.fd, c) || !kept(p) {
				t.Errorf("its %s is not waited for", name)
			}
		})
	}
	watches.Wait()
	c.broken()
	for name, p := range both {
		if p.forget(c); p.watch(s.fd, c) || kept(p) {
			t.Errorf("its %s is waited for when it is gone", name)
		}
	}
}

// A read that waits ends with its time, whether or not something came before.
func TestRawSocketReadsInTime(t *testing.T) {
	t.Parallel()
	e := bareEdge(t)
	waitsFor(t, e)
	c, player := overTCP(t, e)
	if _, err := player.Write([]byte("hi")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	read := func() (int, error) { return c.sock.read(func() []byte { return buf }, func() {}) }
	if n, err := read(); n != 2 || err != nil || !bytes.Equal(buf[:n], []byte("hi")) {
		t.Errorf("read %q, %v", buf[:n], err)
	}
	if err := c.sock.readBy(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := read(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read in time: %v", err)
		}
	}
}

// What the edge keeps of an idle connection with a session is small, in the heap and outside. It is
// measured alone, not beside other tests.
func TestIdleConnectionIsSmall(t *testing.T) { //nolint:paralleltest // see above
	const n, most = 500, 2000 // the runtime takes memory for itself by a quarter of a MiB, half a KiB for each of these
	e := bareEdge(t)
	waitsFor(t, e)
	e.addresses = newAddresses(Config{ConnectionsPerIP: 2 * n})
	lobby, game := newChannel("lobby", 1), newChannel("game21", 1)
	w := newWriter(0, new(coming))
	port, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	addr, ok := port.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("a port at %T", port.Addr())
	}
	to := &unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())}
	players := make([]int, 0, 2*n)
	defer func() {
		for _, c := range e.sessions.all() {
			c.mu.Lock()
			c.session.ending, c.session.dropped = true, true // there is no auth to tell
			c.mu.Unlock()
			c.broken()
		}
		natstest.Eventually(t, "all are gone", func() bool { conns, _ := e.Left(); return conns == 0 })
		for _, player := range players {
			_ = unix.Close(player)
		}
	}()
	enter := func() {
		player, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0) // the runtime knows nothing of it
		if err != nil {
			t.Fatal(err)
		}
		players = append(players, player)
		if err := unix.Connect(player, to); err != nil {
			t.Fatal(err)
		}
		nc, err := port.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c := e.visitor(netip.MustParseAddr("127.0.0.1"))
		if c.sock, err = newSocket(nc, c); err != nil {
			t.Fatal(err)
		}
		c.w = w
		s := &session{user: c.id, userID: c.id, id: c.id, lobby: lobby, game: game}
		c.session = s
		e.sessions.add(c, s)
		e.run(c, &input{c: c})
		lobby.join(c, s, slotLobby, 0)
		game.join(c, s, slotGame, 0)
	}
	held := func() uint64 {
		natstest.Eventually(t, "no reader", func() bool { conns, left := e.Left(); return conns == left })
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.OtherSys
	}
	for range 100 {
		enter()
	}
	before := held()
	for range n {
		enter()
	}
	each := (held() - before) / n
	t.Logf("%d bytes", each)
	if each > most {
		t.Errorf("an idle connection takes %d bytes, want at most %d", each, most)
	}
}
