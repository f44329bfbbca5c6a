//go:build postgres

package game21

import (
	"fmt"
	"sync"
	"testing"

	"gamehall/shared/natstest"
	"gamehall/shared/storagetest"
)

const cutAll = `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
	WHERE datname = current_database() AND pid <> pg_backend_pid()`

// Two copies play on one Postgres whose connections are cut now and then: every round is
// credited once.
func TestTwoCopiesOnPostgres(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.db = storagetest.Postgres(t)
	admin := storagetest.Admin(t, h.db)
	race(t, h, 60, func(round int) {
		if round%7 == 0 {
			if _, err := admin.Exec(natstest.Context(t), cutAll); err != nil {
				t.Error(err)
			}
		}
	})
}

// Two copies credit the same rounds, with the same players, in the same moment, while
// connections are cut: nobody has played more or less than there were rounds.
func TestCreditRaceOnPostgres(t *testing.T) {
	t.Parallel()
	d := storagetest.Postgres(t)
	admin := storagetest.Admin(t, d)
	ledgers := []ledger{{openLedger(t, d)}, {openLedger(t, d)}}
	const rounds = 40
	names := make([]string, 30)
	for i := range names {
		names[i] = fmt.Sprint("player", i)
	}
	for n := 1; n <= rounds; n += 4 {
		var all sync.WaitGroup
		for i := range 8 { // four rounds, each by both
			all.Go(func() {
				players := people(names...)
				r := Result{Outcome: Won, Round: uint64(n + i/2), Players: players, Winner: players[0]}
				if _, err := ledgers[i%2].credit(natstest.Context(t), r); err != nil {
					t.Errorf("round %d: %v", r.Round, err)
				}
			})
		}
		if n%16 == 1 {
			if _, err := admin.Exec(natstest.Context(t), cutAll); err != nil {
				t.Error(err)
			}
		}
		all.Wait()
	}
	for i, name := range names {
		got, err := ledgers[0].of(natstest.Context(t), "id-"+name)
		if err != nil || got.Played != rounds || got.Won != map[bool]int{true: rounds}[i == 0] {
			t.Errorf("%s: %+v, %v; want %d played", name, got, err, rounds)
		}
	}
}
