package chat

import (
	"context"
	"strings"
	"time"

	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/name"
	"gamehall/shared/roomapi"
	"gamehall/shared/streams"
)

// roomPrefix begins a room's channel in clients' words.
const roomPrefix = "room:"

// channel is what may be read of one.
type channel struct {
	client  string // the clients' name: "lobby", "room:<name>"
	subject string // where the stream keeps it
	after   uint64 // the reader sees what is after this sequence
}

// history reads a channel from the stream. An answer of HistoryMost events of 2 KB each,
// all of whose characters need an escape, stays below half of what NATS carries (1 MiB).
func (s *Service) history(ctx context.Context, r chatapi.HistoryRequest) (chatapi.HistoryResponse, error) {
	c, err := s.channel(ctx, r.Channel)
	if err != nil {
		return chatapi.HistoryResponse{}, err
	}
	limit := r.Limit
	if limit == 0 {
		limit = chatapi.HistoryDefault
	}
	var msgs []streams.Msg
	err = streams.Retry(ctx, func(ctx context.Context) error {
		// One more, to tell the first one's predecessor.
		msgs, err = streams.History(ctx, s.js, c.subject, c.after, r.Before, limit+1)
		return err
	})
	if err != nil {
		return chatapi.HistoryResponse{}, err
	}
	prev := c.after // in a room the reader's own join is what comes before the first
	if len(msgs) > limit {
		prev = msgs[0].Seq
		msgs = msgs[1:]
	}
	return chatapi.HistoryResponse{Events: s.decode(c, msgs, prev)}, nil
}

// decode gives the events in msgs as clients may see them. One that cannot be read is left
// out and told once.
func (s *Service) decode(c channel, msgs []streams.Msg, prev uint64) []event.Stored {
	events := make([]event.Stored, 0, len(msgs))
	for _, m := range msgs {
		e, err := m.Decode(c.client, prev)
		if err != nil {
			if _, told := s.poison.LoadOrStore(m.Seq, true); !told {
				s.log.Error("an event cannot be read", "subject", m.Subject, "seq", m.Seq, "error", err)
			}
			continue
		}
		e.Event = public(e.Event)
		events = append(events, e)
		prev = m.Seq
	}
	return events
}

// public leaves out what only services are to know.
func public(e event.Event) event.Event {
	e.UserID, e.Epoch, e.Edge = "", 0, ""
	e.Since, e.Until, e.EdgeLost = time.Time{}, time.Time{}, false
	return e
}

// channel finds what the caller may read under the name that clients give it.
func (s *Service) channel(ctx context.Context, client string) (channel, error) {
	switch room, isRoom := strings.CutPrefix(client, roomPrefix); {
	case client == "":
		return channel{client: streams.LobbyChannel, subject: streams.Subject(streams.LobbyChannel)}, nil
	case client == streams.LobbyChannel, client == streams.GameChannel:
		return channel{client: client, subject: streams.Subject(client)}, nil
	case isRoom:
		return s.room(ctx, room)
	}
	return channel{}, fault.New(fault.BadRequest, "no such channel; there are %s, %s and %s<name of your room>",
		streams.LobbyChannel, streams.GameChannel, roomPrefix)
}

// room finds the channel of a room that the caller is in.
func (s *Service) room(ctx context.Context, typed string) (channel, error) {
	outside := fault.New(fault.NotInRoom, "you are not in that room")
	_, key, err := name.Room(typed)
	if err != nil {
		return channel{}, outside // there is no such room to be in
	}
	m, err := s.membership(ctx, bus.Caller(ctx).ID)
	if err != nil {
		return channel{}, err
	}
	if m.RoomID == "" || m.RoomID != name.RoomID(key) || m.Epoch != bus.Caller(ctx).Epoch {
		return channel{}, outside
	}
	return channel{client: roomPrefix + m.Room, subject: roomapi.Room.Of(m.RoomID), after: m.JoinSeq}, nil
}

// membership reads the room that a user is in from the stream's leader, so that who has
// just joined may read and who has just left may not.
func (s *Service) membership(ctx context.Context, userID string) (m roomapi.Membership, err error) {
	err = streams.Retry(ctx, func(ctx context.Context) error {
		stored, found, err := streams.Last(ctx, s.js, streams.Events, roomapi.MemberSubject.Of(userID))
		if err != nil || !found {
			return err
		}
		m, err = roomapi.ParseMembership(stored.Data, stored.Seq)
		return err
	})
	return m, err
}
