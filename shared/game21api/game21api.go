package game21api

import (
	"time"

	"gamehall/shared/bus"
	"gamehall/shared/event"
	"gamehall/shared/fault"
)

// Game tells the hall of rounds.
const Game bus.Event[event.Event] = "hall.events.game21"

// Answer answers the open round. Its answer means that it is stored, and counts; one over
// 21 counts as void.
// Faults: not_signed_in, no_round, already_answered, bad_expression, wrong_numbers,
// unavailable.
const Answer bus.Method[AnswerRequest, AnswerResponse] = "hall.game21.answer"

// AnswerRequest is an expression of the round's four numbers, each exactly once, with
// + - * / and parentheses; at most 128 bytes.
type AnswerRequest struct {
	Expression string `json:"expression"`
}

// Validate tells a missing expression; the judge knows the rest.
func (r AnswerRequest) Validate() error {
	if r.Expression == "" {
		return fault.New(fault.BadExpression, "say an expression: /21GAME (10-3)*(5-2)")
	}
	return nil
}

// AnswerResponse tells the round, the exact value ("20", "41/2") and whether it is over 21.
type AnswerResponse struct {
	Round int    `json:"round"`
	Value string `json:"value"`
	Void  bool   `json:"void"`
}

// Status tells of the open round, or of the next.
// Faults: not_signed_in, unavailable.
const Status bus.Method[StatusRequest, StatusResponse] = "hall.game21.status"

// StatusRequest is empty.
type StatusRequest struct{}

// Validate finds nothing to refuse.
func (StatusRequest) Validate() error { return nil }

// StatusResponse tells of the game. Round, Numbers and EndsAt are those of the open round;
// when none is open, Round is the number of the next one. NextAt is when that starts.
type StatusResponse struct {
	Open    bool      `json:"open"`
	Round   int       `json:"round"`
	Numbers []int     `json:"numbers"`
	EndsAt  time.Time `json:"ends_at,omitzero"`
	NextAt  time.Time `json:"next_at,omitzero"`
	Seq     uint64    `json:"seq,omitzero"` // of the open round's game21.started event, 0 while it is not told
}

// Scores tells the ten with the most wins, and the caller's own.
// Faults: not_signed_in, unavailable.
const Scores bus.Method[ScoresRequest, ScoresResponse] = "hall.game21.scores"

// ScoresRequest is empty.
type ScoresRequest struct{}

// Validate finds nothing to refuse.
func (ScoresRequest) Validate() error { return nil }

// ScoresResponse is the top ten and the caller's own score.
type ScoresResponse struct {
	Top []Score `json:"top"`
	Me  Score   `json:"me"`
}

// Score counts a user's rounds. Rank is the place among all, 1 the best; 0 has not played.
type Score struct {
	User   string `json:"user"`
	Won    int    `json:"won"`
	Played int    `json:"played"`
	Rank   int    `json:"rank,omitzero"`
}
