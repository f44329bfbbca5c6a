package room

import (
	"context"

	"gamehall/shared/bus"
	"gamehall/shared/roomapi"
)

// list tells the rooms, at least as new as the caller's own last change. Others' changes show
// some milliseconds late, or seconds when a NATS node has just died.
func (s *Service) list(ctx context.Context, _ roomapi.ListRequest) (roomapi.ListResponse, error) {
	_, seq, err := s.store.readMember(ctx, bus.Caller(ctx).ID)
	if err != nil {
		return roomapi.ListResponse{}, err
	}
	if err := s.mirror.reach(ctx, seq); err != nil {
		return roomapi.ListResponse{}, err
	}
	return roomapi.ListResponse{Rooms: s.mirror.list(roomapi.ListMost)}, nil
}
