package streams_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// A server that ends in the midst of a batch now and then leaves this of the batch's store.
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*msgBlock).flushLoop"))
}

// all are the names of what Ensure makes.
var all = []string{streams.Events, streams.Game21, "KV_" + streams.Sessions, "KV_" + streams.Edges, "KV_" + streams.Schedule, "KV_" + streams.Whispers}

// config gives a stream's configuration as the server has it.
func config(t *testing.T, js jetstream.JetStream, name string) jetstream.StreamConfig {
	t.Helper()
	s, err := js.Stream(natstest.Context(t), name)
	if err != nil {
		t.Fatalf("stream %s: %v", name, err)
	}
	return s.CachedInfo().Config
}

// Ensure makes everything once, as DESIGN.md says it is, and finds it good the second time.
func TestEnsure(t *testing.T) {
	t.Parallel()
	js := natstest.RunBare(t).JetStream(t)
	for range 2 {
		if err := streams.Ensure(natstest.Context(t), js, streams.Options{}); err != nil {
			t.Fatalf("ensure: %v", err)
		}
	}
	for _, name := range all {
		if c := config(t, js, name); c.Storage != jetstream.FileStorage || c.Replicas != 1 || !c.DenyDelete {
			t.Errorf("%s: storage %v, %d replicas, deny delete %v", name, c.Storage, c.Replicas, c.DenyDelete)
		}
	}
	events := config(t, js, streams.Events)
	if r := events.RePublish; r == nil || r.Source != "hall.events.>" || r.Destination != "hall.live.>" {
		t.Errorf("events are republished as %+v", r)
	}
	if !events.DenyPurge || !events.AllowDirect || events.Duplicates != 2*time.Minute || events.MaxAge == 0 || events.MaxMsgsPerSubject == 0 {
		t.Errorf("events are kept as %+v", events)
	}
	if edges := config(t, js, "KV_"+streams.Edges); edges.MaxAge != 30*time.Second || edges.AllowMsgTTL {
		t.Errorf("leases live for %v, each for itself %v; want 30 s, bucket-wide", edges.MaxAge, edges.AllowMsgTTL)
	}
	// The client takes the buckets for what they are.
	for _, bucket := range []string{streams.Sessions, streams.Edges, streams.Schedule, streams.Whispers} {
		kv, err := js.KeyValue(natstest.Context(t), bucket)
		if err != nil {
			t.Fatalf("bucket %s: %v", bucket, err)
		}
		if _, err := kv.Create(natstest.Context(t), "k", []byte("v")); err != nil {
			t.Errorf("bucket %s: %v", bucket, err)
		}
	}
}

