package edge_test

import (
	"context"
	"testing"
	"time"

	"gamehall/edge"
	"gamehall/shared/natstest"
)

// presence waits for what auth is told next.
func (h *hall) presence(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-h.away:
		if got != want {
			t.Fatalf("auth was told %q, want %q", got, want)
		}
	case <-natstest.Context(t).Done():
		t.Fatalf("auth was not told %q", want)
	}
}

// A session without a command is away, alive again before its next command is carried out,
// and closed when it was away for long.
func TestAway(t *testing.T) {
	t.Parallel()
	n := &neighbours{}
	order := make(chan string, 10)
	n.onSay = func(context.Context, string) error {
		select {
		case got := <-n.away:
			order <- got
		default:
			order <- "nothing"
		}
		return nil
	}
	h := startWith(t, n, func(cfg *edge.Config) { cfg.AwayAfter, cfg.IdleAfter = time.Second/2, time.Second })
	ann := h.signIn(t, "ann")
	begun := time.Now()
	h.presence(t, "ann away")
	if took := time.Since(begun); took < 400*time.Millisecond {
		t.Errorf("away after %v, want %v", took, time.Second/2)
	}
	ann.send("back")
	ann.want("ann: back")
	if got := <-order; got != "ann alive" {
		t.Errorf("auth was told %s before the command", got)
	}
	begun = time.Now()
	h.presence(t, "ann away")
	ann.want("system: closed, nothing was typed for too long")
	ann.wantCleanEnd()
	h.ended(t, "ann")
	if took := time.Since(begun); took < 1300*time.Millisecond {
		t.Errorf("closed after %v, want %v", took, 1500*time.Millisecond)
	}
}

// Neither ever, by default.
func TestNeverAway(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	h.edge.Sweep(time.Now().Add(1000 * time.Hour))
	ann.quiet()
	if len(h.away) != 0 {
		t.Errorf("auth was told %q", <-h.away)
	}
}
