package chat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/edgeapi"
	"gamehall/shared/fault"
	"gamehall/shared/name"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// askFor is how long an edge has to answer before it is looked at whether it is still there.
// A healthy edge answers within some milliseconds.
const askFor = 500 * time.Millisecond

// pastFor is how long an edge has to say what it has delivered.
const pastFor = 100 * time.Millisecond

// pause keeps an edge that answers "busy" from being asked without end.
const pause = 20 * time.Millisecond

// whisper hands a line to the edge that holds the target's session.
func (s *Service) whisper(ctx context.Context, r chatapi.WhisperRequest) (chatapi.WhisperResponse, error) {
	text, err := name.Text(r.Text)
	if err != nil {
		return chatapi.WhisperResponse{}, err
	}
	to, err := name.User(strings.Trim(r.To, " "))
	if err != nil {
		return chatapi.WhisperResponse{}, offline(printable(r.To)) // nobody has such a name
	}
	caller := bus.Caller(ctx)
	if to == caller.User {
		return chatapi.WhisperResponse{}, fault.New(fault.BadRequest, "you can't whisper to yourself")
	}
	target, err := s.find(ctx, name.UserID(to))
	if err != nil {
		return chatapi.WhisperResponse{}, err
	}
	err = s.deliver(ctx, target, edgeapi.WhisperRequest{From: caller.User, To: to, Text: text})
	if err != nil {
		return chatapi.WhisperResponse{}, err
	}
	return chatapi.WhisperResponse{To: to, Text: text}, nil
}

// deliver asks the edge of target to deliver line until the outcome is known or ctx ends.
//
//   - The edge answers: delivered, or the session is not there. In the second case it may
//     have moved meanwhile, and its new edge is asked.
//   - Nobody is there to ask: nothing was delivered. A lease says that the edge is only cut
//     off for a moment; without one its users are offline.
//   - An edge took the line and did not answer: it may have delivered it. Then only its own
//     answer can end the question, and a retry with the same id gets that. Neither "offline"
//     nor another edge would be right, so this goes on until ctx ends, as unavailable.
func (s *Service) deliver(ctx context.Context, target session.Record, line edgeapi.WhisperRequest) error {
	// Without the caller's session: an edge knows the sessions that it holds and no others.
	// With its command id: an edge gives its first answer again to a retry.
	as := bus.As(ctx, bus.Caller(ctx).User)
	unknown := false
	for looked := ""; ; {
		if !target.Live() || target.Edge == "" { // without an edge nobody could hear it
			return offline(line.To)
		}
		if looked != target.Session {
			if looked = target.Session; s.past(as, target, line) {
				return nil
			}
		}
		line.Session = target.Session
		answer, err := edgeapi.Whisper.To(target.Edge).Call(as, s.bus.Conn(), line, bus.Patience(askFor))
		answered := err == nil
		switch {
		case answered && answer.Delivered:
			return nil
		case answered:
			unknown = false
		case fault.CodeOf(err) != fault.Unavailable || ctx.Err() != nil:
			return err
		case !errors.Is(err, bus.ErrNobody):
			unknown = true
		}
		if !unknown {
			if target, err = s.next(ctx, target, answered); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// past tells whether the command of line was delivered already, at an edge that held the target's
// session a moment ago: this may be its repetition, the first answer lost with whoever had it. An
// edge that is dead by now cannot tell, and has most likely shown nothing either: one without a
// lease is not asked, or every whisper would wait for it until nobody remembers it.
func (s *Service) past(as context.Context, target session.Record, line edgeapi.WhisperRequest) bool {
	line.Past, line.Session = bus.Command(as), ""
	for _, b := range target.Before {
		if time.Since(b.Until) > bus.AnswersKept {
			continue
		}
		looking, cancel := context.WithTimeout(as, pastFor)
		leased, err := s.leased(looking, b.Edge)
		cancel()
		if err == nil && !leased {
			continue
		}
		// A command of its own: its answer is another one each time.
		answer, err := edgeapi.Whisper.To(b.Edge).Call(bus.WithCommand(as, ""), s.bus.Conn(), line, bus.Attempt(pastFor))
		if err == nil && answer.Delivered {
			return true
		}
	}
	return false
}

// next gives the record to ask after asked, whose edge answered that the session is not
// there, or was not there itself; the zero record when the target is offline.
func (s *Service) next(ctx context.Context, asked session.Record, answered bool) (session.Record, error) {
	now, _, err := s.sessions.Read(ctx, asked.UserID)
	if err != nil || now.Session != asked.Session || now.Edge != asked.Edge {
		return now, err
	}
	if !answered {
		if leased, err := s.leased(ctx, asked.Edge); err != nil || leased {
			return now, err
		}
	}
	return session.Record{}, nil
}

// find gives the record of a user id, the zero record when there is none.
func (s *Service) find(ctx context.Context, userID string) (session.Record, error) {
	if r, ok := s.sessions.Peek(userID); ok && r.Live() {
		return r, nil
	}
	// The mirror may not know yet who signed in a moment ago.
	r, _, err := s.sessions.Read(ctx, userID)
	return r, err
}

// leased asks the bucket's leader whether edge has a lease.
func (s *Service) leased(ctx context.Context, edge string) (leased bool, err error) {
	err = streams.RetryOver(ctx, s.bus.Conn(), func(ctx context.Context) error {
		_, err := s.edges.Get(ctx, edge)
		leased = err == nil
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("read the lease of %s: %w", edge, err)
	}
	return leased, nil
}

// offline is the one answer for who is not there and who does not exist.
func offline(user string) error { return fault.New(fault.UserOffline, "%s is offline", user) }

// printableMax is how much of what somebody typed for a name is shown again, in bytes.
const printableMax = 64

// printable makes what was typed for a name safe to show: valid UTF-8, no control or
// invisible characters, not long.
func printable(typed string) string {
	var b strings.Builder
	for _, r := range strings.TrimSpace(typed) {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			continue
		}
		if b.Len()+utf8.RuneLen(r) > printableMax {
			break
		}
		b.WriteRune(r)
	}
	if b.Len() == 0 {
		return "that user"
	}
	return b.String()
}
