package auth

import (
	"context"
	"time"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/fault"
)

// passwd sets a new password for the caller, who says the old one again. The command that
// set the present one gets its success again. The session goes on.
func (s *Service) passwd(ctx context.Context, req authapi.PasswdRequest) (authapi.PasswdResponse, error) {
	wanted, err := newPassword(req.New, s.cfg.PasswordMin)
	if err != nil {
		return authapi.PasswdResponse{}, err
	}
	id, command := bus.Caller(ctx).ID, bus.Command(ctx)
	u, changed, err := s.changed(ctx, id, command)
	if changed || err != nil {
		return authapi.PasswdResponse{}, err
	}
	var hash string
	err = s.hasher.in(ctx, req.Trusted, func() error {
		if err := s.check(req.Old, u.Hash); err != nil {
			return err
		}
		hash = s.hasher.hash(wanted)
		return nil
	})
	if err != nil {
		return authapi.PasswdResponse{}, err
	}
	done, err := s.accounts.setHash(ctx, id, u.Hash, hash, command)
	if err != nil {
		return authapi.PasswdResponse{}, s.storable(ctx, "a new password", err)
	}
	if done {
		return authapi.PasswdResponse{}, nil
	}
	// Somebody was faster: this command on another copy, or another one, which makes the
	// old password a wrong one.
	if _, changed, err = s.changed(ctx, id, command); changed || err != nil {
		return authapi.PasswdResponse{}, err
	}
	return authapi.PasswdResponse{}, wrongCredentials()
}

// changed gives the account, and whether command set its password.
func (s *Service) changed(ctx context.Context, id, command string) (account, bool, error) {
	u, _, err := s.accounts.find(ctx, id)
	if err != nil {
		return account{}, false, s.storable(ctx, "a new password", err)
	}
	return u, u.PasswdCommand == command && time.Since(u.PasswdAt) < bus.AnswersKept, nil
}

// check fails with wrong_credentials unless typed is the password that was stored; an empty
// stored fits nothing and costs the same. Call it within hasher.in.
func (s *Service) check(typed, stored string) error {
	password, err := preparePassword(typed)
	if err != nil {
		// No account has such a password, so this tells nothing about the one asked for.
		return wrongCredentials()
	}
	fits, err := s.hasher.fits(password, stored)
	if err != nil {
		return err
	}
	if !fits {
		return wrongCredentials()
	}
	return nil
}

func wrongCredentials() error {
	return fault.New(fault.WrongCredentials, "wrong account or password")
}
