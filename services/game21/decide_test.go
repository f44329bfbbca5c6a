package game21

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"gamehall/shared/event"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	p := pace{period: time.Hour, duration: 2 * time.Minute, zone: time.UTC}
	now := utc(t, "2026-11-20 11:01:00")
	at := func(s string) time.Time { return utc(t, "2026-11-20 "+s) }
	open := Open{Seq: 1, Stored: at("11:00:00"), Round: 7, Numbers: dealt, OpenedAt: at("11:00:00"), EndsAt: at("11:02:00")}
	ann, bob := answered(t, 2, "ann", "2+3+5+10"), answered(t, 3, "bob", "(10-3)*(5-2)")
	ended := Close{Seq: 4, Round: 7, Reason: Deadline, At: at("11:02:00")}
	round := func(entries ...Entry) roundLog {
		r := roundLog{number: 7}
		r.add(entries)
		return r
	}
	next := Schedule{Round: 8, StartsAt: at("12:00:00")}
	tests := []struct {
		name string
		s    state // now, elapsed, up and due are filled in
		want string
	}{
		{"nothing is known", state{}, "plan 1 12:00:00"},
		{"the schedule is lost", state{last: 41}, "plan 42 12:00:00"},
		{"the schedule is lost in a round", state{last: 7, round: round(open), told: told{started: 1}}, "sleep 1s"},
		{"the schedule is lost after a round", state{last: 7, round: round(open, ended), told: told{started: 1, ended: true}}, "plan 8 12:00:00"},
		{"between rounds", state{scheduled: true, schedule: next}, "sleep 1s"},
		{"soon", state{scheduled: true, schedule: Schedule{8, now.Add(10 * time.Millisecond)}}, "sleep 10ms"},
		{"due", state{scheduled: true, schedule: Schedule{8, now}}, "open 8"},
		{"missed", state{scheduled: true, schedule: Schedule{8, now.Add(-time.Minute)}}, "plan 8 12:00:00"},
		{"rounds to credit come before the next", state{scheduled: true, schedule: Schedule{8, now}, credit: true}, "credit"},
		{"opened, and not moved", state{scheduled: true, schedule: Schedule{7, at("11:00:00")}, round: round(open)}, "plan 8 12:00:00"},
		{"closed, and not moved", state{scheduled: true, schedule: Schedule{7, at("11:00:00")}, round: round(open, ended)}, "plan 8 12:00:00"},
		{"opened, and not told", state{scheduled: true, schedule: next, round: round(open)}, "tell started.7"},
		{"open", state{scheduled: true, schedule: next, round: round(open), told: told{started: 1}}, "sleep 1s"},
		{"open, and an hour is due", state{scheduled: true, schedule: Schedule{8, now}, round: round(open), told: told{started: 1}}, "sleep 1s"},
		{"answered", state{scheduled: true, schedule: next, round: round(open, ann), told: told{started: 1}}, "tell answered.7.id-ann"},
		{"answered twice", state{scheduled: true, schedule: next, round: round(open, ann, bob), told: told{started: 1, answered: 1}}, "tell answered.7.id-bob"},
		{"a 21", state{scheduled: true, schedule: next, round: round(open, bob), told: told{started: 1, answered: 1}}, "close 7 made21"},
		{"its time is over", state{scheduled: true, schedule: next, round: round(open, ann), told: told{started: 1, answered: 1}, due: 5 * time.Minute}, "close 7 deadline"},
		{"rounds to credit in a round", state{scheduled: true, schedule: next, round: round(open), told: told{started: 1}, credit: true}, "credit"},
		{"rounds to credit at its end", state{scheduled: true, schedule: next, round: round(open), told: told{started: 1}, credit: true, due: 5*time.Minute + time.Millisecond}, "sleep 1ms"},
		{"closed, and not credited", state{scheduled: true, schedule: next, round: round(open, ann, ended), told: told{started: 1, answered: 1}, credit: true}, "credit"},
		{"closed, and not told", state{scheduled: true, schedule: next, round: round(open, ann, ended), told: told{started: 1, answered: 1}}, "tell ended.7"},
		{"a late answer is not told", state{scheduled: true, schedule: next, round: round(open, ended, answered(t, 5, "ann", "2+3+5+10")), told: told{started: 1, ended: true}}, "sleep 1s"},
		{"all done", state{scheduled: true, schedule: next, round: round(open, ended), told: told{started: 1, ended: true}}, "sleep 1s"},
		{"its events have expired", state{now: now.Add(2 * time.Hour), scheduled: true, schedule: Schedule{8, at("14:00:00")}, round: round(open, ended)}, "sleep 1s"},
		{"open for hours, untold", state{now: now.Add(2 * time.Hour), scheduled: true, schedule: Schedule{8, at("14:00:00")}, round: round(open)}, "tell started.7"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := tt.s
			s.elapsed, s.up = 5*time.Minute, time.Minute+time.Second
			if s.now.IsZero() {
				s.now = now
			}
			if s.due == 0 {
				s.due = s.elapsed + time.Minute
			}
			if got := stepText(decide(s, p), s.elapsed); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func stepText(s step, elapsed time.Duration) string {
	switch s := s.(type) {
	case openRound:
		return fmt.Sprintf("open %d", s.round)
	case closeRound:
		return fmt.Sprintf("close %d %s", s.round, s.reason)
	case tell:
		return "tell " + s.id
	case plan:
		return fmt.Sprintf("plan %d %s", s.schedule.Round, s.schedule.StartsAt.Format(time.TimeOnly))
	case credit:
		return "credit"
	case sleep:
		return fmt.Sprintf("sleep %v", s.until-elapsed)
	}
	return fmt.Sprintf("%T", s)
}

func TestWhatTheHallIsTold(t *testing.T) {
	t.Parallel()
	now := utc(t, "2026-11-20 11:02:00")
	open := Open{Seq: 1, Stored: now, Round: 7, Numbers: dealt, OpenedAt: now, EndsAt: now.Add(2 * time.Minute)}
	r := roundLog{number: 7}
	r.add([]Entry{open, answered(t, 2, "ann", "2+3+5+10"), Close{Seq: 3, Round: 7, Reason: Deadline}})
	s := state{now: now, scheduled: true, schedule: Schedule{8, now.Add(time.Hour)}, round: r}
	best := Best(dealt)
	want := []event.Event{
		{Kind: event.Game21Started, Round: 7, Numbers: dealt[:], EndsAt: open.EndsAt},
		{Kind: event.Game21Answered, Round: 7, User: "ann", UserID: "id-ann"},
		{
			Kind: event.Game21Ended, Round: 7, Answers: 1, Winner: "ann", Expression: "2+3+5+10", Value: "20",
			Best: &event.Solution{Expression: best.Expression, Value: best.Value},
		},
	}
	for i, told := range []told{{}, {started: 1}, {started: 1, answered: 1}} {
		s.told = told
		got, ok := decide(s, pace{period: time.Hour, zone: time.UTC}).(tell)
		if !ok || !reflect.DeepEqual(got.event, want[i]) {
			t.Errorf("told %+v, want %+v", got.event, want[i])
		}
	}
}

// Whatever the wall clock says, a round that a copy has seen open lasts as long as it
// should; one that it finds open lasts as the server says, and never longer than it should.
func TestDueAt(t *testing.T) {
	t.Parallel()
	const never = -1 * time.Second
	stored := utc(t, "2026-11-20 11:00:00")
	o := Open{Round: 7, OpenedAt: stored.Add(-time.Minute), Stored: stored, EndsAt: stored.Add(2 * time.Minute)}
	elapsed := time.Hour
	tests := []struct {
		name   string
		now    time.Duration // after it was stored, by this copy's clock
		before time.Duration // elapsed when it was not open
		want   time.Duration // from elapsed
	}{
		{"seen open", 0, elapsed - 10*time.Millisecond, 2 * time.Minute},
		{"seen open, 5 s ahead of the server", 5 * time.Second, elapsed - 10*time.Millisecond, 2*time.Minute - 10*time.Millisecond},
		{"seen open, 5 s behind it", -5 * time.Second, elapsed - 10*time.Millisecond, 2 * time.Minute},
		{"seen open after a jump by an hour", time.Hour, elapsed - time.Second, 2*time.Minute - time.Second},
		{"found open", 30 * time.Second, never, 90 * time.Second},
		{"found open, 5 s ahead", 35 * time.Second, never, 85 * time.Second},
		{"found open, an hour behind", 30*time.Second - time.Hour, never, 2 * time.Minute},
		{"found open after its time", 3 * time.Minute, never, -time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := dueAt(o, stored.Add(tt.now), elapsed, tt.before) - elapsed; got != tt.want {
				t.Errorf("in %v, want %v", got, tt.want)
			}
		})
	}
}
