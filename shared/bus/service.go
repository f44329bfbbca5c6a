package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"gamehall/shared/fault"
)

// Version is what nats service info tells of every service (semantic versioning 2.0.0).
const Version = "0.1.0"

// Authorize finds who calls: the user of that name (any case) with that session. An empty
// session is what a person with the nats CLI sends. Its fault is the call's answer.
type Authorize func(ctx context.Context, user, session string) (Identity, error)

// Config says how a service is served. Name and Dialer are needed.
type Config struct {
	Name        string // the micro service's name, exactly as in the contract
	Description string
	Dialer      Dialer
	Authorize   Authorize     // needed for methods that are not for Anyone
	Hidden      bool          // plain subscriptions: not a micro service (an edge, a test's neighbour)
	Workers     int           // handlers side by side; default 64
	Pending     int           // commands taken and not yet answered; default 4096, then "busy"
	Timeout     time.Duration // of a handler whose caller sets none, in the queue too; default 15 s
	Log         *slog.Logger  // default slog.Default
}

// Service serves methods. Make it with [NewService], add methods with [Handle], call
// [Service.Ready] once, and [Service.Stop] at the end.
type Service struct {
	cfg    Config
	log    *slog.Logger
	listen *nats.Conn // only subscriptions: drained first
	nc     *nats.Conn // answers, and whatever the service itself calls
	micro  micro.Service
	pool   *pool
	memory answers
	counts sync.Map // endpoint name -> *count
	ctx    context.Context
	cancel context.CancelFunc

	pauses pauses
	behind sync.WaitGroup // the goroutine that looks for them

	stopping atomic.Bool
	failed   chan error // has room for the first reason
}

// count is what nats service stats shows beside micro's own figures, which know only how
// long a message took to hand over.
type count struct {
	done, faults, internal, busy, again atomic.Uint64
	nanos                               atomic.Uint64
}

// NewService connects and registers the service; nothing is served yet. It waits for NATS
// until ctx ends.
func NewService(ctx context.Context, cfg Config) (*Service, error) {
	if cfg.Workers == 0 {
		cfg.Workers = 64
	}
	if cfg.Pending == 0 {
		cfg.Pending = 4096
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = CallFor
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	s := &Service{cfg: cfg, log: cfg.Log.With("service", cfg.Name), pool: newPool(cfg.Workers, cfg.Pending), failed: make(chan error, 1)}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.pauses.look(time.Now())
	s.behind.Go(func() { s.pauses.run(s.ctx) })
	var err error
	if s.nc, err = cfg.Dialer.Connect(cfg.Name); err != nil {
		s.cancel()
		return nil, err
	}
	if s.listen, err = cfg.Dialer.listener().Connect(cfg.Name + " listener"); err != nil {
		s.cancel()
		s.nc.Close()
		return nil, err
	}
	for _, nc := range []*nats.Conn{s.nc, s.listen} {
		if err := WaitConnected(ctx, nc); err != nil {
			s.close()
			return nil, fmt.Errorf("start %s: %w", cfg.Name, err)
		}
		nc.SetClosedHandler(func(nc *nats.Conn) { s.fail("its connection to nats was closed", nc.LastError()) })
	}
	if cfg.Hidden {
		return s, nil
	}
	s.micro, err = micro.AddService(s.listen, micro.Config{
		Name:         cfg.Name,
		Version:      Version,
		Description:  cfg.Description,
		StatsHandler: func(e *micro.Endpoint) any { return s.stats(e.Name) },
		// Which failures end all endpoints differs between versions of micro: in some, one
		// endpoint that cannot keep up.
		DoneHandler: func(micro.Service) { s.fail("its endpoints have ended", s.listen.LastError()) },
	})
	if err != nil {
		s.close()
		return nil, fmt.Errorf("start %s: %w", cfg.Name, err)
	}
	return s, nil
}

// Conn is the connection for what the service itself calls and publishes. It is closed by
// [Service.Stop].
func (s *Service) Conn() *nats.Conn { return s.nc }

// Failed gives the reason once the service has stopped serving by itself: it has to be
// stopped, and another one started in its place. There is none when [Service.Stop] was called.
func (s *Service) Failed() <-chan error { return s.failed }

func (s *Service) fail(why string, err error) {
	if s.stopping.Load() {
		return
	}
	select {
	case s.failed <- fmt.Errorf("%s serves no more: %s (%w)", s.cfg.Name, why, err):
	default: // the first reason counts
	}
}

// Ready returns once every endpoint is known to the server, or fault.Unavailable when ctx
// ends first. That one may not be served is an error at once.
func (s *Service) Ready(ctx context.Context) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, dialTimeout)
		err := s.listen.FlushWithContext(attempt)
		cancel()
		switch {
		case err == nil:
			// What may not be subscribed was refused before that was answered; nobody would
			// ever ask a service that cannot hear.
			if err := s.listen.LastError(); errors.Is(err, nats.ErrPermissionViolation) {
				return fmt.Errorf("start %s: %w", s.cfg.Name, err)
			}
			return nil
		case ctx.Err() != nil || s.listen.IsClosed():
			return fmt.Errorf("start %s: %w", s.cfg.Name, fault.New(fault.Unavailable, "nats does not answer (%v)", err))
		}
		// What was subscribed is told again when the connection is back.
		if err := WaitConnected(ctx, s.listen); err != nil {
			return fmt.Errorf("start %s: %w", s.cfg.Name, err)
		}
	}
}

