package room

import (
	"context"

	"gamehall/shared/roomapi"
)

// list tells the rooms as they are when it is asked.
func (s *Service) list(ctx context.Context, _ roomapi.ListRequest) (roomapi.ListResponse, error) {
	if err := s.store.current(ctx); err != nil {
		return roomapi.ListResponse{}, err
	}
	return roomapi.ListResponse{Rooms: s.mirror.list(roomapi.ListMost)}, nil
}