// What differs is told by its field's name; nothing is touched, and nothing is made anew.
func TestEnsureRefusesDrift(t *testing.T) {
	t.Parallel()
	tests := []struct {
		field  string
		stream string // default HALL_EVENTS
		change func(*jetstream.StreamConfig)
	}{
		{field: "Subjects", change: func(c *jetstream.StreamConfig) { c.Subjects = []string{"hall.events.>"} }},
		{field: "Retention", change: func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy }},
		{field: "MaxConsumers", change: func(c *jetstream.StreamConfig) { c.MaxConsumers = 3 }},
		{field: "MaxMsgs", change: func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 }},
		{field: "MaxBytes", change: func(c *jetstream.StreamConfig) { c.MaxBytes = 1 << 20 }},
		{field: "Discard", change: func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardNew }},
		{field: "MaxAge", change: func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }},
		{field: "MaxMsgsPerSubject", change: func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 5 }},
		{field: "MaxMsgSize", change: func(c *jetstream.StreamConfig) { c.MaxMsgSize = 100 }},
		{field: "Storage", change: func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }},
		{field: "NoAck", change: func(c *jetstream.StreamConfig) { c.NoAck, c.AllowAtomicPublish = true, false }},
		{field: "Duplicates", change: func(c *jetstream.StreamConfig) { c.Duplicates = time.Minute }},
		{field: "DenyDelete", change: func(c *jetstream.StreamConfig) { c.DenyDelete = false }},
		{field: "DenyPurge", change: func(c *jetstream.StreamConfig) { c.DenyPurge = false }},
		{field: "AllowDirect", change: func(c *jetstream.StreamConfig) { c.AllowDirect = false }},
		{field: "AllowAtomicPublish", change: func(c *jetstream.StreamConfig) { c.AllowAtomicPublish = false }},
		{field: "AllowMsgTTL", change: func(c *jetstream.StreamConfig) { c.AllowMsgTTL = false }},
		{field: "RePublish", change: func(c *jetstream.StreamConfig) { c.RePublish = nil }},
		{field: "RePublish", change: func(c *jetstream.StreamConfig) { c.RePublish.HeadersOnly = true }},
		{field: "SubjectTransform", change: func(c *jetstream.StreamConfig) {
			c.SubjectTransform = &jetstream.SubjectTransformConfig{Source: "hall.events.>", Destination: "hall.state.>"}
		}},
		{field: "DiscardNewPerSubject", stream: streams.Game21, change: func(c *jetstream.StreamConfig) { c.DiscardNewPerSubject = false }},
		{field: "AllowRollup", stream: "KV_" + streams.Sessions, change: func(c *jetstream.StreamConfig) { c.AllowRollup = false }},
		{field: "MaxAge", stream: "KV_" + streams.Edges, change: func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }},
		{field: "MaxAge", stream: "KV_" + streams.Sessions, change: func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }},
	}
	// One server has the right configurations to start from.
	right := natstest.Run(t).JetStream(t)
	for _, tt := range tests {
		if tt.stream == "" {
			tt.stream = streams.Events
		}
		t.Run(tt.stream+" "+tt.field, func(t *testing.T) {
			t.Parallel()
			js := natstest.RunBare(t).JetStream(t)
			ctx := natstest.Context(t)
			other := config(t, right, tt.stream)
			tt.change(&other)
			if _, err := js.CreateStream(ctx, other); err != nil {
				t.Fatalf("create it otherwise: %v", err)
			}
			before := config(t, js, tt.stream)

			err := streams.Ensure(ctx, js, streams.Options{})
			if err == nil || !strings.Contains(err.Error(), tt.stream+":") || !strings.Contains(err.Error(), tt.field+" is ") {
				t.Errorf("ensure: %v, want %s and %s in it", err, tt.stream, tt.field)
			}
			if after := config(t, js, tt.stream); !reflect.DeepEqual(after, before) {
				t.Errorf("it was touched:\nbefore %+v\nafter  %+v", before, after)
			}
		})
	}
}

// What promises nothing to us is the operator's.
func TestEnsureLeavesWhatIsTheOperators(t *testing.T) {
	t.Parallel()
	js := natstest.Run(t).JetStream(t)
	mine := config(t, js, streams.Events)
	mine.Description, mine.Compression = "ours", jetstream.S2Compression
	mine.Metadata["owner"] = "ops"
	if _, err := js.UpdateStream(natstest.Context(t), mine); err != nil {
		t.Fatal(err)
	}
	if err := streams.Ensure(natstest.Context(t), js, streams.Options{}); err != nil {
		t.Errorf("ensure: %v", err)
	}
}

// What was ensured with other options is drift, too.
func TestEnsureWithOtherOptions(t *testing.T) {
	t.Parallel()
	js := natstest.Run(t).JetStream(t)
	err := streams.Ensure(natstest.Context(t), js, streams.Options{KeptFor: time.Hour})
	if err == nil || !strings.Contains(err.Error(), "MaxAge is 720h0m0s and this version needs 1h0m0s") {
		t.Errorf("ensure with another age: %v", err)
	}
	err = streams.Ensure(natstest.Context(t), js, streams.Options{Replicas: 3})
	if err == nil || !strings.Contains(err.Error(), "this was started for 3: start it with --replicas 1") {
		t.Errorf("ensure with more replicas: %v", err)
	}
}

// Three replicas on one node: for good, and told.
func TestEnsureWithoutCluster(t *testing.T) {
	t.Parallel()
	js := natstest.RunBare(t).JetStream(t)
	err := streams.Ensure(natstest.Context(t), js, streams.Options{Replicas: 3})
	if err == nil || !strings.Contains(err.Error(), "replicas > 1 not supported") {
		t.Errorf("ensure: %v", err)
	}
}

