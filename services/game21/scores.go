package game21

import (
	"context"
	"fmt"

	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/game21api"
	"gamehall/shared/storage"
)

// topMost is how many scores are told besides the caller's own.
const topMost = 10

// scores tells the best, and the caller's own score.
func (s *Service) scores(ctx context.Context, _ game21api.ScoresRequest) (game21api.ScoresResponse, error) {
	resp, err := s.readScores(ctx, bus.Caller(ctx))
	if storage.IsBusy(err) {
		return game21api.ScoresResponse{}, fault.New(fault.Unavailable, "the scores are busy, please try again")
	}
	if err != nil {
		return game21api.ScoresResponse{}, fmt.Errorf("scores: %w", err)
	}
	return resp, nil
}

func (s *Service) readScores(ctx context.Context, caller bus.Identity) (game21api.ScoresResponse, error) {
	top, err := s.ledger.top(ctx, topMost)
	if err != nil {
		return game21api.ScoresResponse{}, err
	}
	me, err := s.ledger.of(ctx, caller.ID)
	if err != nil {
		return game21api.ScoresResponse{}, err
	}
	me.Name = caller.User
	resp := game21api.ScoresResponse{Me: scoreOf(me)}
	for _, r := range top {
		resp.Top = append(resp.Top, scoreOf(r))
	}
	return resp, nil
}

// scoreOf is a score as the contract has it.
func scoreOf(r ranked) game21api.Score {
	return game21api.Score{User: r.Name, Won: r.Won, Played: r.Played, Rank: r.rank}
}
