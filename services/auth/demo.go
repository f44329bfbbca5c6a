package auth

import (
	"context"
	"fmt"
	"slices"

	"gamehall/shared/bus"
	"gamehall/shared/name"
	"gamehall/shared/storage"
)

// Credentials are a name and its password.
type Credentials struct{ Username, Password string }

// DemoAccounts are those that a hall on one's own machine starts with: netease1 to
// netease4, password 123. Their password is public, so they are for loopback only.
func DemoAccounts() []Credentials {
	var all []Credentials
	for i := 1; i <= 4; i++ {
		all = append(all, Credentials{Username: fmt.Sprintf("netease%d", i), Password: "123"})
	}
	return all
}

// addDemo creates the demo accounts that are missing. One that is there keeps the password
// it has by now. The least length of a password is not asked for.
func (s *Service) addDemo(ctx context.Context) error {
	for _, d := range s.cfg.DemoAccounts {
		if err := s.addAccount(ctx, d); err != nil {
			return fmt.Errorf("demo account %s: %w", d.Username, err)
		}
	}
	return nil
}

func (s *Service) addAccount(ctx context.Context, a Credentials) error {
	canonical, err := name.User(a.Username)
	if err != nil {
		return err
	}
	password, err := preparePassword(a.Password)
	if err != nil {
		return err
	}
	u := newAccount(canonical, bus.NewID()) // an id that nobody can repeat
	if _, found, err := s.accounts.like(ctx, u.ID, u.Skeleton); found || err != nil {
		return err
	}
	u.Hash = s.hasher.hash(password)
	if err := s.accounts.create(ctx, u); err != nil && !storage.IsDuplicate(err) { // another copy was faster
		return err
	}
	return nil
}

// publicPassword tells whether name and password are a demo account's in a hall that has
// none: one of an earlier start is still stored, and everybody knows its password.
func (s *Service) publicPassword(name, password string) bool {
	return len(s.cfg.DemoAccounts) == 0 && slices.Contains(DemoAccounts(), Credentials{Username: name, Password: password})
}
