package chat

import (
	"context"
	"time"

	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/name"
)

// trustFor is how long a line may wait to be stored before its session is looked up again:
// a line of a session that was taken over may enter the lobby at most 5 s later.
const trustFor = 4 * time.Second

// say stores a line in the lobby. The message id makes a retry, here or at another copy,
// the same line.
func (s *Service) say(ctx context.Context, r chatapi.SayRequest) (chatapi.SayResponse, error) {
	text, err := name.Text(r.Text)
	if err != nil {
		return chatapi.SayResponse{}, err
	}
	caller := bus.Caller(ctx)
	line := event.Event{Kind: event.Chat, From: caller.User, Text: text}
	store := s.lines.Append
	for {
		attempt, cancel := context.WithTimeout(ctx, s.trust)
		seq, err := store(attempt, string(chatapi.Lobby), caller.ID+"."+bus.Command(ctx), line)
		cancel()
		if err == nil || fault.CodeOf(err) != fault.Unavailable || ctx.Err() != nil {
			return chatapi.SayResponse{Seq: seq}, err
		}
		// It may be stored already, and would spoil a batch for all that are in it.
		store = s.lines.Alone
		now, found, err := s.sessions.Read(ctx, caller.ID)
		if err != nil {
			return chatapi.SayResponse{}, err
		}
		if !found || !now.Live() || now.Session != caller.Session {
			// Not "not signed in": an attempt without an answer may have stored the line.
			return chatapi.SayResponse{}, fault.New(fault.Unavailable, "your session ended before the line was stored, it may be lost")
		}
	}
}
