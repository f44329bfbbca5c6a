package auth

import (
	"context"
	"errors"
	"strings"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/name"
)

// signIn checks the password, claims the user's session and answers when the hall was told.
func (s *Service) signIn(ctx context.Context, req authapi.SignInRequest) (authapi.SignInResponse, error) {
	if err := s.place(req); err != nil {
		return authapi.SignInResponse{}, err
	}
	user, err := s.authenticate(ctx, req)
	if err != nil {
		return authapi.SignInResponse{}, err
	}
	// Who is trusted may have waited for the hash for minutes; for NATS nobody waits longer
	// than for any command.
	ctx, cancel := context.WithTimeout(ctx, bus.CallFor)
	defer cancel()
	r, err := s.claim(ctx, user, req)
	if err != nil {
		return authapi.SignInResponse{}, err
	}
	seq, err := s.complete(ctx, r)
	if errors.Is(err, errOver) {
		return authapi.SignInResponse{}, fault.New(fault.AlreadySignedIn, "signed in elsewhere")
	}
	if err != nil {
		return authapi.SignInResponse{}, err
	}
	return authapi.SignInResponse{
		User: r.User, UserID: r.UserID, Session: r.Session, Epoch: r.Epoch(), Seq: seq, Since: r.Since,
	}, nil
}

// tokenMost is the length of an edge's or a connection's id; ours have 32.
const tokenMost = 64

// place checks where the session is to be. The edge's id becomes a token of subjects and a
// key, so it must be one that we could have made.
func (s *Service) place(req authapi.SignInRequest) error {
	if req.Edge == "" && !s.cfg.Bare {
		return fault.New(fault.BadRequest, "please sign in at an edge, which holds the session: this request names none")
	}
	if !edgeID(req.Edge) || !token(req.Conn) {
		return fault.New(fault.BadRequest, "edge and conn are ids of at most %d letters, digits, '-' and '_'", tokenMost)
	}
	return nil
}

// edgeID tells whether id is empty or fit to be an edge's: a token, or with the edge's name
// before it two.
func edgeID(id string) bool {
	name, rest, named := strings.Cut(id, ".")
	return token(name) && token(rest) && (!named || name != "" && rest != "")
}

// token tells whether id is empty or fit to be a subject token and a key.
func token(id string) bool {
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return len(id) <= tokenMost
}

// authenticate gives the account of a name, in any spelling, and its password. For a name
// that nobody has it does the same work and says the same as for a wrong password.
func (s *Service) authenticate(ctx context.Context, req authapi.SignInRequest) (account, error) {
	var user account
	canonical, err := name.User(req.Username)
	if err == nil {
		user, _, err = s.accounts.find(ctx, name.UserID(canonical))
		if err != nil {
			return account{}, s.storable(ctx, "sign-in", err)
		}
	}
	err = s.hasher.in(ctx, req.Trusted, func() error { return s.check(req.Password, user.Hash) })
	if err == nil && s.publicPassword(user.Name, req.Password) {
		return account{}, wrongCredentials()
	}
	return user, err
}
