package room

import (
	"slices"
	"time"

	"gamehall/shared/bus"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/roomapi"
)

// OwnedMost is how many rooms of one user may exist at a time, so that nobody fills the list.
const OwnedMost = 5

// How long, and how many, answers are kept in a user's record. The first is the stream's
// window for repeated ids; the second bounds the record and is more than a session's rate
// allows in the 30 s that anybody retries.
const (
	doneFor  = bus.AnswersKept
	doneMost = 256
)

// Room is a room's record. It counts its members; who they are stands in their own records, so
// that a join writes as much in a full hall as in an empty one.
type Room struct {
	Name       string    `json:"room"` // as its creator wrote it
	ID         string    `json:"room_id"`
	Owner      string    `json:"owner"`
	OwnerID    string    `json:"owner_id"`
	Max        int       `json:"max,omitzero"` // 0: no limit
	Members    int       `json:"members"`
	EmptySince time.Time `json:"empty_since,omitzero"` // when Members is 0
	Gone       bool      `json:"gone,omitzero"`        // the name is free again
}

// Exists tells whether the room can be joined and keeps its name.
func (r Room) Exists() bool { return r.ID != "" && !r.Gone }

// Expired tells whether the room has been empty for after.
func (r Room) Expired(now time.Time, after time.Duration) bool {
	return r.Exists() && r.Members == 0 && now.Sub(r.EmptySince) >= after
}

// Membership is a user's record: the room that it is in, and what the rules must remember.
type Membership struct {
	roomapi.Membership
	Owned []string `json:"owned,omitzero"` // ids of rooms that it created; some may be gone
	Last  Last     `json:"last,omitzero"`
	Done  []Done   `json:"done,omitzero"` // its commands of the last two minutes
}

// Last is the last leaving: lines up to Seq in that room may be the user's.
type Last struct {
	RoomID string `json:"room_id,omitzero"`
	Seq    uint64 `json:"seq,omitzero"` // see [Membership.At]
}

// Done is a command that was carried out, and its answer.
type Done struct {
	Command string    `json:"command"`
	Verb    string    `json:"verb"`
	Room    string    `json:"room"`
	RoomID  string    `json:"room_id"`
	Seq     uint64    `json:"seq,omitzero"` // see [Membership.At]
	At      time.Time `json:"at"`
}

// At fills in the sequences that the record with the sequence seq could not know when it was
// written: those of its own event (see [roomapi.EventAfter]).
func (m *Membership) At(seq uint64) {
	m.Membership.At(seq)
	if m.Last.RoomID != "" && m.Last.Seq == 0 {
		m.Last.Seq = seq + roomapi.EventAfter
	}
	if n := len(m.Done); n > 0 && m.Done[n-1].Seq == 0 {
		m.Done[n-1].Seq = seq + roomapi.EventAfter
	}
}

// In tells whether the user is in a room.
func (m Membership) In() bool { return m.RoomID != "" }

// Did gives the answer of a command that was carried out.
func (m Membership) Did(command string) (Done, bool) {
	i := slices.IndexFunc(m.Done, func(d Done) bool { return command != "" && d.Command == command })
	if i < 0 {
		return Done{}, false
	}
	return m.Done[i], true
}

// did remembers a command. It forgets those that nobody retries any more.
func (m *Membership) did(d Done) {
	m.Done = slices.DeleteFunc(slices.Clone(m.Done), func(o Done) bool { return d.At.Sub(o.At) > doneFor })
	m.Done = append(m.Done, d)
	m.Done = m.Done[max(0, len(m.Done)-doneMost):]
}

// Change is what a rule decides: both records as they are afterwards, and the event that tells
// it. All three are stored, or nothing.
type Change struct {
	Room   Room
	Member Membership
	Event  event.Event
}

// Create makes a room out of the record r of its name, which is empty or gone, with who in it.
// m.Owned holds only rooms that exist.
// Faults: room_exists, already_in_room, rate_limited.
func Create(r Room, m Membership, who bus.Identity, shown, id string, most int) (Change, error) {
	switch {
	case r.Exists():
		return Change{}, fault.New(fault.RoomExists, "room %s exists", r.Name)
	case m.In():
		return Change{}, alreadyIn(m)
	case len(m.Owned) >= OwnedMost:
		return Change{}, fault.New(fault.RateLimited,
			"you own %d rooms already, please try again when one of them is gone", len(m.Owned))
	}
	m.Owned = append(slices.Clone(m.Owned), id)
	return enter(Room{Name: shown, ID: id, Owner: who.User, OwnerID: who.ID, Max: most}, m, who), nil
}

// Join puts who into r; shown is the name to tell when there is no such room.
// Faults: no_such_room, already_in_room, room_full.
func Join(r Room, m Membership, who bus.Identity, shown string) (Change, error) {
	switch {
	case !r.Exists():
		return Change{}, noSuchRoom(shown)
	case m.In():
		return Change{}, alreadyIn(m)
	case r.Max > 0 && r.Members >= r.Max:
		return Change{}, fault.New(fault.RoomFull, "room %s is full, %d are in it", r.Name, r.Members)
	}
	return enter(r, m, who), nil
}

func enter(r Room, m Membership, who bus.Identity) Change {
	r.Members++
	r.EmptySince = time.Time{}
	m.Membership = roomapi.Membership{User: who.User, Room: r.Name, RoomID: r.ID, Epoch: who.Epoch}
	return Change{Room: r, Member: m, Event: event.Event{
		Kind: event.RoomJoined, User: who.User, UserID: who.ID, Epoch: who.Epoch, Room: r.Name,
	}}
}

// Quit takes the user userID out of its room, whose record is r.
// Faults: not_in_room.
func Quit(r Room, m Membership, userID string, now time.Time) (Change, error) {
	if !m.In() {
		return Change{}, notInRoom()
	}
	c := Change{Member: m, Event: event.Event{
		Kind: event.RoomLeft, User: m.User, UserID: userID, Epoch: m.Epoch, Room: m.Room,
	}}
	c.Member.Membership = roomapi.Membership{User: m.User}
	c.Member.Last = Last{RoomID: m.RoomID}
	if !r.Exists() { // nobody is kept in a room whose record is lost
		c.Room = Remove(Room{Name: m.Room, ID: m.RoomID})
		return c, nil
	}
	r.Members = max(0, r.Members-1)
	if r.Members == 0 {
		r.EmptySince = now
	}
	c.Room = r
	return c, nil
}

// Remove makes the name of r free. The record stays as a mark until it is too old, so that a
// late write that knew the room is refused.
func Remove(r Room) Room { return Room{Name: r.Name, ID: r.ID, Gone: true} }

// Speaks gives the room that who may speak in, or listen to.
// Faults: not_in_room, not_signed_in.
func Speaks(m Membership, who bus.Identity) error {
	switch {
	case !m.In() || m.Epoch < who.Epoch: // whoever joined was an earlier session
		return notInRoom()
	case m.Epoch > who.Epoch:
		return over()
	}
	return nil
}

// over is told to a session that a later one has followed.
func over() error { return fault.New(fault.NotSignedIn, "please sign in first") }

func alreadyIn(m Membership) error {
	return fault.New(fault.AlreadyInRoom, "you are already in %s", m.Room)
}

func notInRoom() error { return fault.New(fault.NotInRoom, "you are not in a room") }

func noSuchRoom(shown string) error {
	return fault.New(fault.NoSuchRoom, "no such room: %s", shown)
}
