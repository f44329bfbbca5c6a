package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/accountapi"
	"gamehall/shared/bus"
	"gamehall/shared/session"
	"gamehall/shared/storage"
	"gamehall/shared/streams"
)

// Config says how to run the service. The zero Config is good for one machine.
type Config struct {
	NATS     bus.Dialer
	Replicas int              // of streams and buckets; default 1
	DB       string           // postgres://…, which all copies share; default "sqlite": account.db in Data
	Data     string           // folder of account.db, which all copies share; default "data"
	Bare     bool             // accept a command without Hall-Session for a user who is signed in
	Log      *slog.Logger     // default slog.Default
	Now      func() time.Time // default time.Now

	// Sessions is a directory that the services of a process share; nil opens its own.
	Sessions *session.Directory
}

// Service is a running copy of the service.
type Service struct {
	host     *session.Host
	bus      *bus.Service
	js       jetstream.JetStream
	sessions *session.Directory
	store    *store
	watch    stopwatch
	acked    atomic.Uint64 // what the lobby has up to here is stored
	log      *slog.Logger

	behind context.CancelFunc // ends the goroutines behind the service
	ended  sync.WaitGroup     // they have ended

	compared chan struct{} // closed once the bucket was compared, which a test waits for
}

// Run serves until ctx ends, then answers what it already accepted.
func Run(ctx context.Context, cfg Config) error {
	s, err := Start(ctx, cfg)
	if err != nil {
		return err
	}
	return bus.ServeUntil(ctx, s.Stop)
}

// Start returns once every method is served. It waits for an absent NATS, and a Postgres that
// does not answer, until ctx ends, and fails at once when the database cannot be used. Who called stops the service.
func Start(ctx context.Context, cfg Config) (*Service, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Data == "" {
		cfg.Data = "data"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Service{watch: stopwatch{now: cfg.Now}, log: cfg.Log.With("service", "account"), behind: func() {}, compared: make(chan struct{})}
	if err := s.start(ctx, cfg); err != nil {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), bus.DrainFor)
		defer cancel()
		return nil, errors.Join(fmt.Errorf("start account: %w", err), s.Stop(stopping))
	}
	return s, nil
}

func (s *Service) start(ctx context.Context, cfg Config) (err error) {
	at, err := storage.At(cfg.DB, cfg.Data, "account")
	if err != nil {
		return err
	}
	if s.store, err = openStore(ctx, at, s.log); err != nil {
		return err
	}
	s.host, err = session.Serve(ctx, bus.Config{
		Name:        "account",
		Description: "online time, who is here",
		Dialer:      cfg.NATS,
		Log:         cfg.Log,
	}, session.Options{Bare: cfg.Bare, Sessions: cfg.Sessions, Kept: streams.Options{Replicas: cfg.Replicas}})
	if err != nil {
		return err
	}
	s.bus, s.js, s.sessions = s.host.Bus, s.host.JS, s.host.Sessions
	// The consumer stands before the service does, so that no later event is missed.
	if err := streams.Retry(ctx, func(ctx context.Context) error {
		_, err := s.consumer(ctx)
		return err
	}); err != nil {
		return err
	}
	behind, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.behind = cancel
	s.run(behind, "the lobby is followed again", s.follow)
	s.run(behind, "the edges' leases are watched again", s.watchLeases)
	s.run(behind, "open sessions are compared again", func(ctx context.Context) error {
		err := s.reconcile(ctx)
		if err == nil {
			close(s.compared)
		}
		return err
	})
	s.run(behind, "running sessions are looked at again", s.keepLooking)
	s.run(behind, "rows are deleted", s.keepPruned)
	return errors.Join(
		bus.Handle(s.bus, accountapi.OnlineTime, s.onlineTime, bus.Reads()),
		bus.Handle(s.bus, accountapi.Who, s.who, bus.Reads()),
		s.bus.Ready(ctx),
	)
}

// againAfter is how long a part behind the service waits after it failed.
const againAfter = time.Second

// run keeps do going in a goroutine until it succeeds or ctx ends.
func (s *Service) run(ctx context.Context, again string, do func(context.Context) error) {
	s.ended.Go(func() {
		for ctx.Err() == nil {
			err := do(ctx)
			if err == nil || ctx.Err() != nil {
				return
			}
			s.log.Warn("behind", "next", again, "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(againAfter):
			}
		}
	})
}

// Failed gives the reason once the service has stopped serving by itself: it is to be stopped,
// and started anew.
func (s *Service) Failed() <-chan error { return s.host.Failed() }

// Stop takes no more, writes what it had fetched, answers the commands that it had, and
// closes the database. When ctx ends first, commands are cut off and Stop says so.
func (s *Service) Stop(ctx context.Context) error {
	s.behind()
	s.ended.Wait()
	err := s.host.Stop(ctx)
	if s.store != nil {
		err = errors.Join(err, s.store.close())
	}
	return err
}
