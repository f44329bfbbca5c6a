package load

import (
	"context"
	"fmt"
	"time"
)

// password is that of every account that a load makes.
const password = "loadloadload"

// signers is how many connections make accounts.
const signers = 32

// makeAccounts makes the accounts of clients 0 to n-1, or finds them there.
func makeAccounts(ctx context.Context, s *target, n int, told func(int)) error {
	f, err := newFleet(s.address, s.dialect, newMarker(0))
	if err != nil {
		return err
	}
	defer f.close()
	next, done := 0, 0
	f.onState = func(i int, s state) {
		if s == signedUp {
			done++
		}
		if (s == signedUp || s == open) && next < n {
			f.clients[i].state = signingUp
			f.send(i, f.dialect.signUp(nil, user(next), password))
			next++
		}
	}
	for i := range min(signers, n) {
		f.clients = append(f.clients, client{fd: -1, user: user(i)})
		if err := f.dial(i); err != nil {
			return err
		}
	}
	for progress, lately := 0, time.Now(); done < n; {
		if err := f.poll(ctx); err != nil {
			return err
		}
		if done > progress {
			progress, lately = done, time.Now()
			told(done)
		} else if time.Since(lately) > stalledAfter {
			return fmt.Errorf("only %d of %d accounts were made: the server did not answer for %s", done, n, stalledAfter)
		}
	}
	return nil
}
