package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/name"
	"gamehall/shared/streams"
)

// Directory mirrors the bucket. Its goroutine owns the watcher; [Directory.Close] waits for
// it. The mirror may be some milliseconds behind: what it does not know is read from the
// bucket's leader before anybody is refused.
type Directory struct {
	kv      jetstream.KeyValue
	log     *slog.Logger
	mu      sync.RWMutex
	records map[string]Record // by user id
	stop    context.CancelFunc
	done    chan struct{}
}

// Open starts the mirror and returns once it holds every session that was there. It needs
// the bucket: see streams.Ensure.
func Open(ctx context.Context, js jetstream.JetStream, log *slog.Logger) (*Directory, error) {
	if log == nil {
		log = slog.Default()
	}
	kv, err := js.KeyValue(ctx, streams.Sessions)
	if err != nil {
		return nil, fmt.Errorf("open sessions: %w", err)
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	watcher, err := kv.WatchAll(watching)
	if err != nil {
		stop()
		return nil, fmt.Errorf("watch sessions: %w", err)
	}
	d := &Directory{kv: kv, log: log, records: map[string]Record{}, stop: stop, done: make(chan struct{})}
	complete := make(chan struct{})
	go func() {
		defer close(d.done)
		defer func() { _ = watcher.Stop() }() // fails only when the connection is gone
		d.follow(watching, watcher, complete)
	}()
	select {
	case <-complete:
		return d, nil
	case <-ctx.Done():
		d.Close()
		return nil, fault.New(fault.Unavailable, "the sessions cannot be read yet")
	}
}

// Close ends the mirror.
func (d *Directory) Close() {
	d.stop()
	<-d.done
}

// follow takes what the watcher tells. A nil entry says that what was there at the start has
// been told.
func (d *Directory) follow(ctx context.Context, watcher jetstream.KeyWatcher, complete chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case e, open := <-watcher.Updates():
			if !open {
				return
			}
			if e == nil {
				close(complete)
				continue
			}
			d.take(e)
		}
	}
}

func (d *Directory) take(e jetstream.KeyValueEntry) {
	if e.Operation() != jetstream.KeyValuePut {
		d.mu.Lock()
		delete(d.records, e.Key())
		d.mu.Unlock()
		return
	}
	r, err := Parse(e)
	if err != nil {
		d.log.Error("a session's record cannot be read", "key", e.Key(), "error", err)
		return
	}
	d.mu.Lock()
	d.records[e.Key()] = r
	d.mu.Unlock()
}

// Online gives every session, in no order; those that are ending too.
func (d *Directory) Online() []Record {
	d.mu.RLock()
	defer d.mu.RUnlock()
	all := make([]Record, 0, len(d.records))
	for _, r := range d.records {
		all = append(all, r)
	}
	return all
}

// Peek gives the mirror's record of a user id, which may be some milliseconds old.
func (d *Directory) Peek(userID string) (Record, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	r, ok := d.records[userID]
	return r, ok
}

// Read gives the record of a user id as the bucket's leader has it; found is false when
// there is none.
func (d *Directory) Read(ctx context.Context, userID string) (r Record, found bool, err error) {
	err = streams.Retry(ctx, func(ctx context.Context) error {
		e, err := d.kv.Get(ctx, userID)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		found = true
		r, err = Parse(e)
		return err
	})
	if err != nil {
		return Record{}, false, fmt.Errorf("read the session of %s: %w", userID, err)
	}
	return r, found, nil
}

// Authorize finds the caller by its live session, for the bus. With bare a call without
// Hall-Session is accepted for a user who is signed in: a person with the nats CLI.
func (d *Directory) Authorize(bare bool) bus.Authorize {
	return func(ctx context.Context, user, session string) (bus.Identity, error) {
		canonical, err := name.User(user)
		if user == "" || err != nil || session == "" && !bare {
			return bus.Identity{}, notSignedIn()
		}
		id := name.UserID(canonical)
		fits := func(r Record) bool { return r.Live() && (session == "" || r.Session == session) }
		r, ok := d.Peek(id)
		if !ok || !fits(r) {
			if r, ok, err = d.Read(ctx, id); err != nil {
				return bus.Identity{}, err
			}
			if !ok || !fits(r) {
				return bus.Identity{}, notSignedIn()
			}
		}
		return bus.Identity{User: r.User, ID: id, Session: r.Session, Epoch: r.Epoch(), Edge: r.Edge}, nil
	}
}

func notSignedIn() error { return fault.New(fault.NotSignedIn, "please sign in first") }