// Parts that start at the same time all find what one of them made.
func TestEnsureRace(t *testing.T) {
	t.Parallel()
	for _, replicas := range []int{1, 3} {
		t.Run(fmt.Sprintf("R%d", replicas), func(t *testing.T) {
			t.Parallel()
			var connect func() jetstream.JetStream
			if replicas == 1 {
				ns := natstest.RunBare(t)
				connect = func() jetstream.JetStream { return ns.JetStream(t) }
			} else {
				c := natstest.RunBareCluster(t, replicas)
				n := 0
				connect = func() jetstream.JetStream { n++; return c.Nodes[n%replicas].JetStream(t) }
			}
			const parts = 6
			errs := make(chan error, parts)
			ctx := natstest.Context(t)
			for range parts {
				js := connect()
				go func() { errs <- streams.Ensure(ctx, js, streams.Options{Replicas: replicas}) }()
			}
			for range parts {
				if err := <-errs; err != nil {
					t.Errorf("ensure: %v", err)
				}
			}
			js := connect()
			for _, name := range all {
				if got := config(t, js, name).Replicas; got != replicas {
					t.Errorf("%s has %d replicas, want %d", name, got, replicas)
				}
			}
		})
	}
}

// Whoever starts before NATS waits for it.
func TestEnsureWaits(t *testing.T) {
	t.Parallel()
	ns := natstest.Absent(t)
	nc, err := ns.Dialer().Connect("test")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := streams.Ensure(short, js, streams.Options{}); fault.CodeOf(err) != fault.Unavailable {
		t.Fatalf("ensure while nats is away: %v, want unavailable", err)
	}
	done := make(chan error)
	go func() { done <- streams.Ensure(natstest.Context(t), js, streams.Options{}) }()
	ns.Start(t)
	if err := <-done; err != nil {
		t.Errorf("ensure: %v", err)
	}
}

func TestPassing(t *testing.T) {
	t.Parallel()
	api := func(status int, code jetstream.ErrorCode) error {
		return fmt.Errorf("store: %w", &jetstream.APIError{Code: status, ErrorCode: code})
	}
	tests := []struct {
		name string
		err  error
		want bool
	}{
		{"nothing", nil, false},
		{"anything else", errors.New("else"), false},
		{"cancelled", context.Canceled, false},
		{"no answer in time", context.DeadlineExceeded, true},
		{"no answer in time, of the client", nats.ErrTimeout, true},
		{"nobody there", nats.ErrNoResponders, true},
		{"no stream there", jetstream.ErrNoStreamResponse, true},
		{"not connected", nats.ErrReconnectBufExceeded, true},
		{"closed", nats.ErrConnectionClosed, false},
		{"id in process", api(409, 10158), true},
		{"an election", api(503, 10008), true},
		{"not the leader", api(500, 10009), true},
		{"too many", api(429, 10167), true},
		{"sequence not ready", api(503, 10163), true},
		{"another sequence", api(400, 10071), false},
		{"another sequence, of three", api(400, 10164), false},
		{"no stream", jetstream.ErrStreamNotFound, false},
		{"replicas without a cluster", api(500, 10074), false},
	}
	for _, tt := range tests {
		if got := streams.Passing(tt.err); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// Retry goes on until it succeeds, fails for good, or its context ends.
func TestRetry(t *testing.T) {
	t.Parallel()
	final := errors.New("final")
	tests := []struct {
		name  string
		fails []error // of the first attempts
		want  error
		tries int
	}{
		{name: "at once", tries: 1},
		{name: "third time", fails: []error{nats.ErrTimeout, nats.ErrNoResponders}, tries: 3},
		{name: "for good", fails: []error{nats.ErrTimeout, final}, want: final, tries: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tries := 0
			err := streams.Retry(natstest.Context(t), func(ctx context.Context) error {
				if _, bounded := ctx.Deadline(); !bounded {
					t.Error("an attempt may take for ever")
				}
				if tries++; tries <= len(tt.fails) {
					return tt.fails[tries-1]
				}
				return nil
			})
			if !errors.Is(err, tt.want) || tries != tt.tries {
				t.Errorf("%v after %d attempts, want %v after %d", err, tries, tt.want, tt.tries)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	t.Cleanup(cancel)
	err := streams.Retry(ctx, func(context.Context) error { return nats.ErrTimeout })
	if fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("out of time: %v, want unavailable", err)
	}
}
