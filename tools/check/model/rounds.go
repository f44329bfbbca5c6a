package model

import (
	"fmt"
	"math/big"
	"time"

	"github.com/go-json-experiment/json"

	"gamehall/shared/event"
	"gamehall/shared/name"
	"gamehall/tools/check/history"
)

// hands are what rounds are played with, and what players make of them; the first is a best
// solution.
var hands = []struct {
	numbers []int
	made    []made
}{
	{[]int{1, 2, 3, 7}, []made{{"7/(1-2/3)", "21"}, {"1+2+3+7", "13"}, {"7*3-1*2", "19"}, {"7*3+2+1", "24"}, {"7/2+3-1", "11/2"}}},
	{[]int{2, 3, 5, 10}, []made{{"(10-3)*(5-2)", "21"}, {"2+3+5+10", "20"}, {"10*5-3*2", "44"}, {"10+5+3-2", "16"}, {"10/3+2*5", "40/3"}}},
	{[]int{1, 1, 1, 1}, []made{{"1+1+1+1", "4"}, {"(1+1)*(1+1)", "4"}, {"1-1-1-1", "-2"}, {"1/(1+1+1)", "1/3"}}},
	{[]int{10, 10, 10, 10}, []made{{"10+10+10/10", "21"}, {"10+10-10+10", "20"}, {"10*10*10*10", "10000"}}},
	{[]int{1, 6, 2, 8}, []made{{"1+6*2+8", "21"}, {"1+2+6+8", "17"}, {"8*6/2/1", "24"}}},
}

type made struct{ expression, value string }

// round is the one that is open.
type round struct {
	n        int
	started  event.Event
	seq      uint64 // of started
	hand     int
	answered map[*user]bool
	count    int
	best     *big.Rat
	winner   string
	with     made
}

// schedule opens rounds as long as the run lasts.
func (h *hall) schedule() {
	for at := began + 7*second; at < h.run.Quiet; at += int64(h.run.Settings.RoundPeriod) {
		h.at(at, h.open)
	}
}

func (h *hall) storeRound(subject string, v map[string]any) {
	h.gameSeq++
	data, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		panic(err)
	}
	h.messages = append(h.messages, history.Message{
		Stream: "HALL_GAME21", Seq: h.gameSeq, Subject: fmt.Sprintf("hall.round.%d.%s", h.rounds, subject), Time: h.wall(), Data: data,
	})
}

func (h *hall) open() {
	if h.now < h.stalled {
		h.at(h.stalled+h.between(0, 20), h.open)
		return
	}
	h.rounds++
	r := &round{n: h.rounds, hand: h.rng.IntN(len(hands)), answered: map[*user]bool{}}
	h.round = r
	duration := time.Duration(h.run.Settings.RoundDuration)
	numbers := hands[r.hand].numbers
	h.storeRound("open", map[string]any{"round": r.n, "numbers": numbers, "opened_at": h.wall(), "ends_at": h.wall().Add(duration)})
	r.started = event.Event{Kind: event.Game21Started, Round: r.n, Numbers: numbers, EndsAt: h.wall().Add(duration)}
	r.seq = h.store(history.Game21, fmt.Sprintf("started.%d", r.n), r.started)
	h.in(int64(duration)+h.between(0, 50), func() { h.close(r, "deadline") })
}

func (h *hall) close(r *round, reason string) {
	if h.round != r {
		return
	}
	if h.now < h.stalled {
		h.at(h.stalled+h.between(0, 20), func() { h.close(r, reason) })
		return
	}
	h.round = nil
	h.storeRound("close", map[string]any{"round": r.n, "reason": reason, "at": h.wall()})
	best := hands[r.hand].made[0]
	h.store(history.Game21, fmt.Sprintf("ended.%d", r.n), event.Event{
		Kind: event.Game21Ended, Round: r.n, Answers: r.count, Winner: r.winner, Expression: r.with.expression, Value: r.with.value,
		Best: &event.Solution{Expression: best.expression, Value: best.value},
	})
}

// answer answers the open round.
func (c *client) answer() {
	h, s := c.h, c.conn.sess
	if h.round == nil {
		c.think()
		return
	}
	list := hands[h.round.hand].made
	with := list[h.rng.IntN(len(list))]
	if h.chance(70) { // or every round is over at once
		with = list[1+h.rng.IntN(len(list)-1)]
	}
	asked := h.round
	c.ask(history.Event{F: history.Answer, Expression: with.expression}, func() history.Event {
		r := h.round
		switch {
		case s.over:
			return fail("not_signed_in")
		case r == nil:
			return fail("no_round")
		case r != asked:
			return fail("wrong_numbers")
		case r.answered[s.u]:
			return fail("already_answered")
		}
		r.answered[s.u] = true
		r.count++
		id := name.UserID(s.u.name)
		h.storeRound("answer."+id, map[string]any{"round": r.n, "user_id": id, "user": s.u.name, "expression": with.expression, "value": with.value, "command": fmt.Sprint(c.name, c.req)})
		value, _ := new(big.Rat).SetString(with.value)
		limit := new(big.Rat).SetInt64(21)
		void := value.Cmp(limit) > 0
		if !void && (r.best == nil || value.Cmp(r.best) > 0) {
			r.best, r.winner, r.with = value, s.u.name, with
		}
		h.store(history.Game21, fmt.Sprintf("answered.%d.%s", r.n, id), event.Event{Kind: event.Game21Answered, Round: r.n, User: s.u.name, UserID: id})
		if value.Cmp(limit) == 0 {
			h.close(r, "made21")
		}
		return history.Event{Round: r.n, Value: with.value, Void: void}
	}, c.then)
}
