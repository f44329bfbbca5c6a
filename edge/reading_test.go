//go:build linux

package edge_test

import (
	"testing"

	"gamehall/shared/natstest"
)

// TestIdleHasNoReader: a connection that sends nothing has no goroutine, whatever it did
// before, and is served as soon as it sends something, byte by byte, too.
func TestIdleHasNoReader(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	idle := func(want int) {
		t.Helper()
		natstest.Eventually(t, "no connection has a reader", func() bool {
			conns, left := h.edge.Left()
			return conns == want && left == want
		})
	}
	ann, bob := h.signIn(t, "ann"), h.connect(t)
	idle(2)
	ann.send("hi")
	ann.want("ann: hi")
	bob.write("/PI")
	natstest.Eventually(t, "a line that has begun is waited for", func() bool {
		_, left := h.edge.Left()
		return left == 1
	})
	bob.write("NG\n")
	bob.line()
	idle(2)
	bob.nc.Close()
	idle(1)
}

// TestLeftIsClosed: a connection that nobody reads ends as others do when the edge closes it,
// and is forgotten.
func TestLeftIsClosed(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	c := h.connect(t)
	natstest.Eventually(t, "no reader", func() bool { _, left := h.edge.Left(); return left == 1 })
	h.edge.Break()
	c.wantCut()
	natstest.Eventually(t, "forgotten", func() bool { conns, _ := h.edge.Left(); return conns == 0 })
}
