package auth

import (
	"context"
	"errors"
	"time"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/session"
)

// signOut ends the caller's session. Whoever died in the midst of it left a mark: then the
// session is over, any reaper finishes it, and a repetition is answered not_signed_in.
func (s *Service) signOut(ctx context.Context, req authapi.SignOutRequest) (authapi.SignOutResponse, error) {
	r, err := s.own(ctx)
	if err != nil {
		return authapi.SignOutResponse{}, err
	}
	how := ending{until: req.Until}
	if req.Until.Before(r.Since) || req.Until.After(time.Now()) {
		how.until = time.Time{} // of a clock that is wrong
	}
	seq, err := s.end(ctx, r, how)
	if errors.Is(err, errOver) {
		return authapi.SignOutResponse{}, notSignedIn()
	}
	return authapi.SignOutResponse{User: r.User, Seq: seq}, err
}

// own reads the caller's session from the leader, and fails with not_signed_in when it is
// another one by now.
func (s *Service) own(ctx context.Context) (session.Record, error) {
	caller := bus.Caller(ctx)
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
