package edgeapi

import "gamehall/shared/bus"

// Alive asks whether a connection still stands. It is what a second sign-in is decided by.
const Alive bus.Method[AliveRequest, AliveResponse] = "hall.edge.*.alive"

// AliveRequest names the connection, by the id that its edge gave it.
type AliveRequest struct {
	Conn string `json:"conn"`
}

// Validate finds nothing to refuse.
func (AliveRequest) Validate() error { return nil }

// AliveResponse says whether the connection stands. Silent says that it stands, or is not
// known to have stood, and sent nothing after it resumed a session.
type AliveResponse struct {
	Alive  bool `json:"alive"`
	Silent bool `json:"silent,omitzero"`
}

// Takeover tells that a session was taken over: the edge gives it no answer any more, tells
// its connection so and closes it. It answers once no further ok can reach the old client.
const Takeover bus.Method[TakeoverRequest, TakeoverResponse] = "hall.edge.*.takeover"

// TakeoverRequest names the session that is over.
type TakeoverRequest struct {
	Conn    string `json:"conn"`
	Session string `json:"session"`
	Resumed bool   `json:"resumed,omitzero"` // the same client came back on another connection
}

// Validate finds nothing to refuse.
func (TakeoverRequest) Validate() error { return nil }

// TakeoverResponse is empty.
type TakeoverResponse struct{}

// Whisper delivers a line to one session. The edge drops a command id that it has delivered, and
// says again that it was, also when the session is gone meanwhile.
const Whisper bus.Method[WhisperRequest, WhisperResponse] = "hall.edge.*.whisper"

// WhisperRequest is the line, who said it to whom, and the session it is for. It holds no
// time: a retry, also by another copy of chat, is the same request and so known again.
type WhisperRequest struct {
	Session string `json:"session"`
	From    string `json:"from"`
	To      string `json:"to"`
	Text    string `json:"text"`
}

// Validate finds nothing to refuse.
func (WhisperRequest) Validate() error { return nil }

// WhisperResponse says whether the session was there to get it.
type WhisperResponse struct {
	Delivered bool `json:"delivered"`
}

// Entered tells a session that its user is in a room, whoever asked for it: it sees what
// the room hears after Seq.
const Entered bus.Method[EnteredRequest, EnteredResponse] = "hall.edge.*.entered"

// EnteredRequest is the room and the sequence of the join.
type EnteredRequest struct {
	Session string `json:"session"`
	Room    string `json:"room"`
	RoomID  string `json:"room_id"`
	Seq     uint64 `json:"seq"`
}

// Validate finds nothing to refuse.
func (EnteredRequest) Validate() error { return nil }

// EnteredResponse is empty.
type EnteredResponse struct{}
