package natstest

import (
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/streams"
)

// Server is an embedded NATS server. It gives in-process connections to whatever runs at
// the moment, so that its clients reconnect after [Server.Restart]. Its methods may be
// called from several goroutines.
type Server struct {
	mu   sync.Mutex
	opts server.Options
	srv  *server.Server // nil while stopped
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
	s := Absent(t)
	s.Start(t)
	return s
}

// Absent is a server that has not started: who connects to it waits for [Server.Start].
func Absent(t testing.TB) *Server {
	t.Helper()
	s := &Server{opts: server.Options{
		DontListen: true,
		JetStream:  true,
		StoreDir:   t.TempDir(),
		NoLog:      true,
		NoSigs:     true,
	}}
	t.Cleanup(s.shutdown)
	return s
}

// Start starts a server that is stopped, on the store that it had.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	srv, err := s.launch()
	if err != nil {
		t.Fatalf("start nats: %v", err)
	}
	if !srv.ReadyForConnections(Wait) {
		t.Fatal("nats is not ready")
	}
}

// launch starts the server and does not wait until it is ready.
func (s *Server) launch() (*server.Server, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.srv != nil {
		return nil, errors.New("it runs already")
	}
	opts := s.opts // the server writes into its options
	srv, err := server.NewServer(&opts)
	if err != nil {
		return nil, err
	}
	srv.Start()
	s.srv = srv
	return srv, nil
}

// Stop stops the server and keeps its store. Its clients' connections are cut.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.shutdown()
}

func (s *Server) shutdown() {
	s.mu.Lock()
	srv := s.srv
	s.srv = nil
	s.mu.Unlock()
	if srv != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
	}
}

// Restart stops the server and starts it on the same store.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop(t)
	s.Start(t)
}

// InProcessConn connects to the server, or fails while it is stopped. It makes Server a
// [nats.InProcessConnProvider].
func (s *Server) InProcessConn() (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.srv == nil {
		return nil, errors.New("the server is stopped")
	}
	return s.srv.InProcessConn()
}

// Dialer connects to the server.
func (s *Server) Dialer() bus.Dialer {
	return bus.Dialer{InProcess: s, Log: Quiet()}
}

// Connect gives a connection that ends with the test.
func (s *Server) Connect(t testing.TB) *nats.Conn {
	t.Helper()
	return connect(t, s.Dialer())
}

func connect(t testing.TB, d bus.Dialer) *nats.Conn {
	t.Helper()
	nc, err := d.Connect("test")
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
	return jetStream(t, s.Connect(t))
}

func jetStream(t testing.TB, nc *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatalf("jetstream: %v", err)
	}
	return js
}
