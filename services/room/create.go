package room

import (
	"context"
	"fmt"

	"gamehall/shared/bus"
	"gamehall/shared/name"
	"gamehall/shared/roomapi"
)

// create makes a room with the caller in it. Of two that create one name, on whichever copies,
// one wins: both write the record that the name alone determines.
func (s *Service) create(ctx context.Context, req roomapi.CreateRequest) (roomapi.JoinResponse, error) {
	shown, key, err := name.Room(req.Room)
	if err != nil {
		return roomapi.JoinResponse{}, err
	}
	id, who := name.RoomID(key), bus.Caller(ctx)
	done, err := s.enter(ctx, "create", id, func(r Room, m Membership) (Change, error) {
		if len(m.Owned) >= OwnedMost {
			owned, err := s.store.owned(ctx, who.ID, m.Owned)
			if err != nil {
				return Change{}, err
			}
			m.Owned = owned
		}
		return Create(r, m, who, shown, id, req.Max)
	})
	if err != nil {
		return roomapi.JoinResponse{}, fmt.Errorf("create: %w", err)
	}
	return done, nil
}
