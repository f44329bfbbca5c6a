package verify

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"gamehall/shared/event"
	"gamehall/tools/check/history"
)

// told is what the hall was told of a round.
type toldRound struct {
	started, ended []*entry
	answered       []*entry
}

// checkGame is G1 to G4.
func (c *checker) checkGame() {
	told := map[int]*toldRound{}
	for _, e := range c.log.channels[history.Game21] {
		t := told[e.Round]
		if t == nil {
			t = &toldRound{}
			told[e.Round] = t
		}
		switch e.Kind {
		case event.Game21Started:
			t.started = append(t.started, e)
		case event.Game21Answered:
			t.answered = append(t.answered, e)
		case event.Game21Ended:
			t.ended = append(t.ended, e)
		}
	}
	numbers := slices.Sorted(maps.Keys(c.log.rounds))
	for n := range told {
		if c.log.rounds[n] == nil {
			c.violate(Violation{ID: G1, Text: fmt.Sprintf("the hall was told of round %d, which is not stored", n)})
		}
	}
	c.report.Counts.Rounds = len(numbers)
	for _, n := range numbers {
		r, t := c.log.rounds[n], told[n]
		if t == nil {
			t = &toldRound{}
		}
		slices.SortFunc(r.answers, func(a, b answered) int { return cmp.Compare(a.seq, b.seq) })
		c.oneResult(r, t)
		c.rightWinner(r, t)
	}
	c.answersKept()
	c.schedule(numbers)
}

func (c *checker) game(id ID, n int, format string, args ...any) {
	v := Violation{ID: id, Text: fmt.Sprintf("round %d: ", n) + fmt.Sprintf(format, args...)}
	if r := c.log.rounds[n]; r != nil && len(r.opens) > 0 {
		v.T, v.Seq = r.opens[0].at, r.opens[0].seq
	}
	c.violate(v)
}

// oneResult is G1: a round opens, closes, is told to have started and to have ended at most
// once, and all of it when it closed long before the end of the run.
func (c *checker) oneResult(r *round, t *toldRound) {
	c.report.look(G1, 1)
	for what, n := range map[string]int{"opened": len(r.opens), "closed": len(r.closes), "told to have started": len(t.started), "told to have ended": len(t.ended)} {
		if n > 1 {
			c.game(G1, r.n, "was %s %d times", what, n)
		}
	}
	if len(r.opens) == 0 {
		c.game(G1, r.n, "has a log and was not opened")
		return
	}
	if len(r.closes) == 0 || r.closes[0].at > c.run.End-15*second {
		return
	}
	if len(t.started) == 0 || len(t.ended) == 0 {
		c.game(G1, r.n, "was closed, and the hall was told %d times that it started and %d times that it ended", len(t.started), len(t.ended))
	}
}

// counted are the answers before the close.
func (r *round) counted() []answered {
	if len(r.closes) == 0 {
		return r.answers
	}
	var before []answered
	for _, a := range r.answers {
		if a.seq < r.closes[0].seq {
			before = append(before, a)
		}
	}
	return before
}

// rightWinner is G2: what was told is what the log says, evaluated once more.
func (c *checker) rightWinner(r *round, t *toldRound) {
	if len(r.opens) == 0 {
		return
	}
	hand := slices.Sorted(slices.Values(r.opens[0].Numbers))
	var leader *answered
	var most *big.Rat
	for _, a := range r.counted() {
		c.report.look(G2, 1)
		value, numbers, err := evaluate(a.Expression)
		switch {
		case err != nil:
			c.game(G2, r.n, "the answer %q of %s was accepted: %v", a.Expression, a.User, err)
			continue
		case !slices.Equal(numbers, hand):
			c.game(G2, r.n, "the answer %q of %s was accepted, and does not use %v", a.Expression, a.User, r.opens[0].Numbers)
			continue
		case value.RatString() != a.Value:
			c.game(G2, r.n, "the answer %q of %s is %s, and was taken for %s", a.Expression, a.User, value.RatString(), a.Value)
		}
		if value.Cmp(twentyOne) <= 0 && (most == nil || value.Cmp(most) > 0) {
			leader, most = &a, value
		}
	}
	c.toldInOrder(r, t)
	if len(t.ended) == 0 {
		return
	}
	e := t.ended[0]
	winner, value := "", ""
	if leader != nil {
		winner, value = leader.User, most.RatString()
	}
	if fold(e.Winner) != fold(winner) || e.Value != value {
		c.game(G2, r.n, "%q was told to have won with %s, and %q has, with %s", e.Winner, e.Value, winner, value)
	}
	if e.Answers != len(r.counted()) {
		c.game(G2, r.n, "%d answers were told, and %d are stored before its end", e.Answers, len(r.counted()))
	}
	if won, _, err := evaluate(e.Expression); winner != "" && (err != nil || won.RatString() != e.Value) {
		c.game(G2, r.n, "%q was told to be %s", e.Expression, e.Value)
	}
	if e.Best != nil && len(hand) == 4 {
		value, numbers, err := evaluate(e.Best.Expression)
		if err != nil || value.RatString() != e.Best.Value || !slices.Equal(numbers, hand) || value.Cmp(best(hand)) != 0 {
			c.game(G2, r.n, "%q = %s was told to be a best solution of %v, which is %s", e.Best.Expression, e.Best.Value, r.opens[0].Numbers, best(hand).RatString())
		}
	}
}

