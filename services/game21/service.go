package game21

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gamehall/shared/bus"
	"gamehall/shared/game21api"
	"gamehall/shared/session"
	"gamehall/shared/storage"
	"gamehall/shared/streams"
)

// Config says how the game is played and where it is kept. The zero Config plays every full
// hour for two minutes, on NATS and in a folder of this machine.
type Config struct {
	NATS     bus.Dialer
	Replicas int          // of streams and buckets; default 1
	DB       string       // postgres://…, which copies may share; default "sqlite": game21.db in Data
	Data     string       // folder of game21.db, made if it is missing; default "data"
	Bare     bool         // accept a command without Hall-Session for a user who is signed in
	Log      *slog.Logger // default slog.Default

	Period   time.Duration  // from start to start; default 1 h
	Duration time.Duration  // of a round, less than Period; default 2 min, or half the period
	First    time.Duration  // from ready to the first round; 0: rounds start on the full period
	Zone     *time.Location // whose clocks show the full period; default UTC
	Solvable bool           // deal only hands that can make 21
	Clock    Clock          // default the machine's

	// Tests deal what they want, and fail where they want.
	deal func() (Numbers, error)
	wrap func(store) store

	// Sessions is a directory that the services of a process share; nil opens its own.
	Sessions *session.Directory
}

// The defaults of the rounds.
const (
	DefaultPeriod   = time.Hour
	DefaultDuration = 2 * time.Minute
)

func (c Config) withDefaults() (Config, error) {
	if c.Data == "" {
		c.Data = "data"
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Log = c.Log.With("service", "game21")
	if c.Period == 0 {
		c.Period = DefaultPeriod
	}
	if c.Duration == 0 {
		c.Duration = min(DefaultDuration, c.Period/2)
	}
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	if c.Clock == nil {
		c.Clock = newMachine()
	}
	if c.deal == nil {
		c.deal = func() (Numbers, error) { return Deal(rand.Reader, c.Solvable) }
	}
	switch {
	case c.Period < 0 || c.Duration < 0 || c.First < 0:
		return c, errors.New("period, duration and first must not be negative")
	case c.Duration >= c.Period:
		return c, fmt.Errorf("a round of %v does not fit into a period of %v: make the duration shorter", c.Duration, c.Period)
	}
	return c, nil
}

// Service plays the rounds and serves hall.game21.*. Make it with [Start].
type Service struct {
	host *session.Host
	bus  *bus.Service
	db   *storage.DB

	store  store
	ledger ledger
	clock  Clock
	pace   pace
	log    *slog.Logger

	runner *runner
	stop   context.CancelFunc // the runner
	done   chan struct{}      // it has ended
}

// Start returns once every endpoint is known to NATS and the rounds go on. It waits for
// NATS, and for a Postgres that does not answer, until ctx ends. It fails when a round would not fit into its period, when the
// database cannot be used (see storage.Open), or when a stream is not as it should be (see
// streams.Ensure).
func Start(ctx context.Context, cfg Config) (_ *Service, err error) {
	if cfg, err = cfg.withDefaults(); err != nil {
		return nil, fmt.Errorf("start game21: %w", err)
	}
	s := &Service{
		clock: cfg.Clock, log: cfg.Log,
		pace: pace{period: cfg.Period, duration: cfg.Duration, first: cfg.First, zone: cfg.Zone},
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start game21: %w", err), s.release(context.WithoutCancel(ctx)))
		}
	}()
	at, err := storage.At(cfg.DB, cfg.Data, "game21")
	if err != nil {
		return nil, err
	}
	if s.db, err = storage.Open(ctx, at, migrations, storage.Log(cfg.Log)); err != nil {
		return nil, err
	}
	s.ledger = ledger{s.db}
	if err := s.connect(ctx, cfg); err != nil {
		return nil, err
	}
	s.runner = newRunner(s.store, s.ledger, s.clock, s.pace, cfg.deal, s.log)
	err = errors.Join(
		bus.Handle(s.bus, game21api.Answer, s.answer),
		bus.Handle(s.bus, game21api.Status, s.status, bus.Reads()),
		bus.Handle(s.bus, game21api.Scores, s.scores, bus.Reads()),
		s.bus.Ready(ctx),
	)
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop, s.done = stop, make(chan struct{})
	go func() {
		defer close(s.done)
		s.runner.run(running)
	}()
	return s, nil
}

// connect opens what is in NATS.
func (s *Service) connect(ctx context.Context, cfg Config) error {
	var err error
	s.host, err = session.Serve(ctx, bus.Config{
		Name:        "game21",
		Description: "the game of 21: rounds for the whole hall, and their scores",
		Dialer:      cfg.NATS,
		Log:         cfg.Log,
	}, session.Options{Bare: cfg.Bare, Sessions: cfg.Sessions, Kept: streams.Options{Replicas: cfg.Replicas}})
	if err != nil {
		return err
	}
	s.bus = s.host.Bus
	err = streams.Retry(ctx, func(ctx context.Context) (err error) {
		s.store, err = openStore(ctx, s.host.JS, cfg.Log)
		return err
	})
	if err != nil {
		return err
	}
	if cfg.wrap != nil {
		s.store = cfg.wrap(s.store)
	}
	return nil
}

// Failed gives the reason once the service has stopped serving by itself: it is to be stopped,
// and started anew.
func (s *Service) Failed() <-chan error { return s.host.Failed() }

// Stop answers what was accepted and lets go of everything. A round that is open stays open:
// another copy ends it, or the next start. When ctx ends first, what is still under way is
// cut off and Stop says so.
func (s *Service) Stop(ctx context.Context) error {
	return s.release(ctx)
}

// release lets go of what there is, also of a start that failed half-way.
func (s *Service) release(ctx context.Context) error {
	if s.stop != nil {
		s.stop()
		<-s.done
	}
	err := s.host.Stop(ctx)
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
	}
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
