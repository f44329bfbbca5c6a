package edge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/edgeapi"
	"gamehall/shared/fault"
	leases "gamehall/shared/session"
	"gamehall/shared/streams"
	"gamehall/shared/wire"
)

// tenure is the edge under one id, for as long as its lease is renewed. An edge whose lease
// is lost lets go of all its sessions and goes on under another id: the lost one is never
// claimed again.
type tenure struct {
	id       string
	kv       jetstream.KeyValue
	revision uint64
	tried    []renewal                 // sent since the last one that was confirmed
	renewed  atomic.Pointer[time.Time] // when the last confirmed renewal was sent
	over     atomic.Bool
	lost     chan struct{} // closed when over
	svc      *bus.Service
}

// renewal is one attempt to store the lease.
type renewal struct {
	data []byte
	sent time.Time
}

// check says whether the tenure's sessions may be served: its lease was renewed within
// fenceAfter, by the monotonic clock and by the wall clock, of which one stands still while
// a machine is suspended.
func (t *tenure) check() error {
	if t == nil || t.over.Load() {
		return closedForNow()
	}
	last := *t.renewed.Load()
	if since(last) >= fenceAfter {
		return closedForNow()
	}
	return nil
}

// since is the larger of what the monotonic and the wall clock say has passed.
func since(t time.Time) time.Duration {
	now := time.Now()
	return max(now.Sub(t), now.Round(0).Sub(t.Round(0)))
}

func closedForNow() error {
	return fault.New(fault.Unavailable, "the hall cannot be reached from here, please try again in a moment")
}

// begin takes a new id: its lease is stored and its subjects are heard before any session
// can name it.
func (e *Edge) begin(ctx context.Context) (*tenure, error) {
	t := &tenure{id: bus.NewID(), lost: make(chan struct{})}
	if e.cfg.Name != "" {
		t.id = e.cfg.Name + "." + t.id
	}
	var err error
	if t.kv, err = e.hub.js.KeyValue(ctx, streams.Edges); err != nil {
		return nil, fmt.Errorf("open leases: %w", err)
	}
	t.svc, err = bus.NewService(ctx, bus.Config{Name: "edge", Dialer: e.cfg.NATS, Hidden: true, Log: e.log})
	if err != nil {
		return nil, err
	}
	calls := &calls{e, t}
	err = errors.Join(
		bus.Handle(t.svc, edgeapi.Alive.To(t.id), calls.alive, bus.Anyone(), bus.Reads()),
		bus.Handle(t.svc, edgeapi.Takeover.To(t.id), calls.takeover, bus.Anyone()),
		bus.Handle(t.svc, edgeapi.Whisper.To(t.id), calls.whisper, bus.Anyone()),
		bus.Handle(t.svc, edgeapi.Entered.To(t.id), calls.entered, bus.Anyone()),
		t.svc.Ready(ctx))
	if err == nil && e.cfg.OnTenure != nil {
		err = e.cfg.OnTenure(t.id)
	}
	if err != nil {
		return nil, errors.Join(err, e.stopService(t))
	}
	err = streams.Retry(ctx, t.claim)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lease: %w", err), e.stopService(t))
	}
	e.log.Info("edge has its lease", "edge", t.id)
	return t, nil
}

// claim stores the lease for the first time. Nobody else has its id: a conflict is with an attempt
// of our own, which was stored, and its answer lost, or is not decided yet and may be lost with its
// leader. So it is tried again.
func (t *tenure) claim(ctx context.Context) error {
	err := t.renew(ctx)
	switch {
	case !streams.Conflict(err):
		return err
	case t.ours(ctx) && t.revision != 0: // it was found, and not only not refuted
		return nil
	}
	return fmt.Errorf("%w: %v", jetstream.ErrNoStreamResponse, err) //nolint:errorlint // it is no conflict for who looks at it
}

// renew stores the lease again, if it is still the one that this tenure stored last.
func (t *tenure) renew(ctx context.Context) error {
	sent := time.Now()
	data, err := json.Marshal(leases.Lease{Edge: t.id, Since: sent.UTC()})
	if err != nil {
		return err
	}
	t.tried = append(t.tried, renewal{data, sent})
	var revision uint64
	if t.revision == 0 {
		revision, err = t.kv.Create(ctx, t.id, data)
	} else {
		revision, err = t.kv.Update(ctx, t.id, data, t.revision)
	}
	if err != nil {
		return err
	}
	t.confirmed(revision, sent)
	return nil
}

