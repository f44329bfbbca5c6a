package game21

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// The story of four rounds: nobody answers; the best that is not over 21 wins; a 21 ends the
// round at once; of equals the first one wins.
func TestStory(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.copy()

	// Before the first round.
	if msg := h.refused("ann", "10+5+3+2", fault.NoRound); !strings.Contains(msg, "the next one starts at 2026-11-20 11:00:00 UTC") &&
		!strings.Contains(msg, "soon") {
		t.Error(msg)
	}

	// Round 1: nobody answers.
	e := h.open()
	if e.Round != 1 || len(e.Numbers) != 4 || Numbers(e.Numbers) != dealt || !e.EndsAt.Equal(utc(t, "2026-11-20 11:02:00")) {
		t.Errorf("started: %+v", e)
	}
	s := h.status()
	if len(h.told()) != 1 || s.Seq == 0 {
		t.Errorf("the start is event %d", s.Seq)
	}
	if !s.Open || s.Round != 1 || Numbers(s.Numbers) != dealt || !s.EndsAt.Equal(e.EndsAt) || !s.NextAt.Equal(utc(t, "2026-11-20 12:00:00")) {
		t.Errorf("status in the round: %+v", s)
	}
	h.clock.advance(2 * time.Minute)
	e = h.expect(event.Game21Ended)
	if e.Answers != 0 || e.Winner != "" || e.Expression != "" || e.Value != "" || e.Best == nil || e.Best.Value != "21" {
		t.Errorf("nobody answered: %+v", e)
	}
	h.refused("ann", "10+5+3+2", fault.NoRound) // late
	if s := h.status(); s.Open || s.Round != 2 || len(s.Numbers) != 0 || !s.EndsAt.IsZero() || !s.NextAt.Equal(utc(t, "2026-11-20 12:00:00")) {
		t.Errorf("status between rounds: %+v", s)
	}

	// Round 2: 55 is void, 20 wins over 10, at the deadline.
	h.open()
	if r := h.say("ann", "10*5+3+2"); r.Round != 2 || r.Value != "55" || !r.Void {
		t.Errorf("over 21: %+v", r)
	}
	if e := h.expect(event.Game21Answered); e.User != "ann" || e.Expression != "" || e.Value != "" {
		t.Errorf("answered: %+v", e)
	}
	if msg := h.refused("bob", "10+5+3", fault.WrongNumbers); msg != "does not use 2" {
		t.Error(msg)
	}
	if msg := h.refused("bob", "10+5+7+2", fault.WrongNumbers); msg != "uses 7, which is not among 2 3 5 10" {
		t.Error(msg)
	}
	h.refused("bob", "10/(5-2-3)", fault.BadExpression)
	h.refused("bob", strings.Repeat("(", 100), fault.BadExpression)
	h.refused("bob", strings.Repeat("1", 10<<10), fault.BadExpression)
	if r := h.say("bob", "10/5*(3-2)"); r.Value != "2" || r.Void {
		t.Errorf("bob: %+v", r)
	}
	h.expect(event.Game21Answered)
	h.say("cid", "2+3+5+10")
	h.expect(event.Game21Answered)
	if msg := h.refused("ann", "2+3+5+10", fault.AlreadyAnswered); msg != "you have answered round 2 already" {
		t.Error(msg)
	}
	h.clock.advance(119 * time.Second)
	if !h.status().Open {
		t.Error("the round has ended before its time")
	}
	h.clock.advance(time.Second)
	e = h.expect(event.Game21Ended)
	if e.Answers != 3 || e.Winner != "cid" || e.Expression != "2+3+5+10" || e.Value != "20" {
		t.Errorf("the best wins: %+v", e)
	}

	// Round 3: a 21 ends it at once.
	h.open()
	h.say("bob", "2+3+5+10")
	h.expect(event.Game21Answered)
	if r := h.say("ann", "(10-3)*(5-2)"); r.Value != "21" || r.Void {
		t.Errorf("21: %+v", r)
	}
	h.expect(event.Game21Answered)
	e = h.expect(event.Game21Ended)
	if e.Winner != "ann" || e.Value != "21" || e.Answers != 2 {
		t.Errorf("21 wins: %+v", e)
	}
	h.refused("cid", "(10-3)*(5-2)", fault.NoRound)

	// Round 4: of equals the first. Round 5: only void ones.
	h.open()
	h.say("cid", "10+5+3+2")
	h.expect(event.Game21Answered)
	h.say("ann", "2+3+5+10")
	h.expect(event.Game21Answered)
	h.clock.advance(2 * time.Minute)
	if e := h.expect(event.Game21Ended); e.Winner != "cid" || e.Answers != 2 {
		t.Errorf("ties: %+v", e)
	}
	h.open()
	h.say("cid", "10*5*3*2")
	h.expect(event.Game21Answered)
	h.clock.advance(2 * time.Minute)
	if e := h.expect(event.Game21Ended); e.Winner != "" || e.Answers != 1 || e.Value != "" || e.Best == nil {
		t.Errorf("no valid answer: %+v", e)
	}

	// Nobody has seen an expression before its round ended.
	for _, e := range h.told() {
		if e.Kind != event.Game21Ended && e.Expression != "" {
			t.Errorf("revealed early: %+v", e)
		}
	}
	got := h.scores("bob")
	if len(got.Top) != 3 || got.Top[0].User != "cid" || got.Top[0].Won != 2 || got.Top[0].Played != 3 || got.Top[0].Rank != 1 ||
		got.Top[1].User != "ann" || got.Top[1].Won != 1 || got.Top[1].Played != 3 || got.Top[2].User != "bob" {
		t.Errorf("top: %+v", got.Top)
	}
	if got.Me.User != "bob" || got.Me.Won != 0 || got.Me.Played != 2 || got.Me.Rank != 3 {
		t.Errorf("me: %+v", got.Me)
	}
	if me := h.scores("watcher").Me; me.User != "watcher" || me.Rank != 0 || me.Played != 0 {
		t.Errorf("who has not played: %+v", me)
	}
}

