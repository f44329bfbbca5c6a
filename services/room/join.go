package room

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"gamehall/shared/bus"
	"gamehall/shared/name"
	"gamehall/shared/roomapi"
)

// join adds the caller to a room.
func (s *Service) join(ctx context.Context, req roomapi.JoinRequest) (roomapi.JoinResponse, error) {
	shown, key, err := name.Room(req.Room)
	if err != nil {
		return roomapi.JoinResponse{}, noSuchRoom(harmless(req.Room))
	}
	who := bus.Caller(ctx)
	done, err := s.enter(ctx, "join", name.RoomID(key), func(r Room, m Membership) (Change, error) {
		return Join(r, m, who, shown)
	})
	if err != nil {
		return roomapi.JoinResponse{}, fmt.Errorf("join: %w", err)
	}
	return done, nil
}

// enter carries out a create or a join of the caller, and tells its edge.
func (s *Service) enter(ctx context.Context, verb, roomID string, decide func(Room, Membership) (Change, error)) (roomapi.JoinResponse, error) {
	who := bus.Caller(ctx)
	if err := s.settle(ctx, who); err != nil {
		return roomapi.JoinResponse{}, err
	}
	done, err := s.store.do(ctx, act{
		userID: who.ID, msgID: msgID(ctx), command: bus.Command(ctx), verb: verb, roomID: roomID,
		decide: func(r Room, m Membership) (Change, error) {
			if m.Epoch > who.Epoch {
				return Change{}, over()
			}
			return decide(r, m)
		},
	})
	if err != nil {
		return roomapi.JoinResponse{}, err
	}
	// The session may have ended while this was stored. One that is live now has its end told
	// after the join, so that it is heard; one that is not leaves here and now.
	now, live, err := s.live(ctx, who.ID, who.Epoch)
	switch {
	case err == nil && !live:
		return roomapi.JoinResponse{}, errors.Join(s.leave(ctx, who.ID, who.Epoch), over())
	case err == nil: // it may have been resumed meanwhile, perhaps by another edge
		who.Edge, who.Session = now.Edge, now.Session
	}
	s.tell(ctx, who, done)
	return roomapi.JoinResponse{Seq: done.Seq, Room: done.Room, RoomID: done.RoomID}, nil
}

// settle makes the caller leave a room that an earlier session of it is still in: its end has
// been claimed by the sign-in of this one, and is only not told yet.
func (s *Service) settle(ctx context.Context, who bus.Identity) error {
	m, _, known := s.mirror.member(who.ID)
	if !known || !m.In() || m.Epoch >= who.Epoch {
		// What the mirror does not know yet, a rule refuses as already_in_room: read.
		var err error
		if m, _, err = s.store.readMember(ctx, who.ID); err != nil {
			return err
		}
	}
	if !m.In() || m.Epoch >= who.Epoch {
		return nil
	}
	return s.leave(ctx, who.ID, m.Epoch)
}

// msgID is the message id of what the command in ctx stores.
func msgID(ctx context.Context) string { return bus.Caller(ctx).ID + "." + bus.Command(ctx) }

// harmless gives what was typed as it can be shown to anybody.
func harmless(typed string) string {
	const most = 32 // as many code points as a name may have
	safe := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, typed)
	if runes := []rune(strings.TrimSpace(safe)); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return strings.TrimSpace(safe)
}
