package room

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gamehall/shared/bus"
	"gamehall/shared/roomapi"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// serviceName is the micro service's name, and that of its durable consumer.
const serviceName = "room"

// EmptyAfter is how long a room stays when its last member has left: DESIGN's 60 s, in which
// who lost a connection comes back to the same room.
const EmptyAfter = time.Minute

// Config says how the service runs. Only NATS is needed; a zero field has its default.
type Config struct {
	NATS       bus.Dialer
	Replicas   int           // of the stream and the buckets; default 1
	KeptFor    time.Duration // of the stream's events; default streams.KeptFor
	EmptyAfter time.Duration // an empty room is removed after it; default [EmptyAfter]
	Bare       bool          // accept a command without Hall-Session for a user who is signed in
	Log        *slog.Logger  // default slog.Default
	Now        func() time.Time

	// Sessions is a directory that the services of a process share; nil opens its own.
	Sessions *session.Directory
}

func (c Config) withDefaults() Config {
	if c.KeptFor == 0 {
		c.KeptFor = streams.KeptFor
	}
	if c.EmptyAfter == 0 {
		c.EmptyAfter = EmptyAfter
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Service is one copy of the service.
type Service struct {
	cfg                    Config
	log                    *slog.Logger
	host                   *session.Host
	bus                    *bus.Service
	dir                    *session.Directory
	mirror                 *mirror
	store                  *store
	untold                 chan entering
	keeping                sync.WaitGroup // the keeper, who hears the lobby, and who tells edges; ended by endKeeping
	reading                sync.WaitGroup // who feeds the mirror; ended by endReading
	endKeeping, endReading context.CancelFunc
}

// Start serves, and returns once every endpoint is known to NATS. It waits for NATS and
// JetStream until ctx ends. Who called stops the service.
func Start(ctx context.Context, cfg Config) (*Service, error) {
	cfg = cfg.withDefaults()
	s := &Service{cfg: cfg, log: cfg.Log.With("service", serviceName), mirror: newMirror(), untold: make(chan entering, untoldMost)}
	keeping, cancelKeeping := context.WithCancel(context.WithoutCancel(ctx))
	reading, cancelReading := context.WithCancel(context.WithoutCancel(ctx))
	s.endKeeping, s.endReading = cancelKeeping, cancelReading
	if err := s.start(ctx, keeping, reading); err != nil {
		return nil, errors.Join(fmt.Errorf("start room: %w", err), s.Stop(ctx))
	}
	return s, nil
}

// start does the rest of Start. keeping and reading are the contexts of what goes on after it.
func (s *Service) start(ctx, keeping, reading context.Context) error {
	var err error
	s.host, err = session.Serve(ctx, bus.Config{
		Name:        serviceName,
		Description: "rooms: create, join, quit, room lines",
		Dialer:      s.cfg.NATS,
		Log:         s.cfg.Log,
	}, session.Options{Bare: s.cfg.Bare, Sessions: s.cfg.Sessions, Kept: streams.Options{Replicas: s.cfg.Replicas, KeptFor: s.cfg.KeptFor}})
	if err != nil {
		return err
	}
	s.bus, s.dir = s.host.Bus, s.host.Sessions
	s.store = newStore(s.host.JS, s.mirror, s.log, s.cfg.Now)
	s.reading.Go(func() { s.store.follow(reading) })
	select {
	case <-s.mirror.loaded:
	case <-ctx.Done():
		return outOfTime()
	}
	// The consumer comes before the first look of the keeper: what ends between the two is heard.
	if _, err = s.store.lobby(ctx); err != nil {
		return err
	}
	s.keeping.Go(func() { s.store.leavings(keeping, s.dir.Changed, s.sessionEnded) })
	s.keeping.Go(func() { s.keep(keeping) })
	s.keeping.Go(func() { s.tellAgain(keeping) })
	err = errors.Join(
		bus.Handle(s.bus, roomapi.Create, s.create),
		bus.Handle(s.bus, roomapi.Join, s.join),
		bus.Handle(s.bus, roomapi.Quit, s.quit),
		bus.Handle(s.bus, roomapi.Say, s.say),
		bus.Handle(s.bus, roomapi.List, s.list, bus.Reads()),
		bus.Handle(s.bus, roomapi.Members, s.members, bus.Reads()),
	)
	if err != nil {
		return err
	}
	return s.bus.Ready(ctx)
}

// Failed gives the reason once the service has stopped serving by itself: it is to be stopped,
// and started anew.
func (s *Service) Failed() <-chan error { return s.host.Failed() }

// Stop answers what was accepted, until ctx ends, and closes everything.
func (s *Service) Stop(ctx context.Context) error {
	s.endKeeping()
	s.keeping.Wait()
	err := s.host.Stop(ctx) // the mirror still serves what is answered meanwhile
	s.endReading()
	s.reading.Wait()
	return err
}

// Run serves until ctx ends, then answers what it already accepted.
func Run(ctx context.Context, cfg Config) error {
	s, err := Start(ctx, cfg)
	if err != nil {
		return err
	}
	return bus.ServeUntil(ctx, s.Stop)
}