// The first round, the next one, and what a restart makes of the plan.
func TestScheduleOverRestarts(t *testing.T) {
	t.Parallel()
	first := func(c *Config) { c.First, c.Period, c.Duration = 10*time.Second, time.Minute, 20*time.Second }
	h := newHall(t)
	s := h.copy(first)
	if got := h.planned(); !got.Equal(utc(t, "2026-11-20 10:59:10")) {
		t.Errorf("first round at %v", got)
	}

	// A restart keeps a plan that is to come.
	h.end(s)
	h.clock.advance(5 * time.Second)
	s = h.copy(first)
	if got := h.planned(); !got.Equal(utc(t, "2026-11-20 10:59:10")) {
		t.Errorf("after a restart: %v", got)
	}
	h.open()

	// A restart while a round is open leaves both the round and the plan alone.
	h.end(s)
	h.clock.advance(15 * time.Second)
	s = h.copy(first)
	if got := h.status(); !got.Open || got.Round != 1 || !got.EndsAt.Equal(utc(t, "2026-11-20 10:59:30")) || !got.NextAt.Equal(utc(t, "2026-11-20 11:00:10")) {
		t.Errorf("in the round: %+v", got)
	}
	h.clock.advance(5 * time.Second)
	h.expect(event.Game21Ended)

	// Past: ready and first again, with the same number.
	h.planned()
	h.end(s)
	h.clock.advance(time.Hour)
	h.copy(first)
	h.clock.advance(settle) // nobody else opens it
	if got, want := h.planned(), utc(t, "2026-11-20 11:59:40"); !got.Equal(want) {
		t.Errorf("past: %v, want %v", got, want)
	}
	if e := h.open(); e.Round != 2 {
		t.Errorf("round %d, want 2", e.Round)
	}
}

// Who reads the log learns when the next round starts, and that a plan which was there before
// holds.
func TestPlanIsLogged(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	said := make(logged, 1024)
	first := func(d time.Duration) func(*Config) {
		return func(c *Config) {
			c.First, c.Log, c.Zone = d, slog.New(slog.NewTextHandler(said, nil)), time.FixedZone("", 3600)
		}
	}
	s := h.copy(first(10 * time.Second))
	said.want(t, `msg="the next round is planned" service=game21 round=1 starts_at=2026-11-20T11:59:10.000+01:00`)
	h.end(s)
	s = h.copy(first(20 * time.Second))
	said.want(t, `msg="the next round was planned before, and that holds" service=game21 round=1 starts_at=2026-11-20T11:59:10.000+01:00 first=20s`)
	h.end(s)
	h.clock.advance(time.Hour)
	h.copy(first(20 * time.Second))
	h.clock.advance(settle) // nobody else opens it
	said.want(t, `msg="the next round is planned" service=game21 round=1 starts_at=2026-11-20T12:59:`)
}

