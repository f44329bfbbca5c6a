package bus_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"gamehall/shared/bus"
	"gamehall/shared/natstest"
)

// What waits for an answer learns that the server is lost, and then that there is one again.
// What is asked over another connection goes on.
func TestWhile(t *testing.T) {
	t.Parallel()
	ns, other := natstest.RunBare(t), natstest.RunBare(t)
	nc := ns.Connect(t)
	ctx := natstest.Context(t)
	if bus.Back(nc) != nil {
		t.Error("nothing was lost, and yet it is to come back")
	}
	waiting, ended := make(chan struct{}, 2), make(chan error, 2)
	wait := func(ctx context.Context) error {
		waiting <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	unharmed, stop := context.WithCancel(ctx)
	defer stop()
	elsewhere := other.Connect(t)
	go func() { ended <- bus.While(unharmed, elsewhere, 0, wait) }()
	<-waiting
	done := make(chan error, 1)
	go func() { done <- bus.While(ctx, nc, 0, wait) }()
	<-waiting
	ns.Stop(t)
	if err := within(t, "the end of an attempt", done); !errors.Is(err, nats.ErrDisconnected) {
		t.Errorf("the server is lost: %v", err)
	}
	back := bus.Back(nc)
	if back == nil {
		t.Fatal("it is not known that there is no server")
	}
	// Without a server an attempt is not ended before it has begun: it finds that out itself.
	if err := bus.While(ctx, nc, 0, func(ctx context.Context) error {
		_, err := nc.RequestWithContext(ctx, "anything", nil)
		return err
	}); !errors.Is(err, nats.ErrReconnectBufExceeded) {
		t.Errorf("asked without a server: %v", err)
	}
	ns.Start(t)
	within(t, "a server again", back)
	if bus.Back(nc) != nil {
		t.Error("it is back, and yet it is to come back")
	}
	stop()
	if err := within(t, "the end of what asks elsewhere", ended); !errors.Is(err, context.Canceled) {
		t.Errorf("over another connection: %v", err)
	}
	if err := bus.While(ctx, nc, time.Millisecond, func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after its time: %v", err)
	}
	// Who found out something finds it out, server or not.
	found := errors.New("found")
	if err := bus.While(ctx, nc, 0, func(context.Context) error { return found }); !errors.Is(err, found) {
		t.Errorf("what was found: %v", err)
	}
}

// A call whose server dies with the answer asks again as soon as there is a server, and not
// after the time of its attempt.
func TestCallLosesItsServer(t *testing.T) {
	t.Parallel()
	ns := natstest.RunBare(t)
	nc := ns.Connect(t)
	heard := make(chan *nats.Msg, 8)
	played(t, ns.Connect(t), func(n int, m *nats.Msg) *nats.Msg {
		heard <- m
		if n == 1 {
			return nil
		}
		return &nats.Msg{Data: []byte(`{"text":"hi"}`)}
	})
	done := make(chan error, 1)
	go func() {
		_, err := echo.Call(natstest.Context(t), nc, echoRequest{Text: "hi"}, bus.Attempt(time.Hour))
		done <- err
	}()
	first := within(t, "the first attempt", heard)
	ns.Restart(t)
	second := within(t, "the second attempt", heard)
	if a, b := first.Header.Get(bus.HeaderCommandID), second.Header.Get(bus.HeaderCommandID); a != b {
		t.Errorf("command %q became %q", a, b)
	}
	if err := within(t, "the answer", done); err != nil {
		t.Error(err)
	}
}

// gate lets connections through to a server, or refuses them.
type gate struct {
	ns      *natstest.Server
	shut    atomic.Bool
	refused atomic.Int64
}

func (g *gate) InProcessConn() (net.Conn, error) {
	if g.shut.Load() {
		g.refused.Add(1)
		return nil, errors.New("shut")
	}
	return g.ns.InProcessConn()
}

// What is done while there is no server is answered when there is one.
func TestAnswerWaitsForAServer(t *testing.T) {
	t.Parallel()
	ns := natstest.RunBare(t)
	g := &gate{ns: ns}
	svc, err := bus.NewService(natstest.Context(t), bus.Config{
		Name: "test", Dialer: bus.Dialer{InProcess: g, Log: natstest.Quiet()}, Log: natstest.Quiet(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = svc.Stop(context.WithoutCancel(t.Context())) })
	begun, goOn := make(chan struct{}), make(chan struct{})
	err = bus.Handle(svc, greet, func(_ context.Context, r echoRequest) (echoResponse, error) {
		close(begun)
		<-goOn
		return echoResponse{Text: r.Text}, nil
	}, bus.Anyone())
	if err := errors.Join(err, svc.Ready(natstest.Context(t))); err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	nc := ns.Connect(t)
	go func() {
		// One attempt, so that what is heard is its answer.
		_, err := nc.RequestMsgWithContext(natstest.Context(t), message(string(greet), `{"text":"hi"}`))
		answered <- err
	}()
	within(t, "the handler", begun)
	g.shut.Store(true)
	if err := svc.Conn().ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	natstest.Eventually(t, "the answer waits", func() bool { return g.refused.Load() >= 3 })
	g.shut.Store(false)
	if err := within(t, "the answer", answered); err != nil {
		t.Error(err)
	}
}
