package game21

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
)

// onReplicas runs a test on one replica and on three.
func onReplicas(t *testing.T, body func(h *hall)) {
	t.Helper()
	t.Run("one replica", func(t *testing.T) {
		t.Parallel()
		body(newHall(t))
	})
	t.Run("three replicas", func(t *testing.T) {
		t.Parallel()
		body(newHallOn(t, cluster{natstest.RunCluster(t, 3)}))
	})
}

// The same command gets the first result again, another one is told that there is one:
// whichever copy is asked, also after the round, and also when the first copy died before it
// could say so.
func TestSameCommandAgain(t *testing.T) {
	t.Parallel()
	onReplicas(t, func(h *hall) {
		t := h.t
		h.copy()
		h.open()
		ann := command(h.as("ann"), "c1")
		first, err := h.answer(ann, "10+5+3+2")
		if err != nil {
			t.Fatal(err)
		}
		h.expect(event.Game21Answered)
		// A copy that has no memory of it, and no other copy to ask.
		fresh := func() *Service {
			h.end(h.last)
			return h.copy()
		}
		fresh()
		for _, expression := range []string{"10+5+3+2", "10*5*3*2", "nonsense"} {
			again, err := h.answer(ann, expression)
			if err != nil || again != first {
				t.Errorf("the same command with %q: %+v, %v; want %+v", expression, again, err, first)
			}
			fresh()
		}
		_, err = h.answer(command(h.as("ann"), "c2"), "10+5+3+2")
		if fault.CodeOf(err) != fault.AlreadyAnswered {
			t.Errorf("another command: %v", err)
		}
		h.clock.advance(2 * time.Minute)
		h.expect(event.Game21Ended)
		fresh()
		if again, err := h.answer(ann, "10+5+3+2"); err != nil || again != first {
			t.Errorf("after the round: %+v, %v", again, err)
		}
		h.open()
		fresh()
		if again, err := h.answer(ann, "10+5+3+2"); err != nil || again != first {
			t.Errorf("in the next round: %+v, %v", again, err)
		}
		if again, err := h.answer(command(h.as("ann"), "c1"), "nonsense"); err != nil || again != first {
			t.Errorf("in the next round, unreadable: %+v, %v", again, err)
		}
		if r := h.say("ann", "10+5+3+2"); r.Round != 2 {
			t.Errorf("a new command in the next round: %+v", r)
		}
		wantTold(t, h.told()[:4], "started 1", "answered 1 ann", "ended 1 ann", "started 2")
	})
}

// Of a user's racing answers one is stored, whichever copies get them.
func TestRacingAnswersOfOneUser(t *testing.T) {
	t.Parallel()
	onReplicas(t, func(h *hall) {
		t := h.t
		services := []*Service{h.copy(), h.copy()}
		h.open()
		h.as("ann")
		var mu sync.Mutex
		outcomes := map[fault.Code]int{}
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				// Past the bus, which would let one user's commands in one by one.
				mine := Answer{UserID: h.players["ann"].UserID, User: "ann", Command: fmt.Sprintf("c%d", i)}
				s := services[i%2]
				round, open, err := s.current(natstest.Context(t))
				if err == nil {
					_, err = s.take(natstest.Context(t), round, open, mine, "10+5+3+2")
				}
				mu.Lock()
				defer mu.Unlock()
				outcomes[fault.CodeOf(err)]++
			})
		}
		wg.Wait()
		if outcomes[""] != 1 || outcomes[fault.AlreadyAnswered] != 99 {
			t.Errorf("outcomes: %v", outcomes)
		}
		if entries := h.log(1); len(entries) != 2 {
			t.Errorf("the log has %d entries, want open and one answer", len(entries))
		}
	})
}

// Two make 21 at once: the one that is stored first wins, and all who come later are late.
func TestRacing21s(t *testing.T) {
	t.Parallel()
	onReplicas(t, func(h *hall) {
		t := h.t
		services := []*Service{h.copy(), h.copy()}
		names := []string{"ann", "bob", "cid", "dee"}
		for _, n := range names {
			h.as(n)
		}
		rounds := 20
		if testing.Short() || h.replicas > 1 {
			rounds = 5
		}
		for range rounds {
			n := h.open().Round
			codes := make([]fault.Code, len(names))
			var wg sync.WaitGroup
			for i, name := range names {
				wg.Go(func() {
					mine := Answer{UserID: h.players[name].UserID, User: name, Command: fmt.Sprintf("%d", n)}
					round, open, err := services[i%2].current(natstest.Context(t))
					if err == nil {
						mine, err = services[i%2].take(natstest.Context(t), round, open, mine, "(10-3)*(5-2)")
					}
					if err == nil {
						err = services[i%2].store.WriteClose(natstest.Context(t), Close{Round: mine.Round, Reason: Made21})
					}
					if err == nil || errors.Is(err, errTaken) {
						services[i%2].runner.poke()
						return
					}
					codes[i] = fault.CodeOf(err)
				})
			}
			wg.Wait()
			var first string
			counted := 0
			for _, e := range h.log(n) {
				switch e := e.(type) {
				case Answer:
					if first == "" {
						first = e.User
					}
					counted++
				case Close:
					counted += 1000
				}
			}
			accepted := 0
			for _, c := range codes {
				switch c {
				case "":
					accepted++
				case fault.NoRound:
				default:
					t.Errorf("round %d: %s", n, c)
				}
			}
			e := h.hear()
			for e.Kind == event.Game21Answered {
				e = h.hear()
			}
			if e.Kind != event.Game21Ended || e.Winner != first || e.Answers != accepted || e.Value != "21" {
				t.Errorf("round %d: %+v, first stored %s, accepted %d of %d", n, e, first, accepted, counted%1000)
			}
		}
	})
}

// hook is a store that lets a test do something before an answer is stored.
type hook struct {
	store
	before func()
}

func (s hook) WriteAnswer(ctx context.Context, a Answer) (uint64, bool, error) {
	s.before()
	return s.store.WriteAnswer(ctx, a)
}

// An answer that was on its way when the round was closed is late, by its sequence, though
// it was stored; and it stays late when it is repeated.
func TestLateBySequence(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.copy(func(c *Config) {
		inner := c.wrap
		c.wrap = func(s store) store {
			return hook{inner(s), func() {
				h.clock.advance(2 * time.Minute)
				if e := h.hear(); e.Kind != event.Game21Ended {
					t.Errorf("the hall is told %+v, want the end", e)
				}
			}}
		}
	})
	h.open()
	ctx := command(h.as("ann"), "c1")
	for range 2 {
		if _, err := h.answer(ctx, "(10-3)*(5-2)"); fault.CodeOf(err) != fault.NoRound {
			t.Errorf("late: %v", err)
		}
		h.end(h.last)
		h.copy()
	}
	h.open()
	wantTold(t, h.told(), "started 1", "ended 1", "started 2")
	if got := h.scores("ann").Me; got.Played != 0 {
		t.Errorf("a late answer was credited: %+v", got)
	}
	if r, err := h.answer(command(h.as("ann"), "c2"), "(10-3)*(5-2)"); err != nil || r.Round != 2 {
		t.Errorf("the next round: %+v, %v", r, err)
	}
}
