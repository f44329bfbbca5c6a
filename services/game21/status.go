package game21

import (
	"context"
	"fmt"
	"slices"

	"gamehall/shared/event"
	"gamehall/shared/game21api"
)

// status tells of the open round, or of the next one. It is read from the log's leader: the
// edge asks for whoever signs in during a round, and must not be told that there is none.
func (s *Service) status(ctx context.Context, _ game21api.StatusRequest) (game21api.StatusResponse, error) {
	round, open, err := s.current(ctx)
	if err != nil {
		return game21api.StatusResponse{}, fmt.Errorf("status: %w", err)
	}
	next, revision, err := s.store.Schedule(ctx)
	if err != nil {
		return game21api.StatusResponse{}, fmt.Errorf("status: %w", err)
	}
	resp := game21api.StatusResponse{Open: open}
	if open {
		resp.Round, resp.Numbers, resp.EndsAt = int(round.Round), round.Numbers[:], round.EndsAt
		if resp.Seq, err = s.startedAt(ctx, round.Round); err != nil {
			return game21api.StatusResponse{}, fmt.Errorf("status: %w", err)
		}
	}
	// A copy that has opened a round moves the schedule at once, but not in the same moment.
	if revision != 0 && next.Round > round.Round {
		resp.NextAt = next.StartsAt
		if !open {
			resp.Round = int(next.Round)
		}
	}
	return resp, nil
}

// current gives the round that was opened last and whether it is open.
func (s *Service) current(ctx context.Context) (Open, bool, error) {
	o, found, err := s.store.LatestOpen(ctx)
	if err != nil || !found {
		return Open{}, false, err
	}
	_, closed, err := s.store.CloseOf(ctx, o.Round)
	return o, !closed, err
}

// startedAt gives the sequence of a round's game21.started in the channel, 0 while it is not
// there.
func (s *Service) startedAt(ctx context.Context, round uint64) (uint64, error) {
	if o := s.runner.opening.Load(); o != nil && o.round == round {
		return o.seq, nil
	}
	// The runner of this copy has not looked yet.
	events, last, err := s.store.LastEvents(ctx, round)
	if err != nil {
		return 0, err
	}
	newest, _, err := s.store.EventsAfter(ctx, last)
	if err != nil {
		return 0, err
	}
	for _, e := range slices.Concat(events, newest) {
		if e.Kind == event.Game21Started && uint64(e.Round) == round {
			return e.Seq, nil
		}
	}
	return 0, nil
}
