package edge_test

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

const unavailable = "system: the hall cannot serve you right now, please connect again in a moment"

// comesBack waits until the edge has another id, and signs user in under it.
func (h *hall) comesBack(t *testing.T, old, user string) {
	t.Helper()
	natstest.Eventually(t, "another id", func() bool { return h.edge.ID() != old })
	kv, err := h.js.KeyValue(natstest.Context(t), streams.Edges)
	if err != nil {
		t.Fatal(err)
	}
	natstest.Eventually(t, "the end of the former lease", func() bool {
		_, err := kv.Get(natstest.Context(t), old)
		return errors.Is(err, jetstream.ErrKeyNotFound)
	})
	if got := h.record(t, user).Edge; got != old {
		t.Fatalf("the old session is at %s, want %s", got, old)
	}
	c := h.signIn(t, user)
	if got := h.record(t, user).Edge; got != h.edge.ID() {
		t.Errorf("the session is at %s, want the new id %s", got, h.edge.ID())
	}
	c.send("hi")
	for c.line() != user+": hi" { // what its old session left behind comes before
	}
}

// An edge whose lease is gone, or somebody else's, lets go of its sessions, and goes on
// under another id.
func TestLeaseLost(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"deleted", "overwritten"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			h := start(t, nil)
			ann, stranger := h.signIn(t, "ann"), h.connect(t)
			old := h.edge.ID()
			kv, err := h.js.KeyValue(natstest.Context(t), streams.Edges)
			if err != nil {
				t.Fatal(err)
			}
			if how == "deleted" {
				err = kv.Delete(natstest.Context(t), old)
			} else {
				_, err = kv.Put(natstest.Context(t), old, []byte(`{"edge":"another"}`))
			}
			if err != nil {
				t.Fatal(err)
			}
			ann.want(unavailable)
			ann.wantCleanEnd()
			h.comesBack(t, old, "ann")
			stranger.quiet() // who had no session keeps the connection
			if got := h.metric(t, "hall_edge_fenced_total"); got != 1 {
				t.Errorf("fenced %d times, want 1", got)
			}
		})
	}
}

// An edge that could not renew its lease for too long lets go of its sessions by itself.
func TestLeaseNotRenewed(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	old := h.edge.ID()
	h.edge.AgeLease(20 * time.Second)
	ann.want(unavailable)
	ann.wantCleanEnd()
	h.comesBack(t, old, "ann")
}

// After a pause the lease is looked at before the next command is served.
func TestPausedEdgeServesNothing(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	h.edge.AgeLease(20 * time.Second)
	ann.send("not to be said")
	ann.want(unavailable)
	ann.wantCleanEnd()
	last, found, err := streams.Last(natstest.Context(t), h.js, streams.Events, streams.Subject(streams.LobbyChannel))
	if err != nil || !found {
		t.Fatalf("the lobby's last event: %v", err)
	}
	if e, err := last.Decode("", 0); err != nil || e.Text != "" {
		t.Errorf("%q was said, %v", e.Text, err)
	}
}

// Without a lease nobody is let in: the connection is closed at once, and readiness says so.
func TestNoLeaseNoConnections(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.ns.Stop(t)
	h.edge.AgeLease(20 * time.Second)
	h.connect(t).wantEnd()
	if got := h.get(t, "/readyz"); got != 503 {
		t.Errorf("/readyz is %d, want 503", got)
	}
	if got := h.get(t, "/healthz"); got != 200 {
		t.Errorf("/healthz is %d, want 200", got)
	}
	h.ns.Start(t)
	natstest.Eventually(t, "readiness", func() bool { return h.get(t, "/readyz") == 200 })
	h.signIn(t, "ann")
}
