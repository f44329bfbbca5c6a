package game21

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"gamehall/shared/natstest"
	"gamehall/shared/storage"
	"gamehall/shared/storagetest"
)

// openLedger opens the database as a copy of the service does; it is closed with the test.
func openLedger(t testing.TB, d storagetest.Database) *storage.DB {
	t.Helper()
	db, err := storage.Open(natstest.Context(t), d.At(t, "game21"), migrations)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func people(names ...string) []Player {
	players := make([]Player, 0, len(names))
	for _, n := range names {
		players = append(players, Player{ID: "id-" + n, Name: n})
	}
	return players
}

func TestCreditOnce(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		// Two copies of the service share it.
		ledgers := []ledger{{openLedger(t, d)}, {openLedger(t, d)}}
		r := Result{Outcome: Won, Round: 7, Players: people("ann", "bob"), Winner: people("bob")[0]}
		var mu sync.Mutex
		var wg sync.WaitGroup
		credits := 0
		for i := range 20 {
			wg.Go(func() {
				fresh, err := ledgers[i%2].credit(natstest.Context(t), r)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if fresh {
					credits++
				}
			})
		}
		wg.Wait()
		if credits != 1 {
			t.Errorf("credited %d times", credits)
		}
		for name, won := range map[string]int{"ann": 0, "bob": 1} {
			got, err := ledgers[0].of(natstest.Context(t), "id-"+name)
			if err != nil || got.Played != 1 || got.Won != won {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
		if have, err := ledgers[0].credited(natstest.Context(t), []uint64{6, 7, 8}); err != nil || len(have) != 1 || !have[7] {
			t.Errorf("credited: %v, %v", have, err)
		}
		if n, err := ledgers[0].last(natstest.Context(t)); err != nil || n != 7 {
			t.Errorf("last: %d, %v", n, err)
		}
		if _, err := ledgers[0].credit(natstest.Context(t), Result{Outcome: Running, Round: 8}); err == nil {
			t.Error("a round that has not ended was credited")
		}
	})
}

func TestRanks(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		l := ledger{openLedger(t, d)}
		ctx := natstest.Context(t)
		if n, err := l.last(ctx); err != nil || n != 0 {
			t.Errorf("last of none: %d, %v", n, err)
		}
		credit := func(round uint64, winner string, others ...string) {
			t.Helper()
			r := Result{Outcome: NoValidAnswer, Round: round, Players: people(others...)}
			if winner != "" {
				r.Outcome, r.Winner = Won, people(winner)[0]
				r.Players = append(r.Players, r.Winner)
			}
			if fresh, err := l.credit(ctx, r); err != nil || !fresh {
				t.Fatalf("round %d: %v %v", round, fresh, err)
			}
		}
		credit(1, "ann", "bob", "cid", "dee")
		credit(2, "bob", "ann", "cid")
		credit(3, "ann", "eve")
		credit(4, "", "dee")
		credit(5, "fay")
		var got []string
		top, err := l.top(ctx, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range top {
			got = append(got, fmt.Sprintf("%d %s %d/%d", r.rank, r.Name, r.Won, r.Played))
		}
		want := []string{"1 ann 2/3", "2 fay 1/1", "3 bob 1/2", "4 eve 0/1", "5 cid 0/2", "5 dee 0/2"}
		if !slices.Equal(got, want) {
			t.Errorf("top: %q, want %q", got, want)
		}
		for _, r := range top {
			of, err := l.of(ctx, r.UserID)
			if err != nil || of != r {
				t.Errorf("%s alone: %+v, %v; among all: %+v", r.Name, of, err, r)
			}
		}
		if top, err := l.top(ctx, 2); err != nil || len(top) != 2 {
			t.Errorf("the best two: %v, %v", top, err)
		}
		if of, err := l.of(ctx, "id-nobody"); err != nil || of != (ranked{}) {
			t.Errorf("nobody: %+v, %v", of, err)
		}
	})
}

// More players than fit into one statement.
func TestCreditMany(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		l := ledger{openLedger(t, d)}
		names := make([]string, 2*scoresAtOnce+1)
		for i := range names {
			names[i] = fmt.Sprintf("user%04d", i)
		}
		for round := range uint64(2) {
			_, err := l.credit(natstest.Context(t), Result{Outcome: Won, Round: round + 1, Players: people(names...), Winner: people(names...)[7]})
			if err != nil {
				t.Fatal(err)
			}
		}
		got, err := l.of(natstest.Context(t), "id-user1000")
		if err != nil || got.Played != 2 || got.rank != 2 {
			t.Errorf("the last one: %+v, %v", got, err)
		}
	})
}
