package session

import (
	"context"
	"log/slog"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/streams"
)

// Shared is a directory for all services of one process, on a connection of its own: five
// mirrors would hold each session five times, and read each change of one.
type Shared struct {
	*Directory
	nc *nats.Conn
}

// Share opens it, waiting for NATS until ctx ends. Who called closes it, after the services.
func Share(ctx context.Context, dialer bus.Dialer, kept streams.Options, log *slog.Logger) (*Shared, error) {
	nc, err := dialer.Connect("auth sessions")
	if err != nil {
		return nil, err
	}
	s := &Shared{nc: nc}
	if s.Directory, err = share(ctx, nc, kept, log); err != nil {
		nc.Close()
		return nil, err
	}
	return s, nil
}

func share(ctx context.Context, nc *nats.Conn, kept streams.Options, log *slog.Logger) (*Directory, error) {
	if err := bus.WaitConnected(ctx, nc); err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	if err := streams.Ensure(ctx, js, kept); err != nil {
		return nil, err
	}
	return Open(ctx, js, log)
}

// Close ends the mirror and its connection. A Shared that was never made has nothing to close.
func (s *Shared) Close() {
	if s == nil {
		return
	}
	s.Directory.Close()
	s.nc.Close()
}
