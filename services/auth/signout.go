package auth

import (
	"context"
	"errors"
	"time"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/name"
	"gamehall/shared/session"
)

// signOut ends the caller's session. The same command gets its first answer from every copy,
// also when the one that began died in the midst of it.
func (s *Service) signOut(ctx context.Context, req authapi.SignOutRequest) (authapi.SignOutResponse, error) {
	user, id := bus.Claims(ctx)
	caller, err := s.authorize(ctx, user, id)
	var r session.Record
	if err == nil {
		r, err = s.own(ctx, caller)
	}
	if fault.CodeOf(err) == fault.NotSignedIn {
		return s.signedOut(ctx, user)
	}
	if err != nil {
		return authapi.SignOutResponse{}, err
	}
	how := ending{until: req.Until, command: bus.Command(ctx)}
	if req.Until.Before(r.Since) || req.Until.After(time.Now()) {
		how.until = time.Time{} // of a clock that is wrong
	}
	seq, err := s.end(ctx, r, how)
	if errors.Is(err, errOver) {
		return s.signedOut(ctx, user)
	}
	return authapi.SignOutResponse{User: r.User, Seq: seq}, err
}

// signedOut gives the answer of the caller's command where that is the one which ended the
// user's last session, and not_signed_in where it is not.
func (s *Service) signedOut(ctx context.Context, user string) (authapi.SignOutResponse, error) {
	canonical, err := name.User(user)
	if err != nil {
		return authapi.SignOutResponse{}, notSignedIn()
	}
	r, found, err := s.sessions.read(ctx, name.UserID(canonical))
	if err != nil {
		return authapi.SignOutResponse{}, err
	}
	if r.SignedOut != bus.Command(ctx) {
		return authapi.SignOutResponse{}, notSignedIn()
	}
	if found && r.State == session.Ending { // whoever began it died, or is at it
		r.Left, err = s.finish(ctx, r)
	}
	return authapi.SignOutResponse{User: canonical, Seq: r.Left}, err
}

// own reads the caller's session from the leader, and fails with not_signed_in when it is
// another one by now.
func (s *Service) own(ctx context.Context, caller bus.Identity) (session.Record, error) {
	r, found, err := s.sessions.read(ctx, caller.ID)
	if err != nil {
		return session.Record{}, err
	}
	// A session that was resumed keeps its epoch and gets another id: the connection that had
	// it before has no say any more, however late its word comes.
	if !found || r.Epoch() != caller.Epoch || caller.Session != "" && r.Session != caller.Session {
		return session.Record{}, notSignedIn()
	}
	return r, nil
}

func notSignedIn() error { return fault.New(fault.NotSignedIn, "please sign in first") }
