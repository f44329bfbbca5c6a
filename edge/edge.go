package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/streams"
	"gamehall/shared/wire"
)

// Config says how an edge runs. The zero Config listens on free ports of loopback, trusts
// nobody and finds NATS at its default address.
type Config struct {
	NATS     bus.Dialer
	Replicas int // of streams and KV; default 1

	// Name is what the edge's ids begin with, as in name.id: its lease and what it is told are
	// at subjects under it, so that NATS can keep them from other edges. Default is none.
	Name string

	TCP  string // address of the line port; default 127.0.0.1:0
	HTTP string // address of the HTTP port; default 127.0.0.1:0

	// TLSCert and TLSKey are files in PEM; with them both ports speak TLS, and nothing else.
	TLSCert string
	TLSKey  string

	TrustedNets      []netip.Prefix // exempt from sign-up, sign-in and connection limits
	AllowOrigins     []string       // of pages that may connect besides this server's own, such as https://hall.example
	ConnectionsPerIP int            // open at one time, /64 for IPv6; default 32
	Connections      int            // open in all; default is what the process may open
	Rate             float64        // commands a second and session; 0 is no limit
	Burst            int            // default 20

	AwayAfter time.Duration // without a command; 0 is never
	IdleAfter time.Duration // away, then the connection is closed; 0 is never

	// OnTenure is told each id that the edge is about to take, before any session is under
	// it; its error keeps the edge from taking it.
	OnTenure func(id string) error

	Log *slog.Logger // default slog.Default

	confirmAfter time.Duration // default confirmAfter; otherwise in tests
	returnsFor   time.Duration // default returnsFor; otherwise in tests
}

