package edge_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/edge"
	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
)

// slow is what a player hears while a command is tried again.
const slow = "system: the hall is slow, still trying"

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
	n.onAsked = func(ctx context.Context) error { // the record, as auth does: the mirror may be behind
		_, err := n.kv.Get(ctx, bus.Caller(ctx).ID)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			return fault.New(fault.NotSignedIn, "please sign in first")
		}
		return err
	}
	bob.send("still bob's")
	bob.want("bob: still bob's")
	ann.want("bob: still bob's")
	ann.send("taken")
	ann.wantCut()
}

// TestConfirmedLater: a copy of auth that is asked whether a session still stands, and is frozen
// or waits for its store, costs the command its time and not its answer: others are asked again.
func TestConfirmedLater(t *testing.T) {
	t.Parallel()
	n := &neighbours{}
	h := startWith(t, n, edge.ConfirmAll)
	ann := h.signIn(t, "ann")
	var asked atomic.Int32
	n.onAsked = func(ctx context.Context) error {
		if asked.Add(1) > 3 {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}
	ann.send("hi")
	ann.want("ann: hi")
	ann.send("there")
	for _, want := range []string{slow, "ann: there"} { // and no "try again"
		ann.want(want)
	}
}
