package account

import (
	"context"
	"slices"
	"time"

	"gamehall/shared/accountapi"
	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/session"
	"gamehall/shared/storage"
)

// onlineTime sums up the caller's sessions. The running one is taken from the bucket: its
// joined may not be stored here yet. The ends of the former ones may not be, either.
func (s *Service) onlineTime(ctx context.Context, _ accountapi.OnlineTimeRequest) (accountapi.OnlineTimeResponse, error) {
	caller := bus.Caller(ctx)
	r, found, err := s.record(ctx, caller)
	if err == nil && found {
		err = s.tellFormer(ctx, r)
	}
	var all []span
	if err == nil {
		all, err = s.store.of(ctx, caller.ID)
	}
	if storage.IsBusy(err) {
		return accountapi.OnlineTimeResponse{}, fault.New(fault.Unavailable, "the hall is busy, please try again")
	}
	if err != nil {
		return accountapi.OnlineTimeResponse{}, err
	}
	if found {
		all = slices.DeleteFunc(all, func(sp span) bool { return sp.Epoch == caller.Epoch })
		lasted := s.watch.elapsed(caller.ID, caller.Epoch, r.Since)
		all = append(all, span{Epoch: caller.Epoch, Since: r.Since, Until: r.Since.Add(lasted)})
	}
	return accountapi.OnlineTimeResponse{Seconds: int64(online(all) / time.Second)}, nil
}

// record gives the record of the caller's session; found is false when it is over by now.
func (s *Service) record(ctx context.Context, caller bus.Identity) (r session.Record, found bool, err error) {
	if r, ok := s.sessions.Peek(caller.ID); ok && r.Session == caller.Session {
		return r, true, nil
	}
	// It is too new for the mirror.
	r, found, err = s.sessions.Read(ctx, caller.ID)
	return r, found && r.Session == caller.Session, err
}
