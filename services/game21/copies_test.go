package game21

import (
	"crypto/rand"
	"fmt"
	"go/constant"
	gotoken "go/token"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// Two copies play, and answers race with each other and with the end: every round has one
// start, one result and one winner, the one that the log says by the arithmetic of Go's
// compiler; what was accepted counts, and what was refused does not.
func TestTwoCopies(t *testing.T) {
	t.Parallel()
	t.Run("one replica", func(t *testing.T) {
		t.Parallel()
		rounds := 1000
		if testing.Short() {
			rounds = 100
		}
		race(t, newHall(t), rounds, func(int) {})
	})
	t.Run("three replicas", func(t *testing.T) {
		t.Parallel()
		c := natstest.RunCluster(t, 3)
		rounds := 1000
		if testing.Short() {
			rounds = 30
		}
		// The log's leader changes while answers and the end are on their way.
		race(t, newHallOn(t, cluster{c}), rounds, func(round int) {
			if round%50 == 0 {
				c.StepDown(t, streams.Game21)
			}
		})
	})
}

// accepted is an answer that a player was told is stored.
type accepted struct {
	user       string
	round      int
	expression string
}

// race plays so many rounds. disturb is called while the answers of a round are under way.
func race(t *testing.T, h *hall, rounds int, disturb func(round int)) {
	t.Helper()
	dealing := func(c *Config) {
		c.deal = func() (Numbers, error) { return Deal(rand.Reader, false) }
	}
	h.copy(dealing)
	h.copy(dealing)
	players := []string{"ann", "bob", "cid"}
	for _, p := range append(players, "watcher") {
		h.as(p)
	}
	var mu sync.Mutex
	var kept []accepted
	var unknown atomic.Int64
	for n := 1; n <= rounds; n++ {
		started := h.open()
		if started.Round != n {
			t.Fatalf("round %d started, want %d", started.Round, n)
		}
		var answering sync.WaitGroup
		for i, p := range players {
			expression := someExpression(Numbers(started.Numbers), n+i)
			answering.Go(func() {
				resp, err := h.answer(h.as(p), expression)
				switch code := fault.CodeOf(err); code {
				case "":
					mu.Lock()
					kept = append(kept, accepted{p, resp.Round, expression})
					mu.Unlock()
				case fault.NoRound, fault.BadExpression: // late; divides by zero
				case fault.Unavailable: // it may be stored or not; the leader was changing
					unknown.Add(1)
				default:
					t.Errorf("round %d: %s answers %s: %v", n, p, expression, err)
				}
			})
		}
		if n%2 == 0 { // the time is over when all have answered, else while they do
			answering.Wait()
		}
		disturb(n)
		h.clock.advance(2 * time.Minute)
		answering.Wait()
		for h.hear().Kind != event.Game21Ended {
		}
	}
	if n := unknown.Load(); n > int64(rounds/100) {
		t.Errorf("%d answers were left unknown in %d rounds", n, rounds)
	}
	check(t, h, rounds, kept)
}

// someExpression is one of many over the hand; some divide by zero.
func someExpression(n Numbers, seed int) string {
	r := mathrand.New(mathrand.NewPCG(uint64(seed), 21))
	r.Shuffle(len(n), func(i, j int) { n[i], n[j] = n[j], n[i] })
	op := func() string { return string("+-*/"[r.IntN(4)]) }
	shape := []string{"%d%s%d%s%d%s%d", "(%d%s%d)%s(%d%s%d)", "(%d%s%d%s%d)%s%d", "%d%s(%d%s%d%s%d)"}[r.IntN(4)]
	if r.IntN(3) == 0 { // the best one, which often makes 21
		return Best(n).Expression
	}
	return fmt.Sprintf(shape, n[0], op(), n[1], op(), n[2], op(), n[3])
}

// check compares what is stored with what the players and the hall were told.
func check(t *testing.T, h *hall, rounds int, kept []accepted) {
	t.Helper()
	type round struct{ started, ended []event.Event }
	told := make([]round, rounds+1)
	answered := make([][]string, rounds+1)
	latest := 0
	for _, e := range h.toldTo(rounds) {
		if e.Round < latest || e.Round > rounds {
			t.Fatalf("round %d was told of after round %d", e.Round, latest)
		}
		latest = e.Round
		r := &told[e.Round]
		switch {
		case e.Kind == event.Game21Started && len(r.started)+len(answered[e.Round])+len(r.ended) == 0:
			r.started = append(r.started, e)
		case e.Kind == event.Game21Answered && len(r.started) == 1 && len(r.ended) == 0:
			answered[e.Round] = append(answered[e.Round], e.User)
		case e.Kind == event.Game21Ended && len(r.ended) == 0:
			r.ended = append(r.ended, e)
		default:
			t.Errorf("round %d was told of once more, or out of order: %+v", e.Round, e)
		}
	}
	counts := map[string]int{}
	won := map[string]int{}
	played := map[string]int{}
	for n := 1; n <= rounds; n++ {
		opens, closes := 0, 0
		var winner, expression string
		var best constant.Value
		var users []string
		for _, e := range h.closed(n) {
			switch e := e.(type) {
			case Open:
				opens++
			case Close:
				closes++
			case Answer:
				if opens != 1 || closes != 0 {
					continue // late
				}
				users = append(users, e.User)
				counts[fmt.Sprintf("%s %d %s", e.User, n, e.Expression)]++
				played[e.User]++
				v, ok := goValue(t, e.Expression)
				if !ok {
					t.Fatalf("%s was accepted", e.Expression)
				}
				if constant.Compare(v, gotoken.LEQ, constant.MakeInt64(21)) && (best == nil || constant.Compare(v, gotoken.GTR, best)) {
					winner, expression, best = e.User, e.Expression, v
				}
			}
		}
		if opens != 1 || closes != 1 || len(told[n].started) != 1 || len(told[n].ended) != 1 {
			t.Fatalf("round %d: %d opens, %d closes, told %+v", n, opens, closes, told[n])
		}
		won[winner]++
		end := told[n].ended[0]
		if end.Winner != winner || end.Expression != expression || end.Answers != len(users) ||
			best != nil && end.Value != goString(best) {
			t.Errorf("round %d: told %+v, the log says %s with %s of %v", n, end, winner, expression, users)
		}
		if fmt.Sprint(answered[n]) != fmt.Sprint(users) {
			t.Errorf("round %d: told that %v answered, the log says %v", n, answered[n], users)
		}
	}
	for _, a := range kept {
		key := fmt.Sprintf("%s %d %s", a.user, a.round, a.expression)
		if counts[key] != 1 {
			t.Errorf("accepted and not counted: %s", key)
		}
		delete(counts, key)
	}
	if len(counts) != 0 {
		t.Errorf("counted and not accepted: %v", counts)
	}
	if len(kept) < rounds/2 {
		t.Errorf("only %d answers in %d rounds: this shows nothing", len(kept), rounds)
	}
	for user, n := range played {
		if me := h.scores(user).Me; me.Played != n || me.Won != won[user] {
			t.Errorf("%s has %+v, the logs say %d played, %d won", user, me, n, won[user])
		}
	}
	t.Logf("%d rounds, %d answers accepted, won: %v", rounds, len(kept), won)
}
