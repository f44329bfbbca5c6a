package bus_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"gamehall/shared/bus"
	"gamehall/shared/natstest"
)

// A service that stood still for a minute carries out nothing that may have waited for as
// long, says nothing to whoever sent it, and serves who asks again a moment later. Reading is
// safe at any time.
func TestServiceThatStoodStill(t *testing.T) {
	t.Parallel()
	var done atomic.Int64
	p := serve(t, natstest.RunBare(t), bus.Config{}, func(_ context.Context, r echoRequest) (echoResponse, error) {
		done.Add(1)
		return echoResponse{Text: r.Text}, nil
	})
	nc := p.ns.Connect(t)
	if err := nc.PublishMsg(message(string(echo), `{"text":"before"}`)); err != nil {
		t.Fatal(err)
	}
	natstest.Eventually(t, "it serves", func() bool { return done.Load() == 1 })
	p.Slept(time.Minute)
	if err := nc.PublishMsg(message(string(echo), `{"text":"of long ago"}`)); err != nil {
		t.Fatal(err)
	}
	ctx := bus.AsSession(natstest.Context(t), "ann", "s1")
	if _, err := look.Call(ctx, nc, echoRequest{Text: "read"}); err != nil {
		t.Errorf("reading: %v", err)
	}
	if got := done.Load(); got != 2 {
		t.Errorf("%d were carried out, want the one before and the read", got)
	}
	begun := time.Now()
	if got, err := echo.Call(ctx, nc, echoRequest{Text: "again"}); err != nil || got.Text != "again" {
		t.Errorf("asking again: %+v, %v", got, err)
	}
	if took := time.Since(begun); took < time.Second || took > 8*time.Second {
		t.Errorf("it was answered after %v, want some 3 s", took)
	}
	if got := done.Load(); got != 3 {
		t.Errorf("%d were carried out, want 3", got)
	}
}