// How long Stop waits, whatever its context says, for what is nearly done.
const (
	lastAnswers = time.Second // for the answers to leave
	afterCut    = time.Second // for handlers that were cut off to notice
)

// Stop takes no more, answers what was taken, and closes the connections. When ctx ends
// first, what is still under way is cancelled and Stop says so. When NATS is away nobody can
// be answered, but what was taken is done.
func (s *Service) Stop(ctx context.Context) error {
	s.stopping.Store(true)
	defer s.close()
	closed := s.listen.StatusChanged(nats.CLOSED)
	if err := s.listen.Drain(); err == nil {
		select {
		case <-closed:
		case <-ctx.Done():
		}
	}
	s.listen.Close()
	idle := s.pool.close()
	var cut error
	select {
	case <-idle:
	case <-ctx.Done():
		select { // both may be so, and then nothing is cut
		case <-idle:
		default:
			cut = fmt.Errorf("stop %s: %d commands were cut off", s.cfg.Name, s.pool.load())
		}
		s.cancel()
		timer := time.NewTimer(afterCut)
		defer timer.Stop()
		select {
		case <-idle:
		case <-timer.C:
			return errors.Join(cut, fmt.Errorf("stop %s: %d handlers do not heed their context", s.cfg.Name, s.pool.load()))
		}
	}
	if !s.nc.IsConnected() {
		return cut
	}
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastAnswers)
	defer cancel()
	if err := s.nc.FlushWithContext(flush); err != nil && s.nc.IsConnected() {
		return errors.Join(cut, fmt.Errorf("stop %s: %w", s.cfg.Name, err))
	}
	return cut
}

func (s *Service) close() {
	s.stopping.Store(true)
	s.cancel()
	s.listen.Close()
	s.nc.Close()
	s.behind.Wait()
}

// stats is an endpoint's own figures.
func (s *Service) stats(endpoint string) map[string]uint64 {
	v, _ := s.counts.Load(endpoint)
	c, ok := v.(*count)
	if !ok {
		return nil
	}
	done := c.done.Load()
	return map[string]uint64{
		"answered": done, "faults": c.faults.Load(), "internal": c.internal.Load(), "busy": c.busy.Load(),
		"repeated": c.again.Load(), "average_ns": c.nanos.Load() / max(1, done),
	}
}
