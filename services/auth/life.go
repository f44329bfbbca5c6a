package auth

import (
	"context"
	"errors"
	"strconv"
	"time"

	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/edgeapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// What every session goes through, whoever moves it on: a claim is told to the hall and
// settled; an end is marked, told and deleted. Each step can be repeated by anybody.

// How long an edge may take to say a word about a connection. One that has just let the
// first time pass is told, in case it only paused, and hardly waited for again.
const (
	edgeFor       = time.Second
	silentEdgeFor = 100 * time.Millisecond
)

// errOver says that a session is not its user's any more.
var errOver = errors.New("the session is over")

// complete finishes the claim r: the edge of the session before is told, then the hall,
// then the claim is settled. It gives the lobby's sequence of the joining. Its error is
// errOver when the session has ended or was taken over meanwhile.
func (s *Service) complete(ctx context.Context, r session.Record) (seq uint64, err error) {
	told := s.tellEdge(ctx, r)
	if seq, err = s.tellHall(ctx, r); err != nil {
		return 0, err
	}
	return seq, s.settle(ctx, r, told, seq)
}

// tellEdge tells the edge that held the session before r that it is over. told is false
// when it did not answer; the reaper tells it again.
func (s *Service) tellEdge(ctx context.Context, r session.Record) (told bool) {
	p := r.Prev
	if p == nil || p.Edge == "" {
		return true
	}
	if p.Edge == r.Edge && p.Conn == r.Conn {
		// The same connection signed in again because it never learned that it had; to tell
		// it would close it.
		return true
	}
	patience := edgeFor
	if p.EdgeLost {
		patience = silentEdgeFor
	}
	return s.tellOf(ctx, p, patience)
}

// tellOf tells the edge of p that p is over, and gives whether it heard that.
func (s *Service) tellOf(ctx context.Context, p *session.Previous, patience time.Duration) (told bool) {
	_, err := edgeapi.Takeover.To(p.Edge).Call(asOurselves(ctx), s.bus.Conn(),
		edgeapi.TakeoverRequest{Conn: p.Conn, Session: p.Session, Resumed: p.Resumed}, bus.Attempt(patience))
	return fault.CodeOf(err) != fault.Unavailable && ctx.Err() == nil
}

// asOurselves makes calls that are commands of their own: an edge would answer the user's
// command id with what it said a moment ago, about another connection.
func asOurselves(ctx context.Context) context.Context {
	return bus.WithCommand(bus.AsSession(ctx, "", ""), "")
}

// tellHall stores what follows from the claim r: that the session before it left, then that
// it joined. It gives the sequence of the joining. A repetition within the stream's window
// changes nothing.
func (s *Service) tellHall(ctx context.Context, r session.Record) (uint64, error) {
	if p := r.Prev; p != nil && !p.Resumed {
		before := session.Record{
			User: r.User, UserID: r.UserID, Claimed: p.Epoch, Edge: p.Edge,
			Since: p.Since, Until: p.Until, EdgeLost: p.EdgeLost,
		}
		if _, err := s.publish(ctx, event.Left, before); err != nil {
			return 0, err
		}
	}
	return s.publish(ctx, event.Joined, r)
}

// publish stores joined or left of r's epoch.
func (s *Service) publish(ctx context.Context, kind string, r session.Record) (uint64, error) {
	e := event.Event{Kind: kind, User: r.User, UserID: r.UserID, Epoch: r.Epoch(), Edge: r.Edge, Since: r.Since}
	if kind == event.Left {
		e.Until, e.EdgeLost = r.Until, r.EdgeLost
	}
	id := kind + "." + r.UserID + "." + strconv.FormatUint(r.Epoch(), 10)
	return streams.Publish(ctx, s.js, string(chatapi.Lobby), id, e)
}

// settle notes that the hall was told of the claim r and, if edgeTold, that nothing is left
// to do for the session before it. Since it is a compare-and-set, its success is the proof
// that nobody took the session over meanwhile; errOver if somebody did.
func (s *Service) settle(ctx context.Context, r session.Record, edgeTold bool, joined uint64) error {
	epoch := r.Epoch()
	for {
		next := r
		next.Claimed = epoch
		if joined != 0 {
			next.Joined = joined
		}
		if edgeTold {
			next.Prev = nil
		}
		_, err := s.sessions.write(ctx, next, r.Revision)
		if err == nil || !streams.Conflict(err) {
			return err
		}
		have, found, err := s.sessions.read(ctx, r.UserID)
		switch {
		case err != nil:
			return err
		case !found || have.Epoch() != epoch || !have.Live():
			return errOver
		case have.Claimed != 0 && (have.Prev == nil || !edgeTold):
			return nil // another copy, or an attempt of ours without an answer
		}
		r = have
	}
}

// ending says how a session ends: when, if that was before now, whether for a dead edge, and by
// whose word.
type ending struct {
	until   time.Time
	lost    bool
	command string // the sign-out that asked for it, if any
}

// end ends the session r, which anybody may be ending or replacing at the same time. It
// gives the lobby's sequence of the leaving, or errOver when r's epoch is past, or when its
// client has come back on another connection.
func (s *Service) end(ctx context.Context, r session.Record, how ending) (uint64, error) {
	epoch := r.Epoch()
	for {
		if r.State == session.Ending {
			return s.finish(ctx, r)
		}
		if r.Claimed == 0 {
			// Whoever claimed it died before the hall was told, or is at it right now.
			if _, err := s.tellHall(ctx, r); err != nil {
				return 0, err
			}
		}
		next := r
		next.State, next.Claimed, next.Prev = session.Ending, epoch, nil
		next.SignedOut, next.Left = how.command, 0
		next.Until, next.EdgeLost = within(how.until, r.Since, time.Now()), how.lost
		next, err := s.sessions.write(ctx, next, r.Revision)
		if err == nil {
			return s.finish(ctx, next)
		}
		if !streams.Conflict(err) {
			return 0, err
		}
		have, found, err := s.sessions.read(ctx, r.UserID)
		if err != nil {
			return 0, err
		}
		if !found || have.Epoch() != epoch || have.Session != r.Session {
			return 0, errOver
		}
		r = have
	}
}

// finish tells the hall of a session that is Ending, and deletes it.
func (s *Service) finish(ctx context.Context, r session.Record) (uint64, error) {
	seq, err := s.publish(ctx, event.Left, r)
	if err != nil {
		return 0, err
	}
	r.Left = seq
	return seq, s.sessions.remove(ctx, r)
}

// within gives until where it lies between since and now, and the nearer of them where it
// does not: clocks differ between machines. The zero time, unknown, stays.
func within(until, since, now time.Time) time.Time {
	switch {
	case until.IsZero():
		return until
	case until.Before(since):
		return since
	case until.After(now):
		return now.UTC()
	}
	return until.UTC()
}
