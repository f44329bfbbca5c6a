package room

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"gamehall/shared/bus"
	"gamehall/shared/roomapi"
)

// quit takes the caller out of its room. Both records and the event that tells the room are
// stored as one, so none can be lost without the others.
func (s *Service) quit(ctx context.Context, _ roomapi.QuitRequest) (roomapi.QuitResponse, error) {
	who := bus.Caller(ctx)
	done, err := s.store.do(ctx, act{
		userID: who.ID, msgID: msgID(ctx), command: bus.Command(ctx), verb: "quit",
		decide: func(r Room, m Membership) (Change, error) {
			if err := Speaks(m, who); err != nil {
				return Change{}, err
			}
			return Quit(r, m, who.ID, s.cfg.Now())
		},
	})
	if err != nil {
		return roomapi.QuitResponse{}, fmt.Errorf("quit: %w", err)
	}
	return roomapi.QuitResponse{Seq: done.Seq, Room: done.Room}, nil
}

// leave takes a user out of the room that a session up to epoch joined, if it is in one: the
// session is over. It may be called any number of times; the room is told once.
func (s *Service) leave(ctx context.Context, userID string, epoch uint64) error {
	m, _, err := s.store.readMember(ctx, userID)
	if err != nil || !m.In() || m.Epoch > epoch {
		return err
	}
	joined := m.JoinSeq
	_, err = s.store.do(ctx, act{
		userID: userID, msgID: "room.left." + userID + "." + strconv.FormatUint(joined, 10),
		decide: func(r Room, m Membership) (Change, error) {
			if !m.In() || m.JoinSeq != joined {
				return Change{}, errNothing
			}
			return Quit(r, m, userID, s.cfg.Now())
		},
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("leave the room of a session that ended: %w", err)
	}
	return nil
}
