package natstest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/name"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// Wait bounds every wait of a test; only a test that fails waits so long. Two elections of
// NATS on a busy machine fit into it.
const Wait = 40 * time.Second

// Context ends with the test, or after [Wait].
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Wait)
	t.Cleanup(cancel)
	return ctx
}

// Eventually returns once met gives true; the test fails when it never does. It is for what
// sends no message when it happens.
func Eventually(t testing.TB, what string, met func() bool) {
	t.Helper()
	deadline := time.NewTimer(Wait)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: not within %v", what, Wait)
		}
	}
}

// Quiet logs nothing.
func Quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// Answer plays a neighbour: it answers m with h until the test ends.
func Answer[Req bus.Validator, Resp any](t testing.TB, s *Server, m bus.Method[Req, Resp], h func(context.Context, Req) (Resp, error)) {
	t.Helper()
	svc, err := bus.NewService(Context(t), bus.Config{Name: "neighbour", Dialer: s.Dialer(), Hidden: true, Log: Quiet()})
	if err != nil {
		t.Fatalf("answer %s: %v", m, err)
	}
	t.Cleanup(func() {
		if err := svc.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("stop answering %s: %v", m, err)
		}
	})
	if err := bus.Handle(svc, m, h, bus.Anyone()); err != nil {
		t.Fatalf("answer %s: %v", m, err)
	}
	if err := svc.Ready(Context(t)); err != nil {
		t.Fatalf("answer %s: %v", m, err)
	}
}

// SignIn puts a live session of user on edge into the bucket, as auth would, and gives it.
// The user has no account.
func (s *Server) SignIn(t testing.TB, user, edge string) session.Record {
	t.Helper()
	return signIn(t, s.JetStream(t), user, edge)
}

func signIn(t testing.TB, js jetstream.JetStream, user, edge string) session.Record {
	t.Helper()
	user, err := name.User(user)
	if err != nil {
		t.Fatalf("sign in: %v", err)
	}
	r := session.Record{
		User: user, UserID: name.UserID(user), Session: bus.NewID(), State: session.Alive,
		Since: time.Now().UTC(), Edge: edge, Conn: bus.NewID(), Command: bus.NewID(),
	}
	put(t, js, &r)
	return r
}

// SignOut takes r's session out of the bucket, as auth would.
func (s *Server) SignOut(t testing.TB, r session.Record) {
	t.Helper()
	kv, err := s.JetStream(t).KeyValue(Context(t), streams.Sessions)
	if err != nil {
		t.Fatalf("sign %s out: %v", r.User, err)
	}
	if err := kv.Delete(Context(t), r.UserID); err != nil {
		t.Fatalf("sign %s out: %v", r.User, err)
	}
}

func put(t testing.TB, js jetstream.JetStream, r *session.Record) {
	t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatalf("sign %s in: %v", r.User, err)
	}
	kv, err := js.KeyValue(Context(t), streams.Sessions)
	if err != nil {
		t.Fatalf("sign %s in: %v", r.User, err)
	}
	if r.Revision, err = kv.Put(Context(t), r.UserID, data); err != nil {
		t.Fatalf("sign %s in: %v", r.User, err)
	}
}

// As makes calls in the name of r's session.
func As(ctx context.Context, r session.Record) context.Context {
	return bus.AsSession(ctx, r.User, r.Session)
}
