package account

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"gamehall/shared/natstest"
	"gamehall/shared/storagetest"
)

func openTestStore(t *testing.T, d storagetest.Database) *store {
	t.Helper()
	s, err := openStore(natstest.Context(t), d.At(t, "account"), natstest.Quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Two copies are told of the same sessions in the same moment, in parts, doubled and in
// another order, while they note renewals: each session goes from the earliest beginning to
// the latest end, whoever wrote last.
func TestTwoStores(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) { twoStores(t, d, func() {}) })
}

// twoStores calls disturb now and then.
func twoStores(t *testing.T, d storagetest.Database, disturb func()) {
	t.Helper()
	stores := []*store{openTestStore(t, d), openTestStore(t, d)}
	base := exact(time.Now().Add(-time.Hour))
	const sessions, parts, rounds = 12, 8, 10
	for round := range rounds {
		// What each event says: a beginning, and of some an end.
		var events []told
		want := map[string]span{}
		for n := range sessions {
			key := span{UserID: fmt.Sprint("user", n), Epoch: uint64(round + 1), User: fmt.Sprint("user", n), Edge: "edge1"}
			last := key
			last.Since = base
			for p := range parts {
				e := told{span: key, By: base}
				e.Since = base.Add(time.Duration(p) * time.Second)
				if p%2 == 1 {
					e.Until = base.Add(time.Minute + time.Duration(p)*time.Second)
					last.Until = e.Until
				}
				events = append(events, e, e)
			}
			want[key.UserID] = last
		}
		var all sync.WaitGroup
		for i := range 6 {
			mine := make([]told, len(events))
			copy(mine, events)
			rand.Shuffle(len(mine), func(a, b int) { mine[a], mine[b] = mine[b], mine[a] })
			all.Go(func() {
				ctx, cancel := context.WithTimeout(natstest.Context(t), time.Minute)
				defer cancel()
				// Each event by somebody: of six, the i-th tells a sixth of them, and some more.
				for n := i * len(events) / 6; n < (i+1)*len(events)/6+3; n += 5 {
					batch := events[min(n, len(events)):min(n+5, len(events))]
					if err := stores[i%2].tell(ctx, append(batch[:len(batch):len(batch)], mine[:3]...)); err != nil {
						t.Error(err)
					}
				}
				at := base.Add(time.Duration(round*10+i) * time.Second)
				if err := stores[i%2].renewed(ctx, "edge1", at); err != nil {
					t.Error(err)
				}
			})
		}
		disturb()
		all.Wait()
		for user, w := range want {
			var have span
			err := stores[0].db.Retry(natstest.Context(t), func(db *gorm.DB) (err error) {
				have, _, err = one(db, w)
				return err
			})
			if err != nil || have != w {
				t.Errorf("round %d, %s: %+v, %v; want %+v", round, user, have, err, w)
			}
		}
		var seen time.Time
		err := stores[1].db.Retry(natstest.Context(t), func(db *gorm.DB) (err error) {
			seen, err = seenOf(db, "edge1")
			return err
		})
		if last := base.Add(time.Duration(round*10+5) * time.Second); err != nil || !seen.Equal(last) {
			t.Errorf("round %d: the edge was seen %v, %v; want %v", round, seen, err, last)
		}
	}
}

// A session that is told of and given up in the same moment has the end that was told, or,
// when nobody told one, the edge's last renewal.
func TestAbandonRace(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		stores := []*store{openTestStore(t, d), openTestStore(t, d)}
		ctx := natstest.Context(t)
		base := exact(time.Now().Add(-time.Hour))
		if err := stores[0].renewed(ctx, "edge1", base.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		for n := range 20 {
			key := span{UserID: "ann", Epoch: uint64(n + 1), User: "ann", Edge: "edge1", Since: base}
			if err := stores[0].tell(ctx, []told{{span: key, By: base}}); err != nil {
				t.Fatal(err)
			}
			left := told{span: key, By: base}
			left.Until = base.Add(2 * time.Minute)
			var both sync.WaitGroup
			both.Go(func() {
				if err := stores[0].abandon(ctx, []span{key}); err != nil {
					t.Error(err)
				}
			})
			both.Go(func() {
				if err := stores[1].tell(ctx, []told{left}); err != nil {
					t.Error(err)
				}
			})
			both.Wait()
			if have, _, err := one(stores[0].db.WithContext(ctx), key); err != nil || have != left.span {
				t.Errorf("%+v, %v; want %+v", have, err, left.span)
			}
		}
	})
}
