package room

import (
	"context"
	"fmt"

	"gamehall/shared/bus"
	"gamehall/shared/name"
	"gamehall/shared/roomapi"
)

// say says a line to the caller's room. It is stored between the caller's join and leave, or
// not at all.
func (s *Service) say(ctx context.Context, req roomapi.SayRequest) (roomapi.SayResponse, error) {
	text, err := name.Text(req.Text)
	if err != nil {
		return roomapi.SayResponse{}, err
	}
	seq, err := s.store.say(ctx, bus.Caller(ctx), msgID(ctx), text)
	if err != nil {
		return roomapi.SayResponse{}, fmt.Errorf("say: %w", err)
	}
	return roomapi.SayResponse{Seq: seq}, nil
}
