package chat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// workers is how many commands are carried out side by side. Most of them wait for the disk,
// and the more of them wait the more lines share its sync.
const workers = 256

// Config says how to run the service. The zero Config is good for one machine.
type Config struct {
	NATS     bus.Dialer
	Replicas int          // of streams and buckets; default 1
	Bare     bool         // accept a command without Hall-Session for a user who is signed in
	Log      *slog.Logger // default slog.Default

	// trust is how long a check of the caller's session is good for; tests shorten it.
	trust time.Duration

	// Sessions is a directory that the services of a process share; nil opens its own.
	Sessions *session.Directory
}

// Service is a running copy of the service.
type Service struct {
	host       *session.Host
	bus        *bus.Service
	js         jetstream.JetStream
	edges      jetstream.KeyValue // the edges' leases
	sessions   *session.Directory
	deliveries *deliveries
	lines      *streams.Appender
	trust      time.Duration
	log        *slog.Logger
	poison     sync.Map // sequences of events that cannot be read and were told
}

// Run serves until ctx ends, then answers what it already accepted.
func Run(ctx context.Context, cfg Config) error {
	s, err := Start(ctx, cfg)
	if err != nil {
		return err
	}
	return bus.ServeUntil(ctx, s.Stop)
}

// Start returns once every method is served. It waits for an absent NATS until ctx ends.
// Who called stops the service.
func Start(ctx context.Context, cfg Config) (*Service, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.trust == 0 {
		cfg.trust = trustFor
	}
	s := &Service{trust: cfg.trust, log: cfg.Log.With("service", "chat")}
	if err := s.serve(ctx, cfg); err != nil {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), bus.DrainFor)
		defer cancel()
		return nil, errors.Join(fmt.Errorf("start chat: %w", err), s.Stop(stopping))
	}
	return s, nil
}

func (s *Service) serve(ctx context.Context, cfg Config) (err error) {
	s.host, err = session.Serve(ctx, bus.Config{
		Name:        "chat",
		Description: "lobby lines, whispers, history",
		Workers:     workers,
		Dialer:      cfg.NATS,
		Log:         cfg.Log,
	}, session.Options{Bare: cfg.Bare, Sessions: cfg.Sessions, Kept: streams.Options{Replicas: cfg.Replicas}})
	if err != nil {
		return err
	}
	s.bus, s.js, s.sessions = s.host.Bus, s.host.JS, s.host.Sessions
	s.lines = streams.NewAppender(s.js, cfg.Replicas)
	if s.edges, err = s.js.KeyValue(ctx, streams.Edges); err != nil {
		return fmt.Errorf("open leases: %w", err)
	}
	if s.deliveries, err = openDeliveries(ctx, s.js); err != nil {
		return err
	}
	return errors.Join(
		bus.Handle(s.bus, chatapi.Say, s.say),
		bus.Handle(s.bus, chatapi.Whisper, s.whisper),
		bus.Handle(s.bus, chatapi.History, s.history, bus.Reads()),
		s.bus.Ready(ctx),
	)
}

// Failed gives the reason once the service has stopped serving by itself: it is to be stopped,
// and started anew.
func (s *Service) Failed() <-chan error { return s.host.Failed() }

// Stop takes no more commands and answers those that it had. When ctx ends first they are
// cut off, and Stop says so.
func (s *Service) Stop(ctx context.Context) error { return s.host.Stop(ctx) }
