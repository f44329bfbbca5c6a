package edge

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// newTenure gives a tenure with a lease in a real bucket.
func newTenure(t *testing.T) *tenure {
	t.Helper()
	kv, err := natstest.Run(t).JetStream(t).KeyValue(natstest.Context(t), streams.Edges)
	if err != nil {
		t.Fatal(err)
	}
	ten := &tenure{id: "e1", kv: kv, lost: make(chan struct{})}
	if err := ten.renew(natstest.Context(t)); err != nil {
		t.Fatalf("the first renewal: %v", err)
	}
	return ten
}

// A renewal that was stored, and whose answer was lost, is refused when it is sent again: the
// lease is the tenure's all the same, and was confirmed when the lost one was sent.
func TestRenewalWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	ten := newTenure(t)
	known := ten.revision
	before := time.Now()
	if err := ten.renew(natstest.Context(t)); err != nil {
		t.Fatal(err)
	}
	// As if nobody had said so.
	e, err := ten.kv.Get(natstest.Context(t), ten.id)
	if err != nil {
		t.Fatal(err)
	}
	lost := renewal{e.Value(), *ten.renewed.Load()}
	older := lost.sent.Add(-leaseEvery)
	ten.revision, ten.tried = known, []renewal{lost}
	ten.renewed.Store(&older)
	if err := ten.renew(natstest.Context(t)); !streams.Conflict(err) {
		t.Fatalf("renewing with an old revision: %v, want a conflict", err)
	}
	if !ten.ours(natstest.Context(t)) {
		t.Fatal("the lease is not the tenure's")
	}
	if got := *ten.renewed.Load(); got.Before(before) {
		t.Errorf("the last renewal is %v ago, want that whose answer was lost", time.Since(got))
	}
	if err := ten.renew(natstest.Context(t)); err != nil {
		t.Errorf("renewing after that: %v", err)
	}
}

// A lease that is gone, or that somebody else wrote, is lost.
func TestLeaseOfSomebodyElse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		lose func(*testing.T, jetstream.KeyValue) error
	}{
		{"deleted", func(t *testing.T, kv jetstream.KeyValue) error { return kv.Delete(natstest.Context(t), "e1") }},
		{"purged", func(t *testing.T, kv jetstream.KeyValue) error { return kv.Purge(natstest.Context(t), "e1") }},
		{"overwritten", func(t *testing.T, kv jetstream.KeyValue) error {
			_, err := kv.Put(natstest.Context(t), "e1", []byte("{}"))
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ten := newTenure(t)
			if err := tt.lose(t, ten.kv); err != nil {
				t.Fatal(err)
			}
			if err := ten.renew(natstest.Context(t)); !streams.Conflict(err) {
				t.Errorf("renewing: %v, want a conflict", err)
			}
			if ten.ours(natstest.Context(t)) {
				t.Error("the lease is still the tenure's")
			}
		})
	}
}

// Either clock ends a tenure: one of them stands still while a machine sleeps.
func TestTenureEndsByEitherClock(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		ago  time.Duration
		wall bool // the renewal has no monotonic reading
		over bool
	}{
		{name: "just now"},
		{name: "nearly", ago: fenceAfter / 2},
		{name: "too long ago", ago: fenceAfter, over: true},
		{name: "just now by the wall clock", wall: true},
		{name: "too long ago by the wall clock", ago: fenceAfter, wall: true, over: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			renewed := time.Now().Add(-tt.ago)
			if tt.wall {
				renewed = renewed.Round(0)
			}
			ten := &tenure{}
			ten.renewed.Store(&renewed)
			if err := ten.check(); (err != nil) != tt.over {
				t.Errorf("check: %v, want over %v", err, tt.over)
			}
		})
	}
}

// undecided is a bucket whose leader has taken the first value of a key and not decided on it: it
// refuses another one, has nothing to show, and loses it in the end.
type undecided struct {
	jetstream.KeyValue
	refuses int
	reads   error
}

func (u *undecided) Create(ctx context.Context, key string, value []byte, _ ...jetstream.KVCreateOpt) (uint64, error) {
	if u.refuses--; u.refuses >= 0 {
		return 0, &jetstream.APIError{Code: 400, ErrorCode: jetstream.JSErrCodeStreamWrongLastSequenceConstant}
	}
	return u.KeyValue.Create(ctx, key, value)
}

func (u *undecided) Get(ctx context.Context, key string) (jetstream.KeyValueEntry, error) {
	if u.refuses > 0 {
		return nil, u.reads
	}
	return u.KeyValue.Get(ctx, key)
}

// The lease of a new id can only be its own: a conflict with an attempt that is not decided is no
// reason not to begin.
func TestLeaseNotDecided(t *testing.T) {
	t.Parallel()
	for _, reads := range []error{jetstream.ErrKeyNotFound, nats.ErrTimeout} {
		t.Run(reads.Error(), func(t *testing.T) {
			t.Parallel()
			kv, err := natstest.Run(t).JetStream(t).KeyValue(natstest.Context(t), streams.Edges)
			if err != nil {
				t.Fatal(err)
			}
			ten := &tenure{id: "e1", kv: &undecided{KeyValue: kv, refuses: 3, reads: reads}, lost: make(chan struct{})}
			if err := streams.Retry(natstest.Context(t), ten.claim); err != nil {
				t.Fatal(err)
			}
			if err := ten.check(); err != nil || ten.revision == 0 {
				t.Errorf("the lease is not held (revision %d): %v", ten.revision, err)
			}
		})
	}
}
