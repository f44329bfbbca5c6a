package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"time"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/edgeapi"
	"gamehall/shared/fault"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// resume gives a session that still lives to another connection. It keeps its epoch, and so
// its place in the hall, its room and its online time; the id that its commands carry is a
// new one, so that the old connection's are refused from now on, wherever that stands.
func (s *Service) resume(ctx context.Context, req authapi.ResumeRequest) (authapi.ResumeResponse, error) {
	if len(req.Each) > 0 {
		return authapi.ResumeResponse{Each: s.resumeEach(ctx, req)}, nil
	}
	got, err := s.resumeOne(ctx, req, bus.Command(ctx))
	return authapi.ResumeResponse{SignInResponse: got}, err
}

// resumeOne is resume of one client, by that command.
func (s *Service) resumeOne(ctx context.Context, req authapi.ResumeRequest, command string) (authapi.SignInResponse, error) {
	userID, hash, err := spends(req)
	if err != nil {
		return authapi.SignInResponse{}, err
	}
	for sure := false; ; sure = true {
		have, found, err := s.look(ctx, userID, sure)
		if err != nil {
			return authapi.SignInResponse{}, err
		}
		if !sure && (!found || !have.Live() || have.Claimed == 0 || !same(have.TokenHash, hash)) {
			continue // the mirror may be behind
		}
		if found && have.Live() && have.Resumed == command && same(have.TokenHash, req.NextHash) {
			return resumed(have), nil // the retry of a resume that went well
		}
		if req.Again || !found || !have.Live() || have.Claimed == 0 || have.TokenHash == "" {
			return authapi.SignInResponse{}, badToken()
		}
		have = withLoss(have, req)
		if tooLate(have) {
			if !sure {
				continue // it may have come back since
			}
			return authapi.SignInResponse{}, badToken() // the reaper is about to end it
		}
		switch {
		case same(have.TokenHash, hash):
		case same(have.SpentHash, hash) && have.Edge == req.Edge && have.Conn == req.Conn:
			// The connection asks again: it never learned that it had the session.
		case same(have.SpentHash, hash):
			if err := s.unused(ctx, have); err != nil {
				return authapi.SignInResponse{}, err
			}
		default:
			return authapi.SignInResponse{}, badToken()
		}
		next, err := s.sessions.write(ctx, moved(have, req, hash, command), have.Revision)
		if streams.Conflict(err) {
			continue // of two that come with one token, one wins; the other is judged anew
		}
		if err != nil {
			return authapi.SignInResponse{}, err
		}
		if standsElsewhere(have, req) {
			s.closeOld(ctx, have, next)
		}
		return resumed(next), nil
	}
}

// spends gives whose token the resume spends, and its hash. Faults: bad_token, bad_request.
func spends(req authapi.ResumeRequest) (userID, hash string, err error) {
	userID, secret, ok := authapi.ParseToken(req.Token)
	if !ok {
		return "", "", badToken()
	}
	if !edgeID(req.Edge) || !token(req.Conn) {
		return "", "", fault.New(fault.BadRequest, "edge and conn are ids of at most %d letters, digits, '-' and '_'", tokenMost)
	}
	return userID, authapi.HashToken(secret), nil
}

// withLoss is the record as it would be if its edge had told of the loss, as it would have in a
// moment.
func withLoss(have session.Record, req authapi.ResumeRequest) session.Record {
	if have.Detached.IsZero() && have.Session == req.Lost.Session && have.Edge == req.Edge {
		have.Detached, have.Silent = msBefore(req.Lost.Ago), req.Lost.Silent
	}
	return have
}

// tooLate tells whether a session has been without a connection for so long that it is over.
func tooLate(have session.Record) bool {
	return !have.Detached.IsZero() && time.Since(have.Detached) > authapi.ResumeFor
}

// moved is the session with the connection that resumes it.
func moved(have session.Record, req authapi.ResumeRequest, hash, command string) session.Record {
	have.Session, have.Edge, have.Conn = bus.NewID(), req.Edge, req.Conn
	have.TokenHash, have.SpentHash, have.Resumed = req.NextHash, hash, command
	have.State, have.Detached, have.Until, have.Silent = session.Alive, time.Time{}, time.Time{}, false
	return have
}

// standsElsewhere tells whether the connection that had the session may stand, at an edge that
// does not know of the resume.
func standsElsewhere(have session.Record, req authapi.ResumeRequest) bool {
	return have.Detached.IsZero() && (have.Session != req.Held || have.Edge != req.Edge)
}

// look gives the record under a user's id as the mirror has it, which is for who decides by
// compare-and-set; where that is not enough to be sure, as the bucket's leader has it.
func (s *Service) look(ctx context.Context, userID string, sure bool) (r session.Record, found bool, err error) {
	if !sure {
		r, found = s.directory.Peek(userID)
		return r, found, nil
	}
	return s.sessions.read(ctx, userID)
}

