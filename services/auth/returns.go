package auth

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/session"
)

// resumeEach resumes the sessions of several clients. What the mirror is enough to judge is written
// together, where compare-and-set decides on each; the others, and those whose write had another
// outcome than that it is stored, are judged as if they had come by themselves.
func (s *Service) resumeEach(ctx context.Context, req authapi.ResumeRequest) []authapi.Resumed {
	outcomes := make([]authapi.Resumed, len(req.Each))
	var alone sync.WaitGroup
	byItself := func(i int) {
		alone.Go(func() {
			command := authapi.ResumeID(bus.Command(ctx), i)
			var got authapi.SignInResponse
			var err error
			defer func() {
				if p := recover(); p != nil { // which nobody else would, here
					err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
				}
				outcomes[i] = s.outcome(ctx, got, err, command)
			}()
			got, err = s.resumeOne(ctx, req.Each[i].Alone(req.Edge), command)
		})
	}
	moves := make([]move, 0, len(req.Each))
	users := make(map[string]bool, len(req.Each))
	for i, one := range req.Each {
		m, usual := s.usual(one.Alone(req.Edge), authapi.ResumeID(bus.Command(ctx), i))
		if !usual || users[m.from.UserID] { // of two of one user the second has to see what the first did
			byItself(i)
			continue
		}
		users[m.from.UserID], m.of = true, i
		moves = append(moves, m)
	}
	for i, err := range s.sessions.writeAll(ctx, moves) {
		m := &moves[i]
		if err != nil {
			byItself(m.of)
			continue
		}
		outcomes[m.of].SignInResponse = resumed(m.to)
		if standsElsewhere(m.from, m.req) {
			alone.Go(func() { s.closeOld(ctx, m.from, m.to) })
		}
	}
	alone.Wait()
	return outcomes
}

// move is a session that goes over to the connection that resumes it.
type move struct {
	of       int // in the request
	req      authapi.ResumeRequest
	from, to session.Record
}

// usual gives the move that the resume comes to where the mirror's record is enough to judge it: it
// has the very token. Whether it is still what is there the compare-and-set finds.
func (s *Service) usual(req authapi.ResumeRequest, command string) (m move, is bool) {
	userID, hash, err := spends(req)
	if err != nil {
		return m, false
	}
	have, found := s.directory.Peek(userID)
	if !found || !have.Live() || have.Claimed == 0 || !same(have.TokenHash, hash) {
		return m, false
	}
	if have = withLoss(have, req); tooLate(have) {
		return m, false
	}
	return move{req: req, from: have, to: moved(have, req, hash, command)}, true
}

// outcome is what one of several is told.
func (s *Service) outcome(ctx context.Context, got authapi.SignInResponse, err error, command string) authapi.Resumed {
	if err == nil {
		return authapi.Resumed{SignInResponse: got}
	}
	f, foreseen := fault.From(err)
	switch {
	case foreseen:
	case ctx.Err() != nil:
		f, _ = fault.From(signInUnavailable())
	default:
		s.log.Error("internal", "subject", string(authapi.Resume), "command", command, "error", err)
	}
	return authapi.Resumed{Code: f.Code, Message: f.Message}
}