func (cfg Config) withDefaults() Config {
	if cfg.TCP == "" {
		cfg.TCP = "127.0.0.1:0"
	}
	if cfg.HTTP == "" {
		cfg.HTTP = "127.0.0.1:0"
	}
	if cfg.ConnectionsPerIP == 0 {
		cfg.ConnectionsPerIP = 32
	}
	if cfg.Connections == 0 {
		cfg.Connections = mostConnections()
	}
	if cfg.Burst == 0 {
		cfg.Burst = 20
	}
	if cfg.confirmAfter == 0 {
		cfg.confirmAfter = confirmAfter
	}
	if cfg.returnsFor == 0 {
		cfg.returnsFor = returnsFor
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return cfg
}

// Edge is a running edge. Its goroutines: one accepts, one reads each connection that has sent
// something ([reading]) and one waits for all the others ([poller]), a few write ([writer]), one
// owns the channels ([hub]), one holds the lease ([tenure]), one sweeps, one serves HTTP; and
// those in the background, which end sessions.
type Edge struct {
	cfg  Config
	log  *slog.Logger
	nc   *nats.Conn
	tcp  net.Listener
	gate *gate // of tcp, if there is one
	web  net.Listener
	http *http.Server
	tls  *tls.Config // nil without a certificate

	hub       *hub
	writers   []*writer
	coming    coming // lines of its clients that are on their way to the stream
	sessions  *registry
	addresses *addresses
	memory    *memory
	whispers  whispers
	adrift    *adrift
	returns   *returns
	stats     *stats
	stored    stored
	tenure    atomic.Pointer[tenure]
	parking   *poller       // of idle connections; nil where there is none
	clogged   *poller       // of full sockets; likewise
	ends      chan struct{} // bounds the sessions ended side by side
	draining  atomic.Bool
	speaks    [dialects]atomic.Bool // some connection has spoken it

	ctx      context.Context // of everything that calls
	cancel   context.CancelFunc
	tasks    *tasks // connections, and what goes on in the background
	runners  runners
	serving  sync.WaitGroup // hub, lease, sweeper, HTTP
	writing  sync.WaitGroup
	unwrite  chan struct{}
	failed   chan error // has room for the first reason
	stopOnce sync.Once
	stopErr  error
}

// Start opens the ports and returns once clients can sign in. It waits for NATS until ctx
// ends. A port that is taken is an error at once.
func Start(ctx context.Context, cfg Config) (*Edge, error) {
	cfg = cfg.withDefaults()
	e := &Edge{
		cfg: cfg, log: cfg.Log.With("service", "edge"),
		sessions: newRegistry(), addresses: newAddresses(cfg), memory: newMemory(), stats: newStats(), adrift: newAdrift(),
		ends: make(chan struct{}, endsAtOnce), unwrite: make(chan struct{}), tasks: newTasks(), failed: make(chan error, 1),
	}
	e.returns = &returns{edge: e}
	e.ctx, e.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := e.start(ctx); err != nil {
		return nil, errors.Join(err, e.Stop(context.WithoutCancel(ctx)))
	}
	return e, nil
}

func (e *Edge) start(ctx context.Context) error {
	var err error
	if e.tls, err = e.cfg.secureConfig(); err != nil {
		return err
	}
	if e.tcp, err = port().Listen(ctx, "tcp", e.cfg.TCP); err != nil {
		return fmt.Errorf("the edge cannot listen for players: %w", err)
	}
	if e.tls == nil {
		if e.gate, err = newGate(e.tcp); err != nil {
			return fmt.Errorf("the edge cannot listen for players: %w", err)
		}
	}
	if e.web, err = port().Listen(ctx, "tcp", e.cfg.HTTP); err != nil {
		return fmt.Errorf("the edge cannot listen for HTTP: %w", err)
	}
	if e.nc, err = e.cfg.NATS.Connect("edge"); err != nil {
		return err
	}
	if err := bus.WaitConnected(ctx, e.nc); err != nil {
		return fmt.Errorf("start edge: %w", err)
	}
	js, err := jetstream.New(e.nc)
	if err != nil {
		return fmt.Errorf("start edge: %w", err)
	}
	// No more than what it uses: an edge has no business with the sessions.
	mine := streams.Options{Replicas: e.cfg.Replicas, Only: []string{streams.Events, streams.Edges}}
	if err := streams.Ensure(ctx, js, mine); err != nil {
		return fmt.Errorf("start edge: %w", err)
	}
	for i := range max(1, runtime.GOMAXPROCS(0)/writersFor) {
		w := newWriter(i, &e.coming)
		e.writers = append(e.writers, w)
		e.writing.Go(func() { w.run(e.unwrite) })
	}
	if e.parking, err = newParking(); err != nil {
		return fmt.Errorf("start edge: %w", err)
	}
	e.serving.Go(e.parking.run)
	if e.clogged, err = newClogged(); err != nil {
		return fmt.Errorf("start edge: %w", err)
	}
	e.serving.Go(e.clogged.run)
	e.hub = newHub(e.ctx, e, js)
	e.serving.Go(e.hub.run)
	first, err := e.begin(ctx)
	if err != nil {
		return fmt.Errorf("start edge: %w", err)
	}
	e.tenure.Store(first)
	e.serving.Go(func() { e.tenures(e.ctx, first) })
	e.serving.Go(e.sweeping)
	e.http = newHTTP(e)
	e.serving.Go(func() {
		if err := e.http.Serve(e.webListener()); err != nil && !errors.Is(err, http.ErrServerClosed) {
			e.failed <- fmt.Errorf("the edge serves no more HTTP: %w", err)
		}
	})
	e.serving.Go(e.accepting)
	return nil
}

// TCPAddr is where lines and frames are spoken.
func (e *Edge) TCPAddr() net.Addr { return e.tcp.Addr() }

// HTTPAddr is where HTTP is spoken.
func (e *Edge) HTTPAddr() net.Addr { return e.web.Addr() }

// ID is the edge's id, under which services reach it; another one after a lost lease.
func (e *Edge) ID() string { return e.tenure.Load().id }

// Failed gives the reason once the edge has stopped serving by itself: it is to be stopped, and
// started anew.
func (e *Edge) Failed() <-chan error { return e.failed }

// Run serves until ctx ends, then drains: see [Edge.Stop].
func Run(ctx context.Context, cfg Config) error {
	e, err := Start(ctx, cfg)
	if err != nil {
		return err
	}
	return bus.ServeUntil(ctx, e.Stop)
}

// Stop accepts no more, lets commands under way end, tells the clients, and ends the
// sessions of those that cannot resume. What is not done when ctx ends is cut off; then auth
// ends those sessions when the lease has expired.
func (e *Edge) Stop(ctx context.Context) error {
	e.stopOnce.Do(func() { e.stopErr = e.stop(ctx) })
	return e.stopErr
}

func (e *Edge) stop(ctx context.Context) error {
	e.draining.Store(true)
	e.adrift.settle()
	if e.tcp != nil {
		_ = e.tcp.Close() // fails only when it is closed
		e.gate.close()
	}
	for _, c := range e.sessions.all() {
		c.mu.Lock()
		idle := !c.busy
		c.mu.Unlock()
		if idle {
			e.retire(c)
		}
	}
	done := e.tasks.wait()
	var cut error
	select {
	case <-done:
	case <-ctx.Done():
		// Who has been told and only does not hang up loses nothing.
		if busy, sessions := e.underWay(); busy+sessions > 0 {
			cut = fmt.Errorf("stop edge: %d commands and %d sessions were cut off", busy, sessions)
		}
	}
	e.cancel()
	for _, c := range e.sessions.all() {
		c.broken()
	}
	<-done
	e.runners.close()
	e.parking.close()
	e.clogged.close()
	close(e.unwrite)
	e.writing.Wait()
	switch { // last, so that /readyz can say that the edge stops
	case e.http == nil && e.web != nil:
		_ = e.web.Close() // fails only when it is closed
	case e.http != nil:
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		// Who has asked nothing, or not all, is not waited for longer than that.
		err := e.http.Shutdown(closing)
		if errors.Is(err, context.DeadlineExceeded) {
			err = e.http.Close()
		}
		cut = errors.Join(cut, err)
	}
	e.serving.Wait()
	if t := e.tenure.Load(); t != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		e.resign(last, t)
	}
	if e.nc != nil {
		e.nc.Close()
	}
	return cut
}

