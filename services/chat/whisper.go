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

// sayFor is how long before its time is over a whisper is given up.
const sayFor = 250 * time.Millisecond

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
	err = s.deliver(ctx, edgeapi.WhisperRequest{From: caller.User, To: to, Text: text})
	if err != nil {
		return chatapi.WhisperResponse{}, err
	}
	return chatapi.WhisperResponse{To: to, Text: text}, nil
}

// deliver asks the edge of line's target to deliver it until the outcome is known or ctx ends.
//
//   - The edge answers: delivered, or the session is not there and has not had it. In the second
//     case it may have moved meanwhile, and its new edge is asked.
//   - Nobody is there to ask: nothing was delivered. A lease says that the edge is only cut
//     off for a moment; without one its users are offline.
//   - An edge took the line and did not answer, or may have taken it from whoever tried before: it
//     may have delivered it. Then only its own answer can end the question, and a retry with the
//     same id gets that. Neither "offline" nor another session would be right, so this goes on
//     until ctx ends or the edge is dead, as unavailable.
func (s *Service) deliver(ctx context.Context, line edgeapi.WhisperRequest) (err error) {
	all, asked := ctx, false
	if until, ok := ctx.Deadline(); ok { // so that there is time to say whom it was about
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until.Add(-sayFor))
		defer cancel()
	}
	defer func() {
		if asked && ctx.Err() != nil && all.Err() == nil && fault.CodeOf(err) == fault.Unavailable {
			err = fault.New(fault.Unavailable, "%s cannot be reached for the moment, please try again", line.To)
		}
	}()
	target, err := s.find(ctx, name.UserID(line.To))
	if err != nil {
		return err
	}
	// Without the caller's session: an edge knows the sessions that it holds and no others.
	// With its command id: an edge that had it gives its first answer again.
	user := bus.Caller(ctx).User
	as := bus.As(ctx, user)
	d, err := s.deliveries.begin(ctx, user, bus.Command(ctx), toward(target))
	for {
		if err != nil {
			return err
		}
		switch d.Outcome {
		case shown:
			return nil
		case refused:
			return offline(line.To)
		}
		line.Session, asked = d.Session, true
		answer, err := edgeapi.Whisper.To(d.Edge).Call(as, s.bus.Conn(), line, bus.Patience(askFor))
		switch {
		case err == nil && answer.Delivered:
			s.deliveries.settle(ctx, d)
			return nil
		case err == nil:
		case fault.CodeOf(err) != fault.Unavailable || ctx.Err() != nil:
			return err
		case !errors.Is(err, bus.ErrNobody):
			d.Doubt = true
		}
		if d, err = s.next(ctx, line.To, d, err == nil); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// next gives the delivery to try after d, whose edge answered that the session is not there, or
// was not there itself, or did not answer.
func (s *Service) next(ctx context.Context, to string, d delivery, answered bool) (delivery, error) {
	leased := false
	if !answered {
		var err error
		if leased, err = s.leased(ctx, d.Edge); err != nil {
			return d, err
		}
		switch {
		case d.Doubt && leased:
			return d, nil // it is slow, or cut off for the moment
		case d.Doubt:
			return d, fault.New(fault.Unavailable, "the edge of %s is gone, and may have shown it the whisper", to)
		}
	}
	now, _, err := s.sessions.Read(ctx, name.UserID(to))
	if err != nil {
		return d, err
	}
	if now.Session == d.Session && now.Edge == d.Edge {
		if leased {
			return d, nil
		}
		now = session.Record{}
	}
	return s.deliveries.move(ctx, d, toward(now))
}

// find gives the record of a user id, the zero record when there is none.
func (s *Service) find(ctx context.Context, userID string) (session.Record, error) {
	if r, ok := s.sessions.Peek(userID); ok && r.Live() && r.Detached.IsZero() {
		return r, nil
	}
	// The mirror may not know yet who signed in, or came back, a moment ago.
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
