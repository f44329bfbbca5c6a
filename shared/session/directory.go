package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
	"unique"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/name"
	"gamehall/shared/streams"
)

// How far the mirror may be behind.
const (
	// checkEvery is how often the mirror is compared with the bucket's leader. Twice behind
	// the same sequence, it is read anew.
	checkEvery = time.Second
	// trustFor is how long the mirror is believed after it was last seen to be complete. It
	// bounds how long a session that was taken over may still be served: DESIGN's 5 s.
	trustFor = 4 * time.Second
	// The back-off between attempts to read the mirror anew.
	rewatchFrom = 10 * time.Millisecond
	rewatchMost = time.Second
	// watchFor bounds the making of a watcher: its server may die before it answers.
	watchFor = 2 * time.Second
)

// Directory mirrors the bucket. One goroutine owns the watcher and applies what it tells, a
// second one asks the leader how far it should be; [Directory.Close] waits for both. The
// mirror may be some milliseconds behind: what it does not know is read from the bucket's
// leader before anybody is refused. When it cannot be sure to be complete (NATS was away, or
// this process), everything is read from the leader.
type Directory struct {
	js   jetstream.JetStream
	kv   jetstream.KeyValue
	log  *slog.Logger
	stop context.CancelFunc
	done sync.WaitGroup

	mu       sync.RWMutex
	records  map[string]*Record // by user id; no record is changed
	ids      map[string]string  // user id by canonical name, of records
	complete time.Time          // when records were known to be all; see trusted
	changed  chan struct{}      // closed at the next change; nil when nobody waits for it
}

