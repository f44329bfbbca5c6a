package edge

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// openGate gives the gate of a port, and a way to dial it.
func openGate(t *testing.T, address string) (*gate, func() net.Conn) {
	t.Helper()
	listening, err := port().Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Skipf("no port at %s: %v", address, err)
	}
	t.Cleanup(func() { _ = listening.Close() })
	g, err := newGate(listening)
	if err != nil || g == nil {
		t.Fatalf("no gate: %v", err)
	}
	t.Cleanup(g.close)
	return g, func() net.Conn {
		player, err := new(net.Dialer).DialContext(t.Context(), "tcp", listening.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = player.Close() })
		return player
	}
}

// What a gate accepts does not block, is not inherited by other programs, and comes from where it
// was dialled.
func TestGateAccepts(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			g, dial := openGate(t, address)
			player := dial()
			fd, from, err := g.accept()
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			if want := netip.MustParseAddrPort(player.LocalAddr().String()).Addr(); from != want {
				t.Errorf("it comes from %v, want %v", from, want)
			}
			if _, err := unix.Read(fd, make([]byte, 1)); !errors.Is(err, unix.EAGAIN) {
				t.Errorf("a read of nothing: %v", err)
			}
			if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("its flags are %#x, %v", flags, err)
			}
		})
	}
}

// Who waits at a gate when it is closed is told so, and who comes later.
func TestGateCloses(t *testing.T) {
	t.Parallel()
	g, dial := openGate(t, "127.0.0.1:0")
	dial()
	fd, _, err := g.accept()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	waits := make(chan error, 1)
	go func() {
		_, _, err := g.accept()
		waits <- err
	}()
	g.close()
	if err := <-waits; !errors.Is(err, net.ErrClosed) {
		t.Errorf("who waits is told %v", err)
	}
	if _, _, err := g.accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("who comes later is told %v", err)
	}
}

// Who is one too many is hung up on, and the next one is taken when there is room again.
func TestGateTurnsAway(t *testing.T) {
	t.Parallel()
	e := bareEdge(t)
	waitsFor(t, e)
	e.cfg.Connections = 1
	e.tenure.Store(newTerm())
	e.memory = &memory{}
	e.addresses = newAddresses(Config{ConnectionsPerIP: 1})
	e.writers = []*writer{newWriter(0, new(coming))}
	g, dial := openGate(t, "127.0.0.1:0")
	letIn := func() net.Conn {
		player := dial()
		fd, from, err := g.accept()
		if err != nil {
			t.Fatal(err)
		}
		e.letIn(fd, from)
		return player
	}
	letIn()
	if open, _ := e.sessions.counts(); open != 1 {
		t.Fatalf("%d connections, want the first", open)
	}
	second := letIn()
	if n, err := second.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("who is one too many reads %d bytes, %v", n, err)
	}
	for _, c := range e.sessions.all() {
		c.broken()
	}
	until := e.tasks.wait()
	<-until
	if open, _ := e.sessions.counts(); open != 0 {
		t.Errorf("%d connections are left", open)
	}
}

// An address has no zone, by whichever door: no range that an operator names has one.
func TestAddressWithoutZone(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"[fe80::1%eth0]:7021": "fe80::1", "[::ffff:10.0.0.1]:7021": "10.0.0.1", "10.0.0.1:7021": "10.0.0.1",
	} {
		if got := addrOf(text); got != netip.MustParseAddr(want) {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
}
