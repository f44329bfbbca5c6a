package auth

import (
	"context"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// presence marks the caller's session as away, or alive again. Only who knows the session
// may: its edge, not a person who merely names the user.
func (s *Service) presence(ctx context.Context, req authapi.PresenceRequest) (authapi.PresenceResponse, error) {
	if bus.Caller(ctx).Session == "" {
		return authapi.PresenceResponse{}, notSignedIn()
	}
	state := session.Alive
	if req.Away {
		state = session.Away
	}
	for {
		r, err := s.own(ctx, bus.Caller(ctx))
		if err != nil {
			return authapi.PresenceResponse{}, err
		}
		if !r.Live() {
			return authapi.PresenceResponse{}, notSignedIn()
		}
		if r.State == state {
			return authapi.PresenceResponse{}, nil
		}
		next := r
		next.State = state
		if r.Claimed == 0 {
			// Any write but the claim says that the hall was told of it.
			if next.Joined, err = s.tellHall(ctx, r); err != nil {
				return authapi.PresenceResponse{}, err
			}
			next.Claimed = r.Epoch()
		}
		_, err = s.sessions.write(ctx, next, r.Revision)
		if err == nil || !streams.Conflict(err) {
			return authapi.PresenceResponse{}, err
		}
	}
}