// msBefore is the time so many milliseconds ago.
func msBefore(ms int64) time.Time {
	return time.Now().UTC().Add(-time.Duration(max(0, ms)) * time.Millisecond)
}

func resumed(r session.Record) authapi.SignInResponse {
	return authapi.SignInResponse{
		User: r.User, UserID: r.UserID, Session: r.Session, Epoch: r.Epoch(), Seq: r.Joined, Since: r.Since,
	}
}

// unused tells whether the connection that a spent token was used for is gone without having
// sent anything, so that its client may never have got the next token. An edge that does not
// answer within a second is taken for gone, as at a sign-in: its client would be kept out for as
// long as its lease stands.
func (s *Service) unused(ctx context.Context, have session.Record) error {
	if !have.Detached.IsZero() {
		if have.Silent {
			return nil
		}
		return badToken()
	}
	answer, err := edgeapi.Alive.To(have.Edge).Call(asOurselves(ctx), s.bus.Conn(),
		edgeapi.AliveRequest{Conn: have.Conn}, bus.Attempt(edgeFor))
	switch {
	case err != nil:
		s.log.Info("a spent token is good once more, its edge does not answer", "user_id", have.UserID, "edge", have.Edge, "error", err)
		return nil
	case answer.Alive && answer.Silent:
		return fault.New(fault.Unavailable, "your last connection still stands, please try again")
	case answer.Alive || !answer.Silent:
		return badToken()
	}
	return nil
}

// closeOld closes the connection that had the session before. One that is not reached cannot
// do anything any more, since the session's id is another one, but it still hears: it is noted
// in next, so that the reaper tells its edge again.
func (s *Service) closeOld(ctx context.Context, have, next session.Record) {
	old := &session.Previous{Session: have.Session, Epoch: have.Epoch(), Edge: have.Edge, Conn: have.Conn, Resumed: true}
	if s.tellOf(ctx, old, silentEdgeFor) || next.Prev != nil {
		return
	}
	next.Prev = old
	if _, err := s.sessions.write(ctx, next, next.Revision); err != nil && !streams.Conflict(err) {
		s.log.Warn("the old connection of a resumed session was not reached", "user_id", have.UserID, "error", err)
	}
}

// same compares two hashes in constant time; the empty one is no hash.
func same(a, b string) bool {
	return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

func badToken() error {
	return fault.New(fault.BadToken, "this session is over, please sign in again")
}

// detachCall notes that the connection of the caller's session is gone.
func (s *Service) detachCall(ctx context.Context, req authapi.DetachRequest) (authapi.DetachResponse, error) {
	if bus.Caller(ctx).Session == "" {
		return authapi.DetachResponse{}, notSignedIn()
	}
	caller := bus.Caller(ctx)
	r, found := s.directory.Peek(caller.ID)
	if !found || r.Epoch() != caller.Epoch || r.Session != caller.Session || !r.Detached.IsZero() {
		var err error // the mirror may be behind
		if r, err = s.own(ctx, caller); err != nil {
			return authapi.DetachResponse{}, err
		}
	}
	err := s.detach(ctx, r, loss{at: msBefore(req.Ago), until: req.Until, silent: req.Silent})
	if errors.Is(err, errOver) {
		err = notSignedIn()
	}
	return authapi.DetachResponse{}, err
}

// loss says how a session lost its connection. A zero time is now.
type loss struct {
	at     time.Time // its client may come back from then on for authapi.ResumeFor
	until  time.Time // its client was last heard
	silent bool
}

// detach marks r as held by no connection, where it is not already; errOver when it came back or ended
// meanwhile. Without a token it ends.
func (s *Service) detach(ctx context.Context, r session.Record, how loss) error {
	for {
		if !r.Live() || !r.Detached.IsZero() {
			return nil
		}
		if r.TokenHash == "" {
			_, err := s.end(ctx, r, ending{until: how.until})
			return err
		}
		next := r
		if r.Claimed == 0 {
			joined, err := s.tellHall(ctx, r)
			if err != nil {
				return err
			}
			next.Claimed, next.Joined = r.Epoch(), joined
		}
		now := time.Now().UTC()
		next.Detached, next.Until, next.Silent = within(how.at, r.Since, now), within(how.until, r.Since, now), how.silent
		if next.Detached.IsZero() {
			next.Detached = now
		}
		if next.Until.IsZero() {
			next.Until = next.Detached
		}
		_, err := s.sessions.write(ctx, next, r.Revision)
		if err == nil || !streams.Conflict(err) {
			return err
		}
		have, found, err := s.sessions.read(ctx, r.UserID)
		if err != nil {
			return err
		}
		if !found || have.Session != r.Session {
			return errOver
		}
		r = have
	}
}

// lastHeard is until when a detached session's client was there.
func lastHeard(r session.Record) time.Time {
	if r.Until.IsZero() {
		return r.Detached
	}
	return r.Until
}
