package bus_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
)

// The client's defaults give up, notice late and buffer silently; ours must not.
func TestConnectionSettings(t *testing.T) {
	t.Parallel()
	nc := natstest.RunBare(t).Connect(t)
	o := nc.Opts
	if o.MaxReconnect != -1 || o.ReconnectBufSize != -1 || !o.IgnoreAuthErrorAbort || !o.RetryOnFailedConnect || !o.AllowReconnect {
		t.Errorf("it gives up or buffers: %+v", o)
	}
	if dead := o.PingInterval * time.Duration(o.MaxPingsOut+1); dead > 5*time.Second {
		t.Errorf("a dead server is noticed after %v", dead)
	}
	for attempt := range 100 {
		if d := o.CustomReconnectDelayCB(attempt); d <= 0 || d > time.Second {
			t.Errorf("attempt %d waits %v, want less than a second", attempt, d)
		}
	}
	if got := nc.NewRespInbox(); !strings.HasPrefix(got, "_INBOX_test.") {
		t.Errorf("replies come to %s, want an inbox of its class", got)
	}
}

// While NATS is away nothing is buffered: who publishes learns at once that it was not sent.
func TestNothingIsBuffered(t *testing.T) {
	t.Parallel()
	ns := natstest.RunBare(t)
	nc := ns.Connect(t)
	lost := nc.StatusChanged(nats.RECONNECTING)
	defer nc.RemoveStatusListener(lost)
	ns.Stop(t)
	within(t, "the connection is lost", lost)
	if err := nc.Publish("hall.test", []byte("x")); err == nil {
		t.Error("a publish while nats is away went well")
	}
	ns.Start(t)
	if err := bus.WaitConnected(natstest.Context(t), nc); err != nil {
		t.Fatal(err)
	}
	if err := nc.Publish("hall.test", []byte("x")); err != nil {
		t.Errorf("a publish after nats is back: %v", err)
	}
}

// Who is refused tries on, and says so once and not for each attempt; and is let in when the
// server has thought better of it.
func TestRefusedIsNotForEver(t *testing.T) {
	t.Parallel()
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, Username: "hall", Password: "right"})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	defer func() { srv.Shutdown(); srv.WaitForShutdown() }()
	if !srv.ReadyForConnections(natstest.Wait) {
		t.Fatal("nats is not ready")
	}
	var password atomic.Value
	password.Store("wrong")
	var refused atomic.Int32
	book := &logbook{}
	d := bus.Dialer{URL: srv.ClientURL(), Log: slog.New(slog.NewTextHandler(book, nil)), Options: []nats.Option{
		nats.UserInfoHandler(func() (string, string) {
			refused.Add(1)
			return "hall", password.Load().(string)
		}),
	}}
	nc, err := d.Connect("test")
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer nc.Close()
	natstest.Eventually(t, "some attempts are refused", func() bool { return refused.Load() > 4 })
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := bus.WaitConnected(short, nc); fault.CodeOf(err) != fault.Unavailable || !strings.Contains(strings.ToLower(err.Error()), "authorization") {
		t.Errorf("refused: %v, want unavailable and why", err)
	}
	if got := book.lines("WARN", "uthorization"); len(got) != 1 {
		t.Errorf("logged %d times, want once: %v", len(got), got)
	}
	password.Store("right")
	if err := bus.WaitConnected(natstest.Context(t), nc); err != nil {
		t.Errorf("let in: %v", err)
	}
}

func TestWaitConnectedOfAClosedConnection(t *testing.T) {
	t.Parallel()
	ns := natstest.RunBare(t)
	nc := ns.Connect(t)
	lost := nc.StatusChanged(nats.RECONNECTING)
	defer nc.RemoveStatusListener(lost)
	ns.Stop(t)
	within(t, "the connection is lost", lost)
	done := make(chan error)
	go func() { done <- bus.WaitConnected(t.Context(), nc) }()
	nc.Close()
	if err := within(t, "the end of the wait", done); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("closed meanwhile: %v, want unavailable", err)
	}
	if err := bus.WaitConnected(natstest.Context(t), nc); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("closed before: %v, want unavailable", err)
	}
}

func TestConnectWithABadURL(t *testing.T) {
	t.Parallel()
	d := bus.Dialer{URL: "nats://hall:hunter2@[::1", Log: natstest.Quiet()}
	nc, err := d.Connect("test")
	if err == nil {
		nc.Close()
		t.Fatal("connected to no URL")
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error tells the password: %v", err)
	}
}

// ServeUntil gives a part that was told to stop time to answer, and no more.
func TestServeUntil(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- bus.ServeUntil(ctx, func(ctx context.Context) error {
			if ctx.Err() != nil {
				t.Error("no time to stop")
			}
			if until, ok := ctx.Deadline(); !ok || time.Until(until) > bus.DrainFor {
				t.Errorf("time to stop until %v (%v)", until, ok)
			}
			return fault.New(fault.Internal, "stopped")
		})
	}()
	cancel()
	if err := within(t, "it has stopped", done); err == nil || err.Error() != "stopped" {
		t.Errorf("stop's error is %v", err)
	}
}
