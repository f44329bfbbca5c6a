package streams_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// Of many that would take one place one wins, and those beside it are stored; the winner knows
// the sequence that is there. On one replica they share syncs.
func TestSwap(t *testing.T) {
	t.Parallel()
	test := func(t *testing.T, js jetstream.JetStream, replicas int) {
		ctx := natstest.Context(t)
		if err := streams.Ensure(ctx, js, streams.Options{Replicas: replicas}); err != nil {
			t.Fatal(err)
		}
		s, err := streams.NewSwapper(ctx, js, "KV_"+streams.Sessions)
		if err != nil {
			t.Fatal(err)
		}
		const users, rivals, rounds = 64, 2, 4
		at := func(user int) string { return fmt.Sprintf("$KV.%s.u%d", streams.Sessions, user) }
		over := make([]uint64, users)
		for round := range rounds {
			var mu sync.Mutex
			won := map[int]uint64{}
			var all sync.WaitGroup
			for i := range users * rivals {
				user := i % users
				if i >= users && user%16 != 0 {
					continue // most have no rival
				}
				all.Go(func() {
					var seq uint64
					err := streams.RetryOver(ctx, js.Conn(), func(ctx context.Context) (err error) {
						seq, err = s.Swap(ctx, at(user), []byte("x"), over[user])
						return err
					})
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil && won[user] != 0:
						t.Errorf("round %d: two took the place of %d at %s", round, over[user], at(user))
					case err == nil:
						won[user] = seq
					case !streams.Conflict(err):
						t.Errorf("round %d: %v", round, err)
					}
				})
			}
			all.Wait()
			for user := range users {
				m, found, err := streams.Last(ctx, js, "KV_"+streams.Sessions, at(user))
				if err != nil || !found {
					t.Fatalf("round %d: %s is not there (%v)", round, at(user), err)
				}
				if w, is := won[user]; m.Seq == over[user] || is && w != m.Seq {
					t.Errorf("round %d: %s has %d after %d, and %d was told", round, at(user), m.Seq, over[user], w)
				}
				over[user] = m.Seq
			}
			if len(won) < users/2 { // else an attempt without an answer was stored, which a slow disk may make
				t.Errorf("round %d: only %d of %d were told that they are stored", round, len(won), users)
			}
		}
	}
	t.Run("one replica", func(t *testing.T) {
		t.Parallel()
		test(t, natstest.Run(t).JetStream(t), 1)
	})
	t.Run("three replicas", func(t *testing.T) {
		t.Parallel()
		test(t, natstest.RunCluster(t, 3).JetStream(t), 3)
	})
}

// A bucket of a version before this one is good as it is: its writes go one by one.
func TestSwapInAFormerBucket(t *testing.T) {
	t.Parallel()
	js, ctx := natstest.RunBare(t).JetStream(t), natstest.Context(t)
	former := config(t, natstest.Run(t).JetStream(t), "KV_"+streams.Sessions)
	former.AllowAtomicPublish = false
	if _, err := js.CreateStream(ctx, former); err != nil {
		t.Fatal(err)
	}
	if err := streams.Ensure(ctx, js, streams.Options{}); err != nil {
		t.Fatal(err)
	}
	s, err := streams.NewSwapper(ctx, js, "KV_"+streams.Sessions)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for user := range 100 {
		all.Go(func() {
			if _, err := s.Swap(ctx, fmt.Sprintf("$KV.%s.u%d", streams.Sessions, user), []byte("x"), 0); err != nil {
				t.Errorf("user %d: %v", user, err)
			}
		})
	}
	all.Wait()
	if now := config(t, js, "KV_"+streams.Sessions); now.AllowAtomicPublish {
		t.Error("the bucket was touched")
	}
}
