package natstest

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/name"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// Wait bounds every wait of a test; only a test that fails waits so long.
const Wait = 20 * time.Second

// Server is an embedded NATS server.
type Server struct {
	srv *server.Server
}

// Run starts a server with JetStream and everything that streams.Ensure declares.
func Run(t testing.TB) *Server {
	t.Helper()
	s := RunBare(t)
	if err := streams.Ensure(Context(t), s.JetStream(t), streams.Options{}); err != nil {
		t.Fatalf("ensure streams: %v", err)
	}
	return s
}

// RunBare starts a server with JetStream and nothing in it.
func RunBare(t testing.TB) *Server {
	t.Helper()
	srv, err := server.NewServer(&server.Options{
		DontListen: true,
		JetStream:  true,
		StoreDir:   t.TempDir(),
		NoLog:      true,
		NoSigs:     true,
	})
	if err != nil {
		t.Fatalf("start nats: %v", err)
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	if !srv.ReadyForConnections(Wait) {
		t.Fatal("nats is not ready")
	}
	return &Server{srv: srv}
}

// Dialer connects to the server.
func (s *Server) Dialer() bus.Dialer {
	return bus.Dialer{InProcess: s.srv, Log: Quiet()}
}

// Connect gives a connection that ends with the test.
func (s *Server) Connect(t testing.TB) *nats.Conn {
	t.Helper()
	nc, err := s.Dialer().Connect("test")
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(nc.Close)
	if err := bus.WaitConnected(Context(t), nc); err != nil {
		t.Fatalf("connect: %v", err)
	}
	return nc
}

// JetStream gives JetStream on a connection of its own.
func (s *Server) JetStream(t testing.TB) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(s.Connect(t))
	if err != nil {
		t.Fatalf("jetstream: %v", err)
	}
	return js
}

// Context ends with the test, or after [Wait].
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Wait)
	t.Cleanup(cancel)
	return ctx
}

// Quiet logs nothing.
func Quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

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
	r := session.Record{
		User: user, UserID: name.UserID(user), Session: bus.NewID(), State: session.Alive,
		Since: time.Now().UTC(), Edge: edge, Conn: bus.NewID(), Command: bus.NewID(),
	}
	s.put(t, &r)
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

func (s *Server) put(t testing.TB, r *session.Record) {
	t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatalf("sign %s in: %v", r.User, err)
	}
	kv, err := s.JetStream(t).KeyValue(Context(t), streams.Sessions)
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
