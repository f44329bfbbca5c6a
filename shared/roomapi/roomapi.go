package roomapi

import (
	"gamehall/shared/bus"
	"gamehall/shared/event"
	"gamehall/shared/fault"
)

// Room tells the members of a room: room.chat, room.joined and room.left; * is the room's
// id.
const Room bus.Event[event.Event] = "hall.events.room.*"

// MemberSubject is where the stream keeps the [Membership] of a user; * is the user's id.
// Read it with [ParseMembership].
const MemberSubject bus.Event[Membership] = "hall.state.member.*"

// Membership is the room that a user is in, as stored. RoomID is empty when it is in none.
//
// JoinSeq is missing in the record that the join itself wrote, since nobody knows a sequence
// before it is given: [ParseMembership] fills it in.
type Membership struct {
	User    string `json:"user"`
	Room    string `json:"room,omitzero"`    // the name as its creator wrote it
	RoomID  string `json:"room_id,omitzero"` // subject token
	JoinSeq uint64 `json:"join_seq,omitzero"`
	Epoch   uint64 `json:"epoch,omitzero"` // of the session that joined
}

// EventAfter is how far after a [Membership] the event is that tells of it: both are stored as
// one, with the room's own record in between.
const EventAfter = 2

// ParseMembership reads a stored membership; seq is the sequence of that message, from which
// the join's follows.
func ParseMembership(data []byte, seq uint64) (Membership, error) {
	var m Membership
	if err := bus.Decode(data, &m); err != nil {
		return Membership{}, err
	}
	m.At(seq)
	return m, nil
}

// At fills in what the record with the sequence seq could not tell itself.
func (m *Membership) At(seq uint64) {
	if m.RoomID != "" && m.JoinSeq == 0 {
		m.JoinSeq = seq + EventAfter
	}
}

// Create makes a room and joins the caller to it.
// Faults: not_signed_in, bad_room_name, room_exists, already_in_room, rate_limited,
// unavailable.
const Create bus.Method[CreateRequest, JoinResponse] = "hall.room.create"

// CreateRequest is the name wanted, and how many members fit (0: no limit; 2 is
// one-to-one).
type CreateRequest struct {
	Room string `json:"room"`
	Max  int    `json:"max,omitzero"`
}

// Validate tells what is missing; the rules of names are those of name.Room.
func (r CreateRequest) Validate() error {
	if r.Max < 0 || r.Max == 1 {
		return fault.New(fault.BadRequest, "max must be 2 or more, or 0 for no limit")
	}
	return room(r.Room, "/CREATEROOM")
}

// JoinResponse tells the sequence of the caller's join in the room's channel: the caller
// sees what is after it.
type JoinResponse struct {
	Seq    uint64 `json:"seq"`
	Room   string `json:"room"`
	RoomID string `json:"room_id"`
}

// Join adds the caller to a room, leaving none behind: a user is in one room.
// Faults: not_signed_in, no_such_room, already_in_room, room_full, unavailable.
const Join bus.Method[JoinRequest, JoinResponse] = "hall.room.join"

// JoinRequest is the room's name, in any case.
type JoinRequest struct {
	Room string `json:"room"`
}

// Validate tells what is missing.
func (r JoinRequest) Validate() error { return room(r.Room, "/JOINROOM") }

// Quit takes the caller out of its room.
// Faults: not_signed_in, not_in_room, unavailable.
const Quit bus.Method[QuitRequest, QuitResponse] = "hall.room.quit"

// QuitRequest is empty: a user is in one room.
type QuitRequest struct{}

// Validate finds nothing to refuse.
func (QuitRequest) Validate() error { return nil }

// QuitResponse tells the sequence of the leaving, and which room it was.
type QuitResponse struct {
	Seq  uint64 `json:"seq"`
	Room string `json:"room"`
}

// Say says a line to the caller's room. Its answer means that the line is stored.
// Faults: not_signed_in, not_in_room, bad_request, too_long, unavailable.
const Say bus.Method[SayRequest, SayResponse] = "hall.room.say"

// SayRequest is the line: 1 to 2,000 bytes after trimming, no control characters.
type SayRequest struct {
	Text string `json:"text"`
}

// Validate tells a missing text.
func (r SayRequest) Validate() error {
	if r.Text == "" {
		return fault.New(fault.BadRequest, "say something: /CHATROOM text")
	}
	return nil
}

// SayResponse tells the line's sequence in the stream.
type SayResponse struct {
	Seq uint64 `json:"seq"`
}

// List tells the rooms, by name; at most [ListMost].
// Faults: not_signed_in, unavailable.
const List bus.Method[ListRequest, ListResponse] = "hall.room.list"

// ListMost bounds an answer.
const ListMost = 1000

// ListRequest is empty.
type ListRequest struct{}

// Validate finds nothing to refuse.
func (ListRequest) Validate() error { return nil }

// ListResponse is the rooms.
type ListResponse struct {
	Rooms []Listed `json:"rooms"`
}

// Listed is a room, how many are in it, and how many fit (0: no limit).
type Listed struct {
	Room    string `json:"room"`
	Members int    `json:"members"`
	Max     int    `json:"max"`
}

// Members tells who is in the caller's room, by name.
// Faults: not_signed_in, not_in_room, unavailable.
const Members bus.Method[MembersRequest, MembersResponse] = "hall.room.members"

// MembersRequest is empty.
type MembersRequest struct{}

// Validate finds nothing to refuse.
func (MembersRequest) Validate() error { return nil }

// MembersResponse is the room and the names of its members.
type MembersResponse struct {
	Room    string   `json:"room"`
	Members []string `json:"members"`
}

func room(name, usage string) error {
	if name == "" {
		return fault.New(fault.BadRequest, "say which room: %s name", usage)
	}
	return nil
}