// logged is what is logged, line by line.
type logged chan string

func (l logged) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// want waits for a line about the plan, and for this one only.
func (l logged) want(t *testing.T, part string) {
	t.Helper()
	for deadline := time.After(natstest.Wait); ; {
		select {
		case line := <-l:
			switch {
			case strings.Contains(line, part):
				return
			case strings.Contains(line, "next round"):
				t.Fatalf("logged %q, want %q", line, part)
			}
		case <-deadline:
			t.Fatalf("%q is not logged", part)
		}
	}
}

// Without a schedule the numbers go on after the highest one that anything remembers.
func TestMissingSchedule(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	s := h.copy()
	h.open()
	kv, err := h.js.KeyValue(natstest.Context(t), streams.Schedule)
	if err != nil {
		t.Fatal(err)
	}
	h.end(s)
	if err := kv.Delete(natstest.Context(t), scheduleKey); err != nil {
		t.Fatal(err)
	}
	s = h.copy()
	if got := h.status(); !got.Open || got.Round != 1 {
		t.Errorf("a round is open: %+v", got)
	}
	h.clock.advance(2 * time.Minute)
	h.expect(event.Game21Ended)
	if got := h.planned(); !got.Equal(utc(t, "2026-11-20 12:00:00")) {
		t.Errorf("planned for %v", got)
	}
	h.end(s)

	// The scores remember, too.
	if _, err := (ledger{openLedger(t, h.db)}).credit(natstest.Context(t), Result{Outcome: NobodyAnswered, Round: 41}); err != nil {
		t.Fatal(err)
	}
	if err := kv.Delete(natstest.Context(t), scheduleKey); err != nil {
		t.Fatal(err)
	}
	h.copy()
	if e := h.open(); e.Round != 42 {
		t.Errorf("round %d, want 42", e.Round)
	}
}

// The wall clock of a service may jump; a round lasts as long as it should, and no number
// comes twice or is left out.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			t.Parallel()
			h := newHall(t)
			h.copy()
			h.open()
			h.clock.advance(time.Minute)
			h.clock.jump(by)
			h.clock.advance(59 * time.Second)
			h.say("ann", "10+5+3+2") // it is still open
			h.expect(event.Game21Answered)
			h.clock.advance(time.Second)
			h.expect(event.Game21Ended)
			h.clock.advance(poll) // a plan that was jumped over is seen now
			if e := h.open(); e.Round != 2 {
				t.Errorf("round %d after the jump, want 2", e.Round)
			}
			h.clock.advance(time.Minute)
			h.clock.jump(-by)
			h.clock.advance(time.Minute)
			h.expect(event.Game21Ended)
			h.clock.advance(poll)
			if e := h.open(); e.Round != 3 {
				t.Errorf("round %d after the jump back, want 3", e.Round)
			}
		})
	}
}

// A message that is none of ours takes a number, and no more.
func TestUnreadableOpen(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{true, false} {
		t.Run(fmt.Sprintf("before the start %v", before), func(t *testing.T) {
			t.Parallel()
			h := newHall(t)
			spoil := func() {
				if _, err := h.js.Publish(natstest.Context(t), "hall.round.1.open", []byte("{")); err != nil {
					t.Fatal(err)
				}
			}
			if before {
				spoil()
			}
			h.copy()
			kv, err := h.js.KeyValue(natstest.Context(t), streams.Schedule)
			if err != nil {
				t.Fatal(err)
			}
			natstest.Eventually(t, "a round is planned", func() bool {
				_, err := kv.Get(natstest.Context(t), scheduleKey)
				return err == nil
			})
			if !before {
				spoil()
			}
			h.clock.advance(time.Minute)
			if e := h.expect(event.Game21Started); e.Round != 2 {
				t.Errorf("round %d, want 2", e.Round)
			}
			h.say("ann", "10+5+3+2")
		})
	}
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		cfg  Config
		want string
	}{
		{"a round longer than its period", Config{Period: time.Minute, Duration: time.Minute}, "does not fit"},
		{"a negative first", Config{First: -1}, "negative"},
		{"data that cannot be", Config{Data: filepath.Join("service_test.go", "x")}, "service_test.go"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Start(natstest.Context(t), tt.cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}
