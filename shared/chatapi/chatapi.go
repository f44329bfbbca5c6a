package chatapi

import (
	"strconv"

	"gamehall/shared/bus"
	"gamehall/shared/event"
	"gamehall/shared/fault"
)

// Lobby tells everybody in the lobby: chat, joined and left, in one order.
const Lobby bus.Event[event.Event] = "hall.events.lobby"

// Say says a line in the lobby. Its answer means that the line is stored.
// Faults: not_signed_in, bad_request, too_long, unavailable.
const Say bus.Method[SayRequest, SayResponse] = "hall.chat.say"

// SayRequest is the line: 1 to 2,000 bytes after trimming, no control characters.
//
// More are lines that the same user says behind it. They are stored in their order, each as a line
// of its own with a sequence and a command id ([SayRequest.LineID]), and share the way to the
// disk. A line among them that breaks the rules has the whole request refused, with nothing
// stored: who sends several has looked at each.
type SayRequest struct {
	Text string   `json:"text"`
	More []string `json:"more,omitempty"`
}

// SayMost is how many lines one request may have, so that the first is told before long, whatever
// the disk does.
const SayMost = 32

// Validate tells a missing text, or too many of them; their rules are those of name.Text.
func (r SayRequest) Validate() error {
	if r.Text == "" {
		return fault.New(fault.BadRequest, "say something: the text is empty")
	}
	if len(r.More) >= SayMost {
		return fault.New(fault.BadRequest, "say at most %d lines at once", SayMost)
	}
	return nil
}

// LineID is the command id of the line number n, from 0 on, of a request with this command id: so
// each may also be sent again by itself. One line alone has the request's.
func (r SayRequest) LineID(command string, n int) string {
	if len(r.More) == 0 {
		return command
	}
	return command + "." + strconv.Itoa(n)
}

// SayResponse tells the line's sequence in the stream, and those of More. When there are fewer of
// those than were asked for, it is not known whether the others are stored.
type SayResponse struct {
	Seq  uint64   `json:"seq"`
	More []uint64 `json:"more,omitempty"`
}

// Whisper says a line to one user. Its answer means that the user's edge has it.
// Faults: not_signed_in, bad_request, too_long, user_offline, unavailable.
const Whisper bus.Method[WhisperRequest, WhisperResponse] = "hall.chat.whisper"

// WhisperRequest is the line and the user's name, in any case.
type WhisperRequest struct {
	To   string `json:"to"`
	Text string `json:"text"`
}

// Validate tells a missing member.
func (r WhisperRequest) Validate() error {
	if r.To == "" || r.Text == "" {
		return fault.New(fault.BadRequest, "say to whom, and what: /W user text")
	}
	return nil
}

// WhisperResponse tells the target's name as the hall writes it, and the text as delivered.
type WhisperResponse struct {
	To   string `json:"to"`
	Text string `json:"text"`
}

// History tells what a channel heard, oldest first.
// Faults: not_signed_in, bad_request, not_in_room, unavailable.
const History bus.Method[HistoryRequest, HistoryResponse] = "hall.chat.history"

// The most events of one answer, and how many without a limit.
const (
	HistoryMost    = 100
	HistoryDefault = 20
)

// HistoryRequest asks for the last Limit events (0: 20, at most 100) of Channel ("" or
// "lobby", "game21", or "room:<name>" for its members, from their own join on) before the
// sequence Before (0: the newest).
type HistoryRequest struct {
	Channel string `json:"channel,omitzero"`
	Limit   int    `json:"limit,omitzero"`
	Before  uint64 `json:"before,omitzero"`
}

// Validate refuses limits that cannot be.
func (r HistoryRequest) Validate() error {
	if r.Limit < 0 || r.Limit > HistoryMost {
		return fault.New(fault.BadRequest, "limit must be 1 to %d", HistoryMost)
	}
	return nil
}

// HistoryResponse is the events, oldest first.
type HistoryResponse struct {
	Events []event.Stored `json:"events"`
}
