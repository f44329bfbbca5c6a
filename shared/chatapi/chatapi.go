package chatapi

import (
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
type SayRequest struct {
	Text string `json:"text"`
}

// Validate tells a missing text; its rules are those of name.Text.
func (r SayRequest) Validate() error {
	if r.Text == "" {
		return fault.New(fault.BadRequest, "say something: the text is empty")
	}
	return nil
}

// SayResponse tells the line's sequence in the stream.
type SayResponse struct {
	Seq uint64 `json:"seq"`
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
