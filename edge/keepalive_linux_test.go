package edge_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

// The kernel is told to find a dead peer within 33 s: when nothing is sent to it, and when
// something is.
func TestDeadPeersAreFound(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.connect(t).quiet()
	sockets := h.edge.Descriptors()
	if len(sockets) != 1 {
		t.Fatalf("%d connections, want 1", len(sockets))
	}
	option := func(level, name int) int {
		t.Helper()
		value, err := unix.GetsockoptInt(sockets[0], level, name)
		if err != nil {
			t.Fatalf("option %d: %v", name, err)
		}
		return value
	}
	if option(unix.SOL_SOCKET, unix.SO_KEEPALIVE) == 0 {
		t.Error("no keepalive")
	}
	if option(unix.IPPROTO_TCP, unix.TCP_NODELAY) == 0 {
		t.Error("what is sent waits for more")
	}
	idle, every, probes := option(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE), option(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL), option(unix.IPPROTO_TCP, unix.TCP_KEEPCNT)
	if after := idle + every*probes; after < 30 || after > 33 {
		t.Errorf("a silent peer is dead after %d s + %d × %d s, want 30 to 33 s", idle, probes, every)
	}
	if got := option(unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); got < 30_000 || got > 33_000 {
		t.Errorf("a peer that confirms nothing is dead after %d ms, want 30 to 33 s", got)
	}
}
