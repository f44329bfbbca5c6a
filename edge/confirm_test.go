package edge_test

import (
	"context"
	"testing"

	"gamehall/edge"
	"gamehall/shared/natstest"
)

// TestOldSessionGetsNoAnswer: a command that was under way for long while its session was taken
// over elsewhere is not answered with ok: its edge asks first.
func TestOldSessionGetsNoAnswer(t *testing.T) {
	t.Parallel()
	n := &neighbours{}
	h := startWith(t, n, edge.ConfirmAll)
	ann, bob := h.signIn(t, "ann"), h.signIn(t, "bob")
	ann.want("system: bob joined the hall")
	n.onSay = func(_ context.Context, text string) error {
		if text == "taken" {
			return n.kv.Delete(natstest.Context(t), h.record(t, "ann").UserID)
		}
		return nil
	}
	bob.send("still bob's")
	bob.want("bob: still bob's")
	ann.want("bob: still bob's")
	ann.send("taken")
	ann.wantCut()
}
