package auth

import (
	"fmt"
	"sync"
	"testing"

	"gamehall/shared/bus"
	"gamehall/shared/natstest"
	"gamehall/shared/storage"
	"gamehall/shared/storagetest"
)

// Accounts of one name, and of names that look alike, are stored by two copies in the same
// moment: of each look there is one, and every other is a duplicate.
func TestCreateRace(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		copies := make([]*accounts, 2)
		for i := range copies {
			a, err := openAccounts(natstest.Context(t), d.At(t, "auth"), natstest.Quiet())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := a.close(); err != nil {
					t.Error(err)
				}
			})
			copies[i] = a
		}
		for round := range 10 {
			names := []string{fmt.Sprintf("netease1%c", 'a'+round), fmt.Sprintf("neteasel%c", 'a'+round)}
			var all sync.WaitGroup
			var mu sync.Mutex
			var won []account
			for i := range 20 {
				u := newAccount(names[i%2], bus.NewID())
				u.Hash = "hash"
				all.Go(func() {
					err := copies[i/2%2].create(natstest.Context(t), u)
					if err == nil {
						mu.Lock()
						defer mu.Unlock()
						won = append(won, u)
					} else if !storage.IsDuplicate(err) {
						t.Errorf("%s: %v", u.Name, err)
					}
				})
			}
			all.Wait()
			if len(won) != 1 {
				t.Fatalf("%d of the accounts %v were stored, want one", len(won), names)
			}
			for i, a := range copies {
				have, found, err := a.like(natstest.Context(t), newAccount(names[i], "").ID, won[0].Skeleton)
				if err != nil || !found || have.Command != won[0].Command {
					t.Errorf("copy %d finds %+v, %v, %v; want %+v", i, have, found, err, won[0])
				}
			}
		}
	})
}
