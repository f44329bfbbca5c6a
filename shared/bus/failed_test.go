package bus_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"gamehall/shared/bus"
	"gamehall/shared/natstest"
)

// A service that ends by itself says so, and why; one that was stopped does not.
func TestFailed(t *testing.T) {
	t.Parallel()
	for what, end := range map[string]func(*bus.Service){
		"endpoints that ended":         func(s *bus.Service) { s.EndMicro() },
		"a connection that was closed": func(s *bus.Service) { s.Conn().Close() },
		"stopped":                      nil,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			p := serve(t, natstest.Run(t), bus.Config{}, repeat)
			if end == nil {
				if err := p.Stop(natstest.Context(t)); err != nil {
					t.Fatal(err)
				}
				select {
				case err := <-p.Failed():
					t.Errorf("it failed by being stopped: %v", err)
				default:
				}
				return
			}
			end(p.Service)
			select {
			case err := <-p.Failed():
				if err == nil || !strings.Contains(err.Error(), "test serves no more") {
					t.Errorf("it failed by %v", err)
				}
			case <-natstest.Context(t).Done():
				t.Error("nobody is told that it failed")
			}
		})
	}
}

// A service that may not hear what it is asked does not start: it would be deaf for ever.
func TestReadyNeedsToHear(t *testing.T) {
	t.Parallel()
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
		Users: []*server.User{{Username: "deaf", Password: "x", Permissions: &server.Permissions{
			Subscribe: &server.SubjectPermission{Deny: []string{string(greet)}},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	defer func() { srv.Shutdown(); srv.WaitForShutdown() }()
	if !srv.ReadyForConnections(natstest.Wait) {
		t.Fatal("nats is not ready")
	}
	dialer := bus.Dialer{URL: srv.ClientURL(), Log: natstest.Quiet(), Options: []nats.Option{nats.UserInfo("deaf", "x")}}
	svc, err := bus.NewService(natstest.Context(t), bus.Config{Name: "test", Dialer: dialer, Log: natstest.Quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if err := bus.Handle(svc, greet, repeat, bus.Anyone()); err != nil {
		t.Fatal(err)
	}
	if err := svc.Ready(natstest.Context(t)); !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("ready: %v, want a permissions violation", err)
	}
	if err := svc.Stop(natstest.Context(t)); err != nil {
		t.Error(err)
	}
}