// toldInOrder compares who was told to have answered with who did.
func (c *checker) toldInOrder(r *round, t *toldRound) {
	counted := r.counted()
	for i, e := range t.answered {
		if i >= len(counted) || fold(counted[i].User) != fold(e.User) {
			c.game(G2, r.n, "the answer number %d was told to be of %s, and is not", i+1, e.User)
			return
		}
	}
	if len(t.ended) > 0 && len(t.answered) != len(counted) {
		c.game(G2, r.n, "%d were told to have answered, and %d have", len(t.answered), len(counted))
	}
	if len(t.started) > 0 && !slices.Equal(t.started[0].Numbers, r.opens[0].Numbers) {
		c.game(G2, r.n, "%v were told to be its numbers, and are %v", t.started[0].Numbers, r.opens[0].Numbers)
	}
	if len(t.started) > 0 && len(t.ended) > 0 && t.started[0].seq > t.ended[0].seq {
		c.game(G1, r.n, "was told to have ended before it started")
	}
}

// answersKept is G3: an answer that was acknowledged is in its round's log before the end, as
// the only one of its user, with the value that was told.
func (c *checker) answersKept() {
	for _, r := range c.log.rounds {
		by := map[string]bool{}
		for _, a := range r.answers {
			if by[a.UserID] {
				c.game(G3, r.n, "%s answered twice", a.User)
			}
			by[a.UserID] = true
		}
	}
	for _, cmd := range c.commands {
		if cmd.f != history.Answer || cmd.ok == nil {
			continue
		}
		c.report.look(G3, 1)
		o := cmd.ok
		bad := func(format string, args ...any) {
			c.violate(Violation{ID: G3, Client: o.client, T: o.out.T, Text: fmt.Sprintf("round %d: the answer %q of %s was acknowledged, ", o.out.Round, o.in.Expression, o.user) + fmt.Sprintf(format, args...)})
		}
		var mine *answered
		if r := c.log.rounds[o.out.Round]; r != nil {
			for _, a := range r.counted() {
				if fold(a.User) == fold(o.user) {
					mine = &a
				}
			}
		}
		if mine == nil {
			bad("and is not in the round's log before its end")
			continue
		}
		value, _, err := evaluate(o.in.Expression)
		stored, _, storedErr := evaluate(mine.Expression)
		switch {
		case err != nil:
			bad("and cannot be: %v", err)
		case storedErr == nil && stored.Cmp(value) != 0:
			bad("and %q is stored", mine.Expression)
		case o.out.Value != "" && value.RatString() != o.out.Value:
			c.violate(Violation{ID: G2, Client: o.client, T: o.out.T, Text: fmt.Sprintf("the answer %q is %s, and was told to be %s", o.in.Expression, value.RatString(), o.out.Value)})
		case o.out.Void != (value.Cmp(twentyOne) > 0) && o.stint.door != "lines":
			c.violate(Violation{ID: G2, Client: o.client, T: o.out.T, Text: fmt.Sprintf("the answer %q is %s, and void was told to be %t", o.in.Expression, value.RatString(), o.out.Void)})
		}
	}
}
