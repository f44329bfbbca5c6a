package auth

import (
	"context"
	"time"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/edgeapi"
	"gamehall/shared/fault"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// obstacle is what stands under a user's id in the way of a sign-in.
type obstacle int

const (
	nothing  obstacle = iota // claim it
	mine                     // this command claimed it before
	spent                    // this command claimed it before, and it is over
	finished                 // it is over, and has to be told and deleted
	orphan                   // live, but nobody holds it: claim it
	held                     // live: its edge is asked
)

// obstacleTo judges what have is for a sign-in by command on that connection.
func obstacleTo(have session.Record, found bool, command, edge, conn string, now time.Time) obstacle {
	own := have.Command == command
	switch {
	case own && have.Live():
		return mine
	case own && now.Sub(have.Written) < bus.AnswersKept:
		return spent
	case !found:
		return nothing
	case !have.Live():
		return finished
	case have.Edge == "", !have.Detached.IsZero():
		return orphan // of the nats CLI; or its connection is gone
	case have.Edge == edge && have.Conn == conn:
		// An edge lets a connection sign in once, and again only when it does not know that
		// the first one went well: its answer came after the edge had stopped waiting.
		return orphan
	}
	return held
}

// retryWithin is how old a claim may be for its command to be sent again. Beyond the
// stream's window of two minutes its joining would be told twice; nobody retries for more
// than 30 s.
const retryWithin = 100 * time.Second

// claim makes the session of user that of the sign-in req, or finds that it did before. It
// fails with already_signed_in when a live session stands in the way.
func (s *Service) claim(ctx context.Context, user account, req authapi.SignInRequest) (session.Record, error) {
	command := bus.Command(ctx)
	for {
		have, found, err := s.sessions.read(ctx, user.ID)
		if err != nil {
			return session.Record{}, err
		}
		next := session.Record{
			User: user.Name, UserID: user.ID, Session: bus.NewID(), State: session.Alive,
			Since: time.Now().UTC(), Edge: req.Edge, Conn: req.Conn, Command: command,
			TokenHash: req.TokenHash, SignedOut: have.SignedOut, Left: have.Left,
		}
		obstacle := obstacleTo(have, found, command, req.Edge, req.Conn, next.Since)
		if req.Again && obstacle != mine {
			return session.Record{}, alreadySignedIn() // which is final: nobody is to ask once more
		}
		switch obstacle {
		case nothing:
		case spent:
			return session.Record{}, signInUnavailable()
		case mine:
			if have.Claimed != 0 && time.Since(have.Since) > retryWithin {
				return session.Record{}, alreadySignedIn()
			}
			return have, nil
		case finished:
			if _, err := s.finish(ctx, have); err != nil {
				return session.Record{}, err
			}
			continue
		case orphan:
			next.Prev = previous(have, next.Since)
			if !have.Detached.IsZero() {
				next.Prev = previous(have, lastHeard(have))
				next.Prev.Edge = "" // it knows
			}
		case held:
			if next.Prev, err = s.contest(ctx, have, next.Since, req.Takeover); err != nil {
				return session.Record{}, err
			}
		}
		if next.Prev != nil && have.Claimed == 0 {
			// Its joining comes before its leaving, although nobody told it yet.
			if _, err := s.tellHall(ctx, have); err != nil {
				return session.Record{}, err
			}
		}
		next, err = s.sessions.write(ctx, next, have.Revision)
		if err == nil || !streams.Conflict(err) {
			return next, err
		}
	}
}

// previous is the session have, over at until.
func previous(have session.Record, until time.Time) *session.Previous {
	return &session.Previous{
		Session: have.Session, Epoch: have.Epoch(), Edge: have.Edge, Conn: have.Conn,
		Since: have.Since, Until: within(until, have.Since, time.Now()),
	}
}

// contest asks the edge that holds have whether its connection stands, and fails with
// already_signed_in if it does, unless it is to be taken over. The session of an edge that
// says nothing ends at its last renewal.
func (s *Service) contest(ctx context.Context, have session.Record, now time.Time, takeover bool) (*session.Previous, error) {
	answer, err := edgeapi.Alive.To(have.Edge).Call(asOurselves(ctx), s.bus.Conn(),
		edgeapi.AliveRequest{Conn: have.Conn}, bus.Attempt(edgeFor))
	if ctx.Err() != nil || err != nil && !s.bus.Conn().IsConnected() {
		return nil, signInUnavailable() // it is us whom nobody hears
	}
	if err == nil && answer.Alive && !takeover {
		return nil, alreadySignedIn()
	}
	if fault.CodeOf(err) != fault.Unavailable {
		return previous(have, now), nil
	}
	renewed, _, err := s.leases.look(ctx, have.Edge)
	if err != nil {
		return nil, err
	}
	p := previous(have, renewed)
	p.EdgeLost = true
	return p, nil
}

func alreadySignedIn() error {
	return fault.New(fault.AlreadySignedIn, "can't sign in repeatedly")
}

func signInUnavailable() error {
	return fault.New(fault.Unavailable, "sign-in is temporarily unavailable, please try again")
}
