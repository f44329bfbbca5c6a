package auth

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// sessions is the bucket of live sessions, written by compare-and-set alone.
type sessions struct {
	js    jetstream.JetStream
	swaps *streams.Swapper
}

func openSessions(ctx context.Context, js jetstream.JetStream) (*sessions, error) {
	swaps, err := streams.NewSwapper(ctx, js, "KV_"+streams.Sessions)
	if err != nil {
		return nil, fmt.Errorf("open sessions: %w", err)
	}
	return &sessions{js, swaps}, nil
}

// read gives what the bucket's leader has under a user's id. Its Revision is what the next
// write must name, also when found is false; then its Command, if any, is the one whose
// session was deleted last.
func (b *sessions) read(ctx context.Context, userID string) (r session.Record, found bool, _ error) {
	m, _, err := lastIn(ctx, b.js, streams.Sessions, userID)
	if err != nil {
		return session.Record{}, false, err
	}
	if len(m.Data) > 0 {
		// What is no record of this user stands in nobody's way: the next claim replaces it.
		if err := json.Unmarshal(m.Data, &r); err != nil || r.UserID != userID {
			r = session.Record{}
		}
	}
	r.Revision, r.Written = m.Seq, m.At
	return r, r.Session != "", nil
}

// write stores r where revision is what is there, and gives r as it is there now. Its error
// is streams.Conflict when something else is there; after an attempt without an answer that
// may be r itself, so the caller reads before it decides.
func (b *sessions) write(ctx context.Context, r session.Record, revision uint64) (session.Record, error) {
	w, err := writing(r, revision)
	if err != nil {
		return r, err
	}
	err = streams.RetryOver(ctx, b.js.Conn(), func(ctx context.Context) error {
		var err error
		r.Revision, err = b.swaps.Swap(ctx, w.Subject, w.Data, w.Over)
		return err
	})
	if err != nil {
		return r, fmt.Errorf("write the session of %s: %w", r.UserID, err)
	}
	return r, nil
}

// writeAllFor bounds an attempt to write several: the answer may be lost.
const writeAllFor = time.Second

// writeAll stores each of moves where its from is what is there, at once, and fills in what its to
// has become. It tries once: of one that fails only the leader knows what is there.
func (b *sessions) writeAll(ctx context.Context, moves []move) []error {
	failed, writes := make([]error, len(moves)), make([]streams.Write, len(moves))
	for i, m := range moves {
		var err error
		if writes[i], err = writing(m.to, m.from.Revision); err != nil {
			return slices.Repeat([]error{err}, len(moves))
		}
	}
	_ = bus.While(ctx, b.js.Conn(), writeAllFor, func(ctx context.Context) error { // each has its own error
		for i, is := range b.swaps.SwapAll(ctx, writes) {
			moves[i].to.Revision, failed[i] = is.Seq, is.Err
		}
		return nil
	})
	return failed
}

// writing is what stores r over that revision.
func writing(r session.Record, revision uint64) (streams.Write, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return streams.Write{}, fmt.Errorf("encode a session: %w", err)
	}
	return streams.Write{Subject: keySubject(streams.Sessions, r.UserID), Data: data, Over: revision}, nil
}

// remove deletes r where it is still what is there. The delete marker (NATS ADR-8) keeps
// the command that claimed r: when that command comes late to another copy, it must not
// bring a session to life that was over. It also keeps the one that ended r, for its answer.
func (b *sessions) remove(ctx context.Context, r session.Record) error {
	data, err := json.Marshal(session.Record{
		UserID: r.UserID, Command: r.Command, State: session.Ending, SignedOut: r.SignedOut, Left: r.Left,
	})
	if err != nil {
		return fmt.Errorf("encode a session's end: %w", err)
	}
	msg := &nats.Msg{Subject: keySubject(streams.Sessions, r.UserID), Header: nats.Header{"KV-Operation": {"DEL"}}, Data: data}
	err = streams.Retry(ctx, func(ctx context.Context) error {
		_, err := b.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(r.Revision))
		return err
	})
	if err != nil && !streams.Conflict(err) {
		return fmt.Errorf("delete the session of %s: %w", r.UserID, err)
	}
	return nil
}

// keySubject is where a bucket stores a key.
func keySubject(bucket, key string) string { return "$KV." + bucket + "." + key }

// lastIn reads a key of a bucket from its leader, a delete marker too.
func lastIn(ctx context.Context, js jetstream.JetStream, bucket, key string) (m streams.Msg, found bool, err error) {
	err = streams.Retry(ctx, func(ctx context.Context) error {
		var err error
		m, found, err = streams.Last(ctx, js, "KV_"+bucket, keySubject(bucket, key))
		return err
	})
	return m, found, err
}

// leases looks at the leases of edges, and remembers when each was last renewed: a lease
// that is gone tells it no more.
type leases struct {
	js jetstream.JetStream

	mu      sync.Mutex
	renewed map[string]time.Time // edge -> by the server's clock
}

func newLeases(js jetstream.JetStream) *leases {
	return &leases{js: js, renewed: map[string]time.Time{}}
}

// look tells whether edge holds a lease, and when it was last renewed; the zero time when
// that is not known.
func (l *leases) look(ctx context.Context, edge string) (renewed time.Time, held bool, err error) {
	if edge == "" {
		return time.Time{}, false, nil
	}
	m, found, err := lastIn(ctx, l.js, streams.Edges, edge)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("read the lease of %s: %w", edge, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if found && len(m.Data) > 0 {
		l.renewed[edge] = m.At
		return m.At, true, nil
	}
	return l.renewed[edge], false, nil
}

// forget drops what is known of edges that are not among the keys of used.
func (l *leases) forget(used map[string]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for edge := range l.renewed {
		if _, is := used[edge]; !is {
			delete(l.renewed, edge)
		}
	}
}
