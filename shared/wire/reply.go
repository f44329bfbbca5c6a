package wire

import (
	"time"

	"gamehall/shared/accountapi"
	"gamehall/shared/chatapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/game21api"
	"gamehall/shared/roomapi"
)

// Reply answers a command: Err when it failed, else the member for its type; those that
// need none have none.
type Reply struct {
	Type string
	Err  *fault.Error

	User       string // signup, signin, signout
	Token      string // signin, resume: frames and WebSocket
	Seq        uint64 // signin, resume, say, room.*
	Room       string // resume, room.create, room.join, room.quit
	OnlineTime accountapi.OnlineTimeResponse
	Who        accountapi.WhoResponse
	Whisper    chatapi.WhisperResponse
	History    []event.Stored
	Rooms      []roomapi.Listed
	Members    roomapi.MembersResponse
	Answer     game21api.AnswerResponse
	Status     game21api.StatusResponse
	Scores     game21api.ScoresResponse
}

// The kinds of [Private].
const (
	KindWhisper = "whisper"
	KindNotice  = "notice"
	KindGap     = "gap"
	KindClosing = "closing"
)

// Private is an event for one session: a whisper, a notice of the hall, a gap, or that the
// connection is about to be closed.
type Private struct {
	Kind       string
	From       string        // whisper
	To         string        // whisper
	Text       string        // whisper, notice
	Channel    string        // gap
	Missed     int           // gap
	Reason     Reason        // closing
	RetryAfter time.Duration // closing
}

// Reason says why a connection is closed.
type Reason string

// The reasons. With Restart, Unavailable and SlowConsumer a client may connect again.
const (
	Restart           Reason = "restart"
	Unavailable       Reason = "unavailable"
	SlowConsumer      Reason = "slow_consumer"
	SignedInElsewhere Reason = "signed_in_elsewhere"
	Idle              Reason = "idle"
	Heartbeat         Reason = "heartbeat"
	Protocol          Reason = "protocol"
	Bye               Reason = "bye" // the client asked for it; it is not told
)
