package streams_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// Parts that start while one node of three is missing make everything together, on three
// replicas. When the cluster forms anew they find what holds data, and leave it as it is.
func TestEnsureWhileClusterForms(t *testing.T) {
	t.Parallel()
	c := natstest.RunBareCluster(t, 3)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // two elections, on a busy machine
	defer cancel()
	connect := func(parts int) (all []jetstream.JetStream) {
		for i := range parts {
			all = append(all, c.Nodes[i%2].JetStream(t))
		}
		return all
	}
	ensure := func(all []jetstream.JetStream) (done chan error) {
		done = make(chan error, len(all))
		for _, js := range all {
			go func() { done <- streams.Ensure(ctx, js, streams.Options{Replicas: 3}) }()
		}
		return done
	}
	good := func(done chan error) {
		t.Helper()
		for range cap(done) {
			if err := <-done; err != nil {
				t.Errorf("ensure: %v", err)
			}
		}
	}
	// Servers that have never agreed on a leader do not go on without the third.
	err := streams.Retry(ctx, func(ctx context.Context) error {
		_, err := c.JetStream(t).AccountInfo(ctx)
		return err
	})
	if err != nil {
		t.Fatalf("the cluster has no leader: %v", err)
	}
	c.Nodes[2].Stop(t)
	done := ensure(connect(4))
	good(done) // two are enough to agree
	c.Nodes[2].Start(t)

	js := c.JetStream(t)
	say(t, js, lobby, "1")
	made := map[string]time.Time{}
	for _, name := range all {
		made[name] = created(t, js, name)
	}
	parts := connect(4)
	for _, n := range c.Nodes {
		n.Stop(t)
	}
	done = ensure(parts)
	var starting sync.WaitGroup
	for _, n := range c.Nodes {
		starting.Go(func() { n.Start(t) })
	}
	starting.Wait()
	good(done)
	for _, name := range all {
		if got := created(t, js, name); !got.Equal(made[name]) {
			t.Errorf("%s was made at %v and is of %v now", name, made[name], got)
		}
	}
	if seq := say(t, js, lobby, "2"); seq != 2 {
		t.Errorf("the next line has sequence %d, want 2", seq)
	}
}

// created is when a stream was made.
func created(t *testing.T, js jetstream.JetStream, name string) time.Time {
	t.Helper()
	var at time.Time
	err := streams.Retry(natstest.Context(t), func(ctx context.Context) error {
		s, err := js.Stream(ctx, name)
		if err != nil {
			return err
		}
		at = s.CachedInfo().Created
		return nil
	})
	if err != nil {
		t.Fatalf("stream %s: %v", name, err)
	}
	return at
}
