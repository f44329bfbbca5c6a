package account

import (
	"cmp"
	"context"
	"slices"

	"gamehall/shared/accountapi"
	"gamehall/shared/bus"
	"gamehall/shared/session"
)

// who tells who is online. The caller is, also when the mirror does not know it yet.
func (s *Service) who(ctx context.Context, _ accountapi.WhoRequest) (accountapi.WhoResponse, error) {
	caller := bus.Caller(ctx)
	all := s.sessions.Online()
	if r, ok := s.sessions.Peek(caller.ID); !ok || r.Session != caller.Session {
		r, found, err := s.record(ctx, caller)
		if err != nil {
			return accountapi.WhoResponse{}, err
		}
		all = slices.DeleteFunc(all, func(r *session.Record) bool { return r.UserID == caller.ID })
		if found {
			all = append(all, &r)
		}
	}
	return present(all), nil
}

// present lists those of the sessions that live, by name, as many as fit.
func present(all []*session.Record) accountapi.WhoResponse {
	users := make([]accountapi.Present, 0, len(all))
	for _, r := range all {
		if r.Live() {
			users = append(users, accountapi.Present{User: r.User, State: string(r.State), Since: r.Since.UTC()})
		}
	}
	slices.SortFunc(users, func(a, b accountapi.Present) int { return cmp.Compare(a.User, b.User) })
	return accountapi.WhoResponse{Users: users[:min(len(users), accountapi.WhoMost)], Total: len(users)}
}
