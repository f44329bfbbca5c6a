package auth

import (
	"context"
	"fmt"
	"time"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/name"
	"gamehall/shared/storage"
)

// signUp makes an account. The unique columns decide who gets the name; looking before
// hashing only spares the work. The command that made an account finds it again and gets
// the same answer.
func (s *Service) signUp(ctx context.Context, req authapi.SignUpRequest) (authapi.SignUpResponse, error) {
	canonical, err := name.User(req.Username)
	if err != nil {
		return authapi.SignUpResponse{}, err
	}
	password, err := newPassword(req.Password, s.cfg.PasswordMin)
	if err != nil {
		return authapi.SignUpResponse{}, err
	}
	u := newAccount(canonical, bus.Command(ctx))
	resp := authapi.SignUpResponse{User: canonical}
	made, err := s.made(ctx, u)
	if made || err != nil {
		return resp, err
	}
	err = s.hasher.in(ctx, req.Trusted, func() error {
		// Again: of many who waited here for one name, all but the first are spared.
		if made, err = s.made(ctx, u); made || err != nil {
			return err
		}
		u.Hash = s.hasher.hash(password)
		return nil
	})
	if made || err != nil {
		return resp, err
	}
	err = s.accounts.create(ctx, u)
	if storage.IsDuplicate(err) {
		if made, again := s.made(ctx, u); made || again != nil {
			return resp, again
		}
	}
	return resp, s.storable(ctx, "sign-up", err)
}

// newAccount has everything but the hash.
func newAccount(canonical, command string) account {
	now := time.Now().UTC()
	return account{
		ID: name.UserID(canonical), Name: canonical, Skeleton: name.Skeleton(canonical),
		Command: command, CreatedAt: now, PasswdAt: now,
	}
}

// made tells whether u's command made u's account already, and fails with username_taken
// when somebody else has the name or one that looks like it.
func (s *Service) made(ctx context.Context, u account) (bool, error) {
	have, found, err := s.accounts.like(ctx, u.ID, u.Skeleton)
	if err != nil || !found {
		return false, s.storable(ctx, "sign-up", err)
	}
	if have.ID == u.ID && have.Command == u.Command && time.Since(have.CreatedAt) < bus.AnswersKept {
		return true, nil
	}
	return false, fault.New(fault.UsernameTaken, "the username exists, please choose another one")
}

// storable turns an error of a database that is locked, full or out of reach for now into
// unavailable, and logs it: nobody else sees why.
func (s *Service) storable(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case storage.IsBusy(err), storage.IsFull(err):
		s.log.WarnContext(ctx, "database", "while", what, "error", err)
		return fault.New(fault.Unavailable, "%s is temporarily unavailable, please try again", what)
	}
	return fmt.Errorf("%s: %w", what, err)
}
