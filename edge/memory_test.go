package edge_test

import (
	"math"
	"testing"
)

// An edge that is short of memory takes nobody new, and goes on serving those it has.
func TestShortOfMemory(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	h.edge.Remember(math.MaxInt64 - 1)
	h.connect(t).quiet()
	h.edge.Remember(1 << 10)
	h.connect(t).wantEnd()
	ann.send("hi")
	ann.want("ann: hi")
	if got := h.metric(t, "hall_edge_refused_connections_total"); got != 1 {
		t.Errorf("%d were refused, want 1", got)
	}
	h.edge.Remember(math.MaxInt64 - 1)
	h.connect(t).quiet()
}