// Open starts the mirror and returns once it holds every session that was there. It needs
// the bucket: see streams.Ensure.
func Open(ctx context.Context, js jetstream.JetStream, log *slog.Logger) (*Directory, error) {
	if log == nil {
		log = slog.Default()
	}
	var kv jetstream.KeyValue
	err := streams.Retry(ctx, func(ctx context.Context) (err error) {
		kv, err = js.KeyValue(ctx, streams.Sessions)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open sessions: %w", err)
	}
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	d := &Directory{js: js, kv: kv, log: log, records: map[string]*Record{}, stop: stop}
	ready, heads := make(chan struct{}), make(chan head)
	d.done.Go(func() { d.check(following, heads) })
	d.done.Go(func() { d.follow(following, heads, ready) })
	select {
	case <-ready:
		return d, nil
	case <-ctx.Done():
		d.Close()
		return nil, fault.New(fault.Unavailable, "the sessions cannot be read yet")
	}
}

// Close ends the mirror.
func (d *Directory) Close() {
	d.stop()
	d.done.Wait()
}

// head is the bucket's last sequence as its leader told it.
type head struct {
	seq   uint64
	asked time.Time
	fresh bool // the connection was lost since: what the watcher told may miss something
}

// check asks the leader how far the mirror should be, once a second and whenever the
// connection is back.
func (d *Directory) check(ctx context.Context, heads chan<- head) {
	back := d.js.Conn().StatusChanged(nats.CONNECTED)
	defer d.js.Conn().RemoveStatusListener(back)
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	fresh := true
	for {
		h := head{asked: time.Now(), fresh: fresh}
		asking, cancel := context.WithTimeout(ctx, checkEvery)
		last, _, err := streams.Last(asking, d.js, "KV_"+streams.Sessions, "$KV."+streams.Sessions+".>")
		cancel()
		if h.seq = last.Seq; err == nil {
			select {
			case heads <- h:
				fresh = false
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case _, open := <-back:
			if !open {
				back = nil // the connection is closed
			}
			fresh = true
		}
	}
}

// mirror is a reading of the bucket by one watcher.
type mirror struct {
	cancel  context.CancelFunc // of the watcher's context
	watcher jetstream.KeyWatcher
	updates <-chan jetstream.KeyValueEntry
	records map[string]*Record // its own until it is complete, then the directory's
	ids     map[string]string
	last    uint64 // the last sequence told
	target  head   // what it has to reach to be complete
	reached uint64 // last, when the leader was asked the last time
	initial bool   // still telling what was there at the start
	used    bool   // it is what the directory tells
}

// follow keeps the mirror: it reads the bucket anew whenever the watcher ended, fell behind,
// or may have missed something, and puts a reading in the place of the one before once it is
// complete.
func (d *Directory) follow(ctx context.Context, heads <-chan head, ready chan struct{}) {
	var m *mirror
	defer func() { d.drop(m) }()
	wait := rewatchFrom
	var again <-chan time.Time // when to read anew
	var latest head
	opened := false
	for {
		select {
		case <-ctx.Done():
			return
		case h := <-heads:
			latest = h
			switch {
			case h.fresh || m.stuck(h):
				d.drop(m)
				m, again = nil, time.After(0)
			case m != nil:
				if m.reached = m.last; m.last >= m.target.seq {
					m.target = h
				}
			}
		case <-again:
			again = nil
			var err error
			if m, err = d.watch(ctx, latest); err != nil {
				d.log.Warn("the sessions cannot be watched, trying on", "error", err)
				again = time.After(wait)
				wait = min(2*wait, rewatchMost)
				continue
			}
			wait = rewatchFrom
		case e, open := <-m.told():
			switch {
			case !open:
				d.drop(m)
				m, again = nil, time.After(wait)
				wait = min(2*wait, rewatchMost)
				continue
			case e == nil:
				m.initial = false
			default:
				d.take(m, e)
			}
		}
		if m != nil && !m.initial && m.last >= m.target.seq {
			d.use(m)
			if !opened {
				opened = true
				close(ready)
			}
		}
	}
}

// watch starts a reading that is complete once it has reached the leader's last sequence.
func (d *Directory) watch(ctx context.Context, target head) (*mirror, error) {
	ctx, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(watchFor, cancel)
	watcher, err := d.kv.WatchAll(ctx)
	if !late.Stop() && err == nil {
		err = errors.Join(context.DeadlineExceeded, watcher.Stop())
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return &mirror{
		cancel: cancel, watcher: watcher, updates: watcher.Updates(), target: target, initial: true,
		records: map[string]*Record{}, ids: map[string]string{},
	}, nil
}

// drop ends m's watcher. What it still tells is taken from it and thrown away, since it
// holds a lock while nobody takes it.
func (d *Directory) drop(m *mirror) {
	if m == nil {
		return
	}
	_ = m.watcher.Stop() // fails only when the connection or the watcher is gone
	m.cancel()
	d.done.Go(func() {
		for range m.updates { // until it is closed
		}
	})
}

// stuck tells whether m, asked for h, has not moved since it was asked before, and is behind.
func (m *mirror) stuck(h head) bool {
	return m != nil && m.last < m.target.seq && m.last == m.reached && h.asked.Sub(m.target.asked) >= checkEvery
}

// told gives what the watcher tells; without a watcher that is nothing.
func (m *mirror) told() <-chan jetstream.KeyValueEntry {
	if m == nil {
		return nil
	}
	return m.updates
}

// take applies what m's watcher told. A reading that is in use already is changed under the
// directory's lock; one that is not yet is nobody else's, and the lock does no harm.
func (d *Directory) take(m *mirror, e jetstream.KeyValueEntry) {
	m.last = max(m.last, e.Revision())
	if e.Operation() != jetstream.KeyValuePut {
		d.mu.Lock()
		d.tellChanged()
		if r := m.records[e.Key()]; r != nil {
			delete(m.ids, r.User)
			delete(m.records, e.Key())
		}
		d.mu.Unlock()
		return
	}
	r, err := Parse(e)
	if err != nil {
		d.log.Error("a session's record cannot be read", "key", e.Key(), "error", err)
		return
	}
	r.Edge, r.State = unique.Make(r.Edge).Value(), unique.Make(r.State).Value() // few
	d.mu.Lock()
	m.records[r.UserID] = &r // not e's key, which is a part of a longer subject
	m.ids[r.User] = r.UserID
	d.tellChanged()
	d.mu.Unlock()
}

// use makes m what the directory tells, complete as of when its target was asked for.
func (d *Directory) use(m *mirror) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.records, d.ids, d.complete = m.records, m.ids, m.target.asked
	if !m.used {
		m.used = true
		d.tellChanged()
	}
}

// Changed gives a channel that is closed at the mirror's next change: who asks for it first, and
// then looks, misses none.
func (d *Directory) Changed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.changed == nil {
		d.changed = make(chan struct{})
	}
	return d.changed
}

// tellChanged wakes those who wait for a change; d.mu is held.
func (d *Directory) tellChanged() {
	if d.changed != nil {
		close(d.changed)
		d.changed = nil
	}
}

// trusted tells whether a mirror that was complete then is to be believed. The larger of
// monotonic and wall-clock time counts: the first stands still while the machine is suspended.
func trusted(complete time.Time) bool {
	now := time.Now()
	return max(now.Sub(complete), now.Round(0).Sub(complete.Round(0))) <= trustFor
}

// Online gives every session, in no order; those that are ending too. It is the mirror's
// answer, also while NATS is away. The slice is the caller's, the records are everybody's: none
// is to be changed.
func (d *Directory) Online() []*Record {
	d.mu.RLock()
	defer d.mu.RUnlock()
	all := make([]*Record, 0, len(d.records))
	for _, r := range d.records {
		all = append(all, r)
	}
	return all
}

// Peek gives the mirror's record of a user id, which may be some milliseconds old, and older
// while NATS is away.
func (d *Directory) Peek(userID string) (Record, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if r := d.records[userID]; r != nil {
		return *r, true
	}
	return Record{}, false
}

// caller finds a user who is in the mirror under that very name with a session that fits: what
// an edge sends is canonical, and to find out costs a hundred times as much as to look. When
// that is not enough to be sure, the id is all that it gives, if it is known.
func (d *Directory) caller(user, session string) (who bus.Identity, sure bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	id := d.ids[user]
	r := d.records[id]
	if r == nil || !r.fits(session) || !trusted(d.complete) {
		return bus.Identity{ID: id}, false
	}
	return r.identity(id), true
}

// fits tells whether the session named is r's and live; no name is any.
func (r *Record) fits(session string) bool {
	return r.Live() && (session == "" || r.Session == session)
}

func (r *Record) identity(id string) bus.Identity {
	return bus.Identity{User: r.User, ID: id, Session: r.Session, Epoch: r.Epoch(), Edge: r.Edge}
}

// Read gives the record of a user id as the bucket's leader has it; found is false when
// there is none. It goes on until ctx ends; then it is fault.Unavailable.
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
		if user == "" || session == "" && !bare {
			return bus.Identity{}, notSignedIn()
		}
		who, sure := d.caller(user, session)
		if sure {
			return who, nil
		}
		id := who.ID
		if id == "" {
			canonical, err := name.User(user)
			if err != nil {
				return bus.Identity{}, notSignedIn()
			}
			id = name.UserID(canonical)
			if who, sure = d.caller(canonical, session); sure {
				return who, nil
			}
		}
		r, found, err := d.Read(ctx, id)
		if err != nil {
			return bus.Identity{}, err
		}
		if !found || !r.fits(session) {
			return bus.Identity{}, notSignedIn()
		}
		return r.identity(id), nil
	}
}

func notSignedIn() error { return fault.New(fault.NotSignedIn, "please sign in first") }
