package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/session"
	"gamehall/shared/storage"
	"gamehall/shared/streams"
)

// commandsMost is how many commands are taken at a time, each with a goroutine of its own:
// those from trusted addresses wait long for a hash, and nobody shall wait behind them. It
// is above the 10,000 clients that come back at once.
const commandsMost = 16384

// Config is how auth runs. The zero Config serves nats://127.0.0.1:4222 from data/auth.db.
type Config struct {
	NATS     bus.Dialer
	Replicas int          // of streams and buckets; default 1
	DB       string       // postgres://…, which copies may share; default "sqlite": auth.db in Data
	Data     string       // folder of auth.db, made if it is missing; default "data"
	Bare     bool         // a user who is signed in needs no Hall-Session, a sign-in no edge
	Log      *slog.Logger // default slog.Default

	PasswordMin  int           // code points of a new password; default 8
	PasswordHash string        // argon2id's cost; default [DefaultHash]
	Hashes       int           // hashed side by side, 1 or 2; default 2, or 1 if that takes all processors
	ReapEvery    time.Duration // between two looks for dead sessions; default 2 s
	FormerEdges  []string      // edges that died with the last run: their sessions end before being ready
	DemoAccounts []Credentials // created if they are missing; see [DemoAccounts]

	// Sessions is a directory that the services of a process share; nil opens its own.
	Sessions *session.Directory
}

// withDefaults fills in what is zero, and fails for what cannot be.
func (c Config) withDefaults() (Config, params, error) {
	if c.Data == "" {
		c.Data = "data"
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.PasswordMin == 0 {
		c.PasswordMin = passwordMin
	}
	if c.PasswordMin < 1 || c.PasswordMin > passwordMax {
		return c, params{}, fmt.Errorf("the least length of a password is %d, and must be 1 to %d", c.PasswordMin, passwordMax)
	}
	if c.PasswordHash == "" {
		c.PasswordHash = DefaultHash
	}
	if c.Hashes == 0 {
		c.Hashes = hashesDefault()
	}
	if c.Hashes < 1 || c.Hashes > hashesMost {
		return c, params{}, fmt.Errorf("%d passwords are to be hashed side by side, and must be 1 to %d", c.Hashes, hashesMost)
	}
	if c.ReapEvery <= 0 {
		c.ReapEvery = reapEvery
	}
	p, err := parseParams(c.PasswordHash)
	return c, p, err
}

// Service is auth, serving. Make it with [Start].
type Service struct {
	cfg       Config
	log       *slog.Logger
	hasher    *hasher
	accounts  *accounts
	host      *session.Host
	bus       *bus.Service
	js        jetstream.JetStream
	directory *session.Directory
	sessions  *sessions
	leases    *leases

	stopReaper context.CancelFunc
	reaper     sync.WaitGroup
}

// Run serves until ctx ends, then answers what it already accepted.
func Run(ctx context.Context, cfg Config) error {
	s, err := Start(ctx, cfg)
	if err != nil {
		return err
	}
	return bus.ServeUntil(ctx, s.Stop)
}

// Start returns once every method is served. It fails at once for a Config that cannot be
// and a database that cannot be opened (see storage.Open), and waits for NATS, and for a
// Postgres that does not answer, until ctx ends. The caller stops the Service.
func Start(ctx context.Context, cfg Config) (*Service, error) {
	cfg, p, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("start auth: %w", err)
	}
	s := &Service{
		cfg: cfg, log: cfg.Log.With("service", "auth"),
		hasher: newHasher(p, cfg.Hashes), stopReaper: func() {},
	}
	if err := s.start(ctx); err != nil {
		// Nothing was served to anybody yet, so there is next to nothing to wait for.
		soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		return nil, errors.Join(fmt.Errorf("start auth: %w", err), s.Stop(soon))
	}
	return s, nil
}

func (s *Service) start(ctx context.Context) (err error) {
	at, err := storage.At(s.cfg.DB, s.cfg.Data, "auth")
	if err != nil {
		return err
	}
	if s.accounts, err = openAccounts(ctx, at, s.log); err != nil {
		return err
	}
	if err := s.addDemo(ctx); err != nil {
		return err
	}
	s.host, err = session.Serve(ctx, bus.Config{
		Name:        "auth",
		Description: "accounts and sessions: sign up, sign in, sign out",
		Dialer:      s.cfg.NATS,
		Authorize:   s.authorize,
		Workers:     commandsMost,
		Pending:     commandsMost,
		Log:         s.cfg.Log,
	}, session.Options{Bare: s.cfg.Bare, Sessions: s.cfg.Sessions, Kept: streams.Options{Replicas: s.cfg.Replicas}})
	if err != nil {
		return err
	}
	s.bus, s.js, s.directory = s.host.Bus, s.host.JS, s.host.Sessions
	if s.sessions, err = openSessions(ctx, s.js); err != nil {
		return err
	}
	s.leases = newLeases(s.js)
	if len(s.cfg.FormerEdges) > 0 {
		if err := s.endFormer(ctx); err != nil {
			return err
		}
	}
	if err := s.serve(ctx); err != nil {
		return err
	}
	reaping, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stopReaper = stop
	s.reaper.Go(func() { (&reaper{s: s}).run(reaping, s.cfg.ReapEvery) })
	return nil
}

// serve lists the endpoints.
func (s *Service) serve(ctx context.Context) error {
	err := errors.Join(
		bus.Handle(s.bus, authapi.SignUp, s.signUp, bus.Anyone()),
		bus.Handle(s.bus, authapi.SignIn, s.signIn, bus.Anyone()),
		bus.Handle(s.bus, authapi.SignOut, s.signOut, bus.Anyone()), // it looks for itself
		bus.Handle(s.bus, authapi.Passwd, s.passwd),
		bus.Handle(s.bus, authapi.Presence, s.presence),
		bus.Handle(s.bus, authapi.Resume, s.resume, bus.Anyone()),
		bus.Handle(s.bus, authapi.Detach, s.detachCall),
	)
	if err != nil {
		return err
	}
	return s.bus.Ready(ctx)
}

// authorize finds the caller. Who named no session has none in the identity either, so that
// a method can insist on it.
func (s *Service) authorize(ctx context.Context, user, id string) (bus.Identity, error) {
	identity, err := s.directory.Authorize(s.cfg.Bare)(ctx, user, id)
	if id == "" {
		identity.Session = ""
	}
	return identity, err
}

// Failed gives the reason once the service has stopped serving by itself: it is to be stopped,
// and started anew.
func (s *Service) Failed() <-chan error { return s.host.Failed() }

// Stop answers what was accepted, until ctx ends, and closes everything. It waits for every
// goroutine.
func (s *Service) Stop(ctx context.Context) error {
	s.stopReaper()
	s.reaper.Wait()
	err := s.host.Stop(ctx)
	if s.accounts != nil {
		err = errors.Join(err, s.accounts.close())
	}
	return err
}
