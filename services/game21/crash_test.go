package game21

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"gamehall/shared/bus"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/game21api"
	"gamehall/shared/natstest"
)

// guess is a user's answer.
type guess struct{ user, expression string }

// oblivious is a store whose server has forgotten the ids of what the channel was told, as
// it does after two minutes.
type oblivious struct{ store }

func (o oblivious) Tell(ctx context.Context, id string, e event.Event, after uint64) (uint64, error) {
	return o.store.Tell(ctx, id+".later", e, after)
}

// crashGame is a round that is played while its copy dies.
type crashGame struct {
	*hall
	mortal *mortal
	heir   *Service // the copy after it, nil while it lives
}

// revive starts another copy once the first is dead.
func (g *crashGame) revive() {
	g.t.Helper()
	if g.heir == nil && g.mortal.isDead() {
		g.end(g.last)
		g.heir = g.copy(func(c *Config) {
			inner := c.wrap
			c.wrap = func(s store) store { return oblivious{inner(s)} }
		})
	}
}

// until polls for met, and starts the other copy meanwhile.
func (g *crashGame) until(what string, met func() bool) {
	g.t.Helper()
	natstest.Eventually(g.t, what, func() bool {
		g.revive()
		return met()
	})
}

// persist repeats a command until somebody lives to answer it, as an edge does.
func (g *crashGame) persist(what string, do func() error) {
	g.t.Helper()
	var err error
	g.until(what, func() bool {
		err = do()
		code := fault.CodeOf(err)
		return code != fault.Internal && !code.Retry()
	})
	if err != nil {
		g.t.Errorf("%s: %v", what, err)
	}
}

// play plays one round and gives how many boundaries its copy had, and whether it died at
// one of them.
func play(t *testing.T, dieAt int32, after bool, guesses []guess, atDeadline bool) (boundaries int32, died bool) {
	t.Helper()
	g := &crashGame{hall: newHall(t), mortal: newMortal(dieAt, after)}
	g.copy(func(c *Config) {
		inner := c.wrap
		c.wrap = func(s store) store {
			g.mortal.store = inner(s)
			return g.mortal
		}
	})
	g.as("watcher")
	status := func() (resp game21api.StatusResponse, err error) {
		return game21api.Status.Call(g.as("watcher"), g.nc, game21api.StatusRequest{})
	}
	next := func(round int) {
		t.Helper()
		g.until("the next round is planned", func() bool {
			s, err := status()
			if err != nil || s.Open || !s.NextAt.After(g.clock.Now()) {
				return false
			}
			g.clock.until(s.NextAt)
			return true
		})
		want := fmt.Sprintf("started %d", round)
		g.until(want, func() bool { return slices.Contains(short(g.told()), want) })
	}
	next(1)
	for _, a := range guesses {
		ctx := bus.WithCommand(g.as(a.user), "c-"+a.user)
		g.persist(a.user+" answers", func() error {
			_, err := g.answer(ctx, a.expression)
			return err
		})
	}
	if atDeadline {
		g.clock.advance(2 * time.Minute)
	}
	g.until("the end is told", func() bool { return slices.Contains(short(g.told())[1:], "ended 1 cid") })

	// The same log, whatever died.
	want := []string{"started 1"}
	for _, a := range guesses {
		want = append(want, "answered 1 "+a.user)
	}
	wantTold(t, g.told(), append(want, "ended 1 cid")...)
	entries := g.log(1)
	if len(entries) != len(guesses)+2 {
		t.Fatalf("the log has %d entries, want %d: %+v", len(entries), len(guesses)+2, entries)
	}
	if o, ok := entries[0].(Open); !ok || o.Numbers != dealt {
		t.Errorf("the log begins with %+v", entries[0])
	}
	for i, a := range guesses {
		if e, ok := entries[i+1].(Answer); !ok || e.User != a.user || e.Expression != a.expression {
			t.Errorf("entry %d is %+v, want %v", i+1, entries[i+1], a)
		}
	}
	reason := Made21
	if atDeadline {
		reason = Deadline
	}
	if c, ok := entries[len(entries)-1].(Close); !ok || c.Reason != reason {
		t.Errorf("the log ends with %+v", entries[len(entries)-1])
	}

	boundaries, died = g.mortal.writes.Load(), g.mortal.isDead()
	next(2) // life goes on
	for _, a := range guesses {
		var me game21api.Score
		g.persist("scores", func() error {
			resp, err := game21api.Scores.Call(g.as(a.user), g.nc, game21api.ScoresRequest{})
			me = resp.Me
			return err
		})
		won := 0
		if a.user == "cid" {
			won = 1
		}
		if me.Played != 1 || me.Won != won {
			t.Errorf("%s has %+v, want 1 played, %d won", a.user, me, won)
		}
	}
	return boundaries, died
}

