package chat

import (
	"context"
	"time"

	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/name"
	"gamehall/shared/streams"
)

// trustFor is how long a line may wait to be stored before its session is looked up again:
// a line of a session that was taken over may enter the lobby at most 5 s later.
const trustFor = 4 * time.Second

// say stores a line in the lobby, or several. The message ids make a retry, here or at another
// copy, the same lines.
func (s *Service) say(ctx context.Context, r chatapi.SayRequest) (chatapi.SayResponse, error) {
	caller := bus.Caller(ctx)
	left := make([]streams.Entry, 1+len(r.More))
	for i, typed := range append([]string{r.Text}, r.More...) {
		text, err := name.Text(typed)
		if err != nil {
			return chatapi.SayResponse{}, err
		}
		left[i] = streams.Entry{
			ID:    caller.ID + "." + r.LineID(bus.Command(ctx), i),
			Value: event.Event{Kind: event.Chat, From: caller.User, Text: text},
		}
	}
	var seqs []uint64
	store := s.lines.AppendAll
	for {
		attempt, cancel := context.WithTimeout(ctx, s.trust)
		some, err := store(attempt, string(chatapi.Lobby), left)
		cancel()
		seqs, left = append(seqs, some...), left[len(some):]
		if err == nil || fault.CodeOf(err) != fault.Unavailable || ctx.Err() != nil {
			return said(seqs, err)
		}
		// What is left may be stored already, and would spoil a batch for all that are in it.
		store = s.lines.Alone
		now, found, err := s.sessions.Read(ctx, caller.ID)
		if err != nil {
			return said(seqs, err)
		}
		if !found || !now.Live() || now.Session != caller.Session {
			// Not "not signed in": an attempt without an answer may have stored the line.
			return said(seqs, fault.New(fault.Unavailable, "your session ended before the line was stored, it may be lost"))
		}
	}
}

// said is the answer when these lines are stored; err says why no more are.
func said(seqs []uint64, err error) (chatapi.SayResponse, error) {
	if len(seqs) == 0 {
		return chatapi.SayResponse{}, err
	}
	return chatapi.SayResponse{Seq: seqs[0], More: seqs[1:]}, nil
}
