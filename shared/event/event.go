package event

import (
	"bytes"
	"time"
)

// The kinds. Those of a room start with "room.", those of the game with "game21.".
const (
	Chat           = "chat"
	Joined         = "joined"
	Left           = "left"
	RoomChat       = "room.chat"
	RoomJoined     = "room.joined"
	RoomLeft       = "room.left"
	Game21Started  = "game21.started"
	Game21Answered = "game21.answered"
	Game21Ended    = "game21.ended"
)

// Event is one stored event. Which members are set depends on Kind; a client sees only
// those that the protocol names, the rest is for services.
type Event struct {
	Kind string `json:"event"`

	From string `json:"from,omitzero"` // chat, room.chat: who said it
	Text string `json:"text,omitzero"`
	User string `json:"user,omitzero"` // joined, left, room.joined, room.left, game21.answered
	Room string `json:"room,omitzero"` // room.*: the room's name as its creator wrote it

	Round      int       `json:"round,omitzero"`   // game21.*
	Numbers    []int     `json:"numbers,omitzero"` // game21.started: four
	EndsAt     time.Time `json:"ends_at,omitzero"` // game21.started
	Answers    int       `json:"answers,omitzero"` // game21.ended: how many counted
	Winner     string    `json:"winner,omitzero"`  // game21.ended: "" if none
	Expression string    `json:"expression,omitzero"`
	Value      string    `json:"value,omitzero"`
	Best       *Solution `json:"best,omitzero"`

	// For services. Since and Until bound the session's online time: Since in joined and
	// left, Until in left when the end was earlier than the event (a dead edge's last
	// renewal, a vanished client's last byte). EdgeLost says that the session was ended for
	// a dead edge, so that its online time ends at that edge's last known renewal.
	UserID   string    `json:"user_id,omitzero"`
	Epoch    uint64    `json:"epoch,omitzero"`
	Edge     string    `json:"edge,omitzero"`
	Since    time.Time `json:"since,omitzero"`
	Until    time.Time `json:"until,omitzero"`
	EdgeLost bool      `json:"edge_lost,omitzero"`
}

// Solution is an expression of the game of 21 and its exact value ("20", "41/2").
type Solution struct {
	Expression string `json:"expression"`
	Value      string `json:"value"`
}

// Stored is an event as the stream has it. Seq is its sequence, Prev that of the one before
// it in the same channel (0 when unknown or expired), At the server's time of storing it.
type Stored struct {
	Channel string    `json:"channel"`
	Seq     uint64    `json:"seq"`
	Prev    uint64    `json:"prev"`
	At      time.Time `json:"at"`
	Event
}

// chat is how a line of the lobby begins, as it is encoded here: its kind comes first.
var chat = []byte(`{"event":"` + Chat + `",`)

// IsChat tells without decoding whether a stored event is a line of the lobby, which most of them
// are, for who wants the others. One that somebody else encoded, it may not recognise.
func IsChat(data []byte) bool { return bytes.HasPrefix(data, chat) }
