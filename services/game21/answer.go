package game21

import (
	"context"
	"errors"
	"fmt"

	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/game21api"
)

// answer judges and stores the caller's answer. It is stored before it is acknowledged, and
// the log alone says whether it was the first and in time. One of exactly 21 ends the round
// at once.
func (s *Service) answer(ctx context.Context, req game21api.AnswerRequest) (game21api.AnswerResponse, error) {
	mine := Answer{UserID: bus.Caller(ctx).ID, User: bus.Caller(ctx).User, Command: bus.Command(ctx)}
	round, open, err := s.current(ctx)
	if err != nil {
		return game21api.AnswerResponse{}, fmt.Errorf("answer: %w", err)
	}
	stored, err := s.take(ctx, round, open, mine, req.Expression)
	if code := fault.CodeOf(err); err != nil && code != fault.Internal && !code.Retry() {
		stored, err = s.again(ctx, round.Round, mine, err)
	}
	if err != nil {
		return game21api.AnswerResponse{}, fmt.Errorf("answer: %w", err)
	}
	if stored.Value.Is21() {
		err := s.store.WriteClose(ctx, Close{Round: stored.Round, Reason: Made21, At: s.clock.Now().UTC()})
		if err != nil && !errors.Is(err, errTaken) {
			// The answer counts all the same, and the runner closes what a 21 has decided.
			s.log.Warn("round not closed yet", "round", stored.Round, "error", err)
		}
	}
	s.runner.poke()
	return game21api.AnswerResponse{
		Round: int(stored.Round), Value: stored.Value.String(), Void: stored.Value.Void(),
	}, nil
}

// take stores the expression as mine, the caller's answer in a round.
// Faults: no_round, bad_expression, wrong_numbers, already_answered.
func (s *Service) take(ctx context.Context, round Open, open bool, mine Answer, expression string) (Answer, error) {
	if !open {
		return Answer{}, s.noRound(ctx)
	}
	verdict, err := Judge(expression, round.Numbers)
	if err != nil {
		return Answer{}, err
	}
	mine.Round, mine.Expression, mine.Value = round.Round, verdict.Expression, verdict.Value
	for {
		seq, fresh, err := s.store.WriteAnswer(ctx, mine)
		if err == nil && fresh {
			mine.Seq = seq
			return s.inTime(ctx, mine)
		}
		if err != nil && !errors.Is(err, errTaken) {
			return Answer{}, err
		}
		first, found, err := s.store.AnswerOf(ctx, round.Round, mine.UserID)
		if err != nil {
			return Answer{}, err
		}
		if found {
			if _, err := s.inTime(ctx, first); err != nil {
				return Answer{}, err
			}
		}
		if found || !fresh && seq != 0 { // this command, or another one, has been answered
			return Answer{}, fault.New(fault.AlreadyAnswered, "you have answered round %d already", round.Round)
		}
		// What was in the way was still on its way, and has been lost with its leader.
		if err := idle(ctx, pause); err != nil {
			return Answer{}, err
		}
	}
}

// inTime gives a stored answer, unless its round was closed before it was stored.
func (s *Service) inTime(ctx context.Context, a Answer) (Answer, error) {
	closed, err := s.store.ClosedBefore(ctx, a)
	switch {
	case err != nil:
		return Answer{}, err
	case closed:
		return Answer{}, s.noRound(ctx)
	}
	return a, nil
}

// again gives what the same command has stored before, in this round or in the one before
// it, though it is refused now: its acknowledgement was lost. Otherwise it gives refused.
func (s *Service) again(ctx context.Context, round uint64, mine Answer, refused error) (Answer, error) {
	for n := round; n > 0 && n+1 >= round; n-- {
		a, found, err := s.store.AnswerOf(ctx, n, mine.UserID)
		if err != nil {
			return Answer{}, err
		}
		if !found || a.Command != mine.Command {
			continue
		}
		closed, err := s.store.ClosedBefore(ctx, a)
		if err != nil {
			return Answer{}, err
		}
		if !closed {
			return a, nil
		}
	}
	return Answer{}, refused
}

// noRound says that no round is open and when the next one starts.
func (s *Service) noRound(ctx context.Context) error {
	next, revision, err := s.store.Schedule(ctx)
	if err != nil {
		return err
	}
	if revision == 0 || !next.StartsAt.After(s.clock.Now()) {
		return fault.New(fault.NoRound, "no round is open, the next one starts soon")
	}
	return fault.New(fault.NoRound, "no round is open, the next one starts at %s",
		next.StartsAt.In(s.pace.zone).Format("2006-01-02 15:04:05 MST"))
}