// underWay counts the commands that are carried out, and the sessions that have not ended.
func (e *Edge) underWay() (commands, sessions int) {
	for _, c := range e.sessions.all() {
		c.mu.Lock()
		if c.busy {
			commands++
		}
		c.mu.Unlock()
	}
	_, sessions = e.sessions.counts()
	return commands, sessions
}

// retire closes a connection of an edge that stops, and ends its session at once.
func (e *Edge) retire(c *conn) {
	if s, first := c.endSession(); first {
		e.release(c, s, time.Time{})
		e.letGo(c, s)
	}
	c.close(wire.Restart)
}

// gone cleans up after a connection whose reader has ended.
func (e *Edge) gone(c *conn) {
	now := time.Now()
	if s, first := c.endSession(); s != nil {
		if first {
			e.release(c, s, c.lastSeen(now))
		}
		e.letGo(c, s)
	}
	c.broken()
	e.sessions.disconnect(c)
	e.parking.forget(c)
	e.clogged.forget(c)
	e.addresses.close(c)
	e.stats.connections.Dec()
}

// speak notes that a connection speaks d, before its first command: events are encoded for
// d from now on.
func (e *Edge) speak(d dialect) { e.speaks[d].Store(true) }

// spoken gives the dialects that events are encoded for.
func (e *Edge) spoken() (s [dialects]bool) {
	for d := range e.speaks {
		s[d] = e.speaks[d].Load()
	}
	return s
}

// background runs do until it ends; Stop waits for it. Whatever do calls ends with the
// edge's context. It gives false, and does nothing, when the edge has stopped.
func (e *Edge) background(do func()) bool { return e.tasks.begin(do) }

// sweeping sweeps as often as the shortest of what it looks for needs.
func (e *Edge) sweeping() {
	every := time.Second
	for _, d := range []time.Duration{e.cfg.AwayAfter, e.cfg.IdleAfter} {
		if d > 0 {
			every = min(every, max(d/4, 5*time.Millisecond))
		}
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-e.ctx.Done():
			return
		case now := <-tick.C:
			e.sweep(now)
			e.addresses.sweep(now)
			e.memory.look()
			e.runners.trim()
		}
	}
}