// A copy dies at every boundary of a round, before and after what it writes there; another
// one goes on. The outcome is the same, all is told once and credited once.
func TestCrashAtEveryBoundary(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		guesses    []guess
		atDeadline bool
	}{
		{"21", []guess{{"ann", "10*5*3*2"}, {"bob", "2+3+5+10"}, {"cid", "(10-3)*(5-2)"}}, false},
		{"deadline", []guess{{"ann", "10*5*3*2"}, {"cid", "2+3+5+10"}, {"bob", "10+5+3+2"}}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			boundaries, died := play(t, 0, false, tt.guesses, tt.atDeadline)
			// Now and then one is made twice, when two were faster than one looked.
			const least = 12
			if died || boundaries < least {
				t.Fatalf("without a crash: %d boundaries, died %v", boundaries, died)
			}
			for n := int32(1); n <= boundaries; n++ {
				for _, after := range []bool{false, true} {
					t.Run(fmt.Sprintf("%d after=%v", n, after), func(t *testing.T) {
						t.Parallel()
						if _, died := play(t, n, after, tt.guesses, tt.atDeadline); !died && n <= least {
							t.Error("it did not die")
						}
					})
				}
			}
		})
	}
}

// A copy that was asleep for longer than the server remembers message ids tells nothing
// again: the channel itself refuses it.
func TestTellOnce(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.copy()
	h.open()
	st, err := openStore(natstest.Context(t), h.js, natstest.Quiet())
	if err != nil {
		t.Fatal(err)
	}
	ctx := natstest.Context(t)
	all, last, err := st.LastEvents(ctx, 1)
	if err != nil || len(all) != 1 {
		t.Fatalf("events: %v, %v", all, err)
	}
	// Another id stands for the same one after two minutes.
	if _, err := st.Tell(ctx, "another", all[0].Event, last-1); !errors.Is(err, errTaken) {
		t.Errorf("told again from before: %v", err)
	}
	if _, err := st.Tell(ctx, "started.1", all[0].Event, last); !errors.Is(err, errTaken) {
		t.Errorf("told again under its id: %v", err)
	}
	wantTold(t, h.told(), "started 1")
}

// The scores cannot be written: the game goes on, and they are credited later.
func TestScoresLater(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	locked := &lockedStore{}
	locked.fail.Store(true)
	h.copy(func(c *Config) {
		inner := c.wrap
		c.wrap = func(s store) store {
			locked.store = inner(s)
			return locked
		}
	})
	h.open()
	h.say("ann", "2+3+5+10")
	h.expect("game21.answered")
	h.clock.advance(2 * time.Minute)
	h.expect("game21.ended")
	if me := h.scores("ann").Me; me.Played != 0 {
		t.Errorf("credited already: %+v", me)
	}
	locked.fail.Store(false)
	h.clock.advance(creditAgain)
	natstest.Eventually(t, "the round is credited", func() bool { return h.scores("ann").Me.Won == 1 })
	h.open()
}

// lockedStore is a store whose closed rounds cannot be read while fail is set.
type lockedStore struct {
	store
	fail atomic.Bool
}

func (s *lockedStore) Closes(ctx context.Context, after uint64, most int) ([]Close, error) {
	if s.fail.Load() {
		return nil, errors.New("locked")
	}
	return s.store.Closes(ctx, after, most)
}
