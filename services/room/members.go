package room

import (
	"context"

	"gamehall/shared/bus"
	"gamehall/shared/roomapi"
)

// members tells who is in the caller's room: all that joined or left before it was asked,
// because each of them wrote the room's record.
func (s *Service) members(ctx context.Context, _ roomapi.MembersRequest) (roomapi.MembersResponse, error) {
	who := bus.Caller(ctx)
	m, _, err := s.store.readMember(ctx, who.ID)
	if err != nil {
		return roomapi.MembersResponse{}, err
	}
	if err := Speaks(m, who); err != nil {
		return roomapi.MembersResponse{}, err
	}
	_, seq, err := s.store.readRoom(ctx, m.RoomID)
	if err != nil {
		return roomapi.MembersResponse{}, err
	}
	if err := s.mirror.reach(ctx, seq); err != nil {
		return roomapi.MembersResponse{}, err
	}
	return roomapi.MembersResponse{Room: m.Room, Members: s.mirror.names(m.RoomID)}, nil
}