// confirmed notes the renewal that was sent then.
func (t *tenure) confirmed(revision uint64, sent time.Time) {
	t.revision, t.tried = revision, nil
	t.renewed.Store(&sent)
}

// hold renews the lease until ctx ends or the lease is lost; then it fences.
func (e *Edge) hold(ctx context.Context, t *tenure) {
	tick := time.NewTicker(leaseEvery)
	defer tick.Stop()
	look := time.NewTicker(time.Second)
	defer look.Stop()
	renewed := make(chan error, 1)
	busy, again := false, false
	renew := func() {
		if busy {
			return
		}
		again = false
		busy = e.background(func() {
			attempt, cancel := context.WithTimeout(ctx, leaseEvery)
			defer cancel()
			renewed <- t.renew(attempt)
		})
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.lost:
			return
		case err := <-t.svc.Failed():
			e.fence(t, "the services cannot reach it: "+err.Error())
			return
		case <-look.C:
			if t.check() != nil {
				e.fence(t, "the lease was not renewed for too long")
				return
			}
			if again {
				renew()
			}
		case <-tick.C:
			renew()
		case err := <-renewed:
			busy = false
			switch {
			case err == nil:
			case streams.Conflict(err):
				// A renewal whose answer was lost looks like a conflict too: the leader knows.
				if !t.ours(ctx) {
					e.fence(t, "the lease was lost")
					return
				}
			default:
				again = true // as soon as NATS is back, not only at the next turn
				e.log.Warn("the lease is not renewed yet", "edge", t.id, "error", err)
			}
		}
	}
}

// ours tells whether the stored lease is one that this tenure sent, and notes that as
// confirmed. Whatever else stands there is somebody's who took the lease for lost.
func (t *tenure) ours(ctx context.Context) bool {
	entry, err := t.kv.Get(ctx, t.id)
	if err != nil {
		// Not known: fenceAfter decides.
		return !errors.Is(err, jetstream.ErrKeyNotFound)
	}
	for _, r := range t.tried {
		if bytes.Equal(r.data, entry.Value()) {
			t.confirmed(entry.Revision(), r.sent)
			return true
		}
	}
	// Nobody has taken what was confirmed last: the conflict is with a renewal of ours that is
	// not decided, as of a leader that was cut off. It confirms nothing; fenceAfter decides.
	return t.revision != 0 && entry.Revision() == t.revision
}

// fence lets go of everything of a tenure: its connections are closed, and nothing of them
// is answered any more.
func (e *Edge) fence(t *tenure, why string) {
	if t.over.Swap(true) {
		return
	}
	close(t.lost)
	e.stats.fenced.Inc()
	e.log.Error("the edge lets go of its sessions", "edge", t.id, "why", why)
	for _, c := range e.sessions.all() {
		if s, first := c.endSession(); s != nil && s.tenure == t {
			c.close(wire.Unavailable)
			if first {
				e.background(func() { e.letGo(c, s) })
			}
		}
	}
}

// stopService ends what a tenure hears.
func (e *Edge) stopService(t *tenure) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), bus.DrainFor)
	defer cancel()
	return t.svc.Stop(ctx)
}

// tenures holds one tenure after the other until ctx ends; each begins when NATS allows it.
func (e *Edge) tenures(ctx context.Context, t *tenure) {
	for {
		e.hold(ctx, t)
		if ctx.Err() != nil { // every session has ended, and those who ask are to be told so
			<-time.After(lingerFor)
		}
		if err := e.stopService(t); err != nil {
			e.log.Warn("stop hearing", "edge", t.id, "error", err)
		}
		for {
			if ctx.Err() != nil {
				return
			}
			attempt, cancel := context.WithTimeout(ctx, fenceAfter)
			next, err := e.begin(attempt)
			cancel()
			if err == nil {
				e.tenure.Store(next)
				// Its users need not wait until it expires: nobody can be on it any more.
				gone, cancel := context.WithTimeout(ctx, requestFor)
				if err := t.kv.Delete(gone, t.id); err != nil {
					e.log.Warn("the former lease was not given up, it expires", "edge", t.id, "error", err)
				}
				cancel()
				t = next
				break
			}
			e.log.Warn("the edge has no lease yet", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
}

// resign gives the lease up, so that nobody waits for it to expire.
func (e *Edge) resign(ctx context.Context, t *tenure) {
	if t.over.Swap(true) {
		return
	}
	if err := t.kv.Delete(ctx, t.id); err != nil {
		e.log.Warn("the lease was not given up, it expires", "edge", t.id, "error", err)
	}
}
