package account

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gamehall/shared/event"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// at is n seconds after noon.
func at(n int) time.Time { return noon.Add(time.Duration(n) * time.Second) }

func TestRead(t *testing.T) {
	t.Parallel()
	joined := event.Event{Kind: event.Joined, User: "ann", UserID: "u1", Epoch: 7, Edge: "e1"}
	left := event.Event{Kind: event.Left, User: "ann", UserID: "u1", Epoch: 7, Edge: "e1", Since: at(0)}
	tests := []struct {
		name         string
		event        event.Event
		edit         func(*event.Event)
		since, until time.Time // zero until: open
	}{
		{"joined", joined, func(e *event.Event) { e.Since = at(0) }, at(0), time.Time{}},
		{"joined, when it was stored", joined, func(*event.Event) {}, at(90), time.Time{}},
		{"left, when it was stored", left, func(*event.Event) {}, at(0), at(90)},
		{"left earlier", left, func(e *event.Event) { e.Until = at(60) }, at(0), at(60)},
		{"edge lost", left, func(e *event.Event) { e.EdgeLost = true }, at(0), at(55)},
		{"edge lost, and it is known when", left, func(e *event.Event) { e.Until, e.EdgeLost = at(50), true }, at(0), at(50)},
		{"edge lost before its next renewal", left, func(e *event.Event) { e.Since, e.EdgeLost = at(57), true }, at(57), at(57)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := tt.event
			tt.edit(&e)
			told, ok, err := tells(e, at(90))
			if err != nil || !ok {
				t.Fatalf("read: %v, %v", ok, err)
			}
			want := span{UserID: "u1", Epoch: 7, User: "ann", Edge: "e1", Since: tt.since, Until: tt.until}
			if got := told.onto(span{}, false, at(55)); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
	if _, ok, err := tells(event.Event{Kind: event.Chat, From: "ann", Text: "hi"}, noon); ok || err != nil {
		t.Errorf("chat: %v, %v", ok, err)
	}
	for _, e := range []event.Event{{Kind: event.Joined, User: "ann", Epoch: 1}, {Kind: event.Left, UserID: "u1"}} {
		if _, _, err := tells(e, noon); err == nil {
			t.Errorf("%+v is read", e)
		}
	}
}

// An edge that came back after its session was ended for it moves nothing.
func TestALostSessionEndsBeforeItsLeft(t *testing.T) {
	t.Parallel()
	left, _, err := tells(event.Event{Kind: event.Left, UserID: "u1", Epoch: 1, Since: at(0), EdgeLost: true}, at(60))
	if err != nil {
		t.Fatal(err)
	}
	if got := left.onto(span{}, false, at(500)).Until; got != at(60) {
		t.Errorf("until %v, want %v", got, at(60))
	}
}

func TestOnline(t *testing.T) {
	t.Parallel()
	s := func(epoch uint64, since, until int) span {
		return span{Epoch: epoch, Since: at(since), Until: at(until)}
	}
	tests := []struct {
		name  string
		spans []span
		want  int // seconds
	}{
		{"none", nil, 0},
		{"one", []span{s(1, 0, 580)}, 580},
		{"two, in any order", []span{s(2, 100, 130), s(1, 0, 50)}, 80},
		{"taken over", []span{s(1, 0, 60), s(2, 50, 70)}, 70},
		{"one within another", []span{s(1, 0, 100), s(2, 10, 20)}, 20},
		{"the clock was set back", []span{s(1, 0, -3600)}, 0},
		{"and then signed in again", []span{s(1, 0, 100), s(2, -3600, -3500)}, 100},
		{"open", []span{{Epoch: 1, Since: at(0)}}, 0},
		{"a later one bounds all before", []span{s(1, 0, 100), s(2, 90, 91), s(3, 10, 20)}, 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := online(tt.spans); got != time.Duration(tt.want)*time.Second {
				t.Errorf("%v, want %d s", got, tt.want)
			}
		})
	}
}

// occurrence is an event and when it was stored.
type occurrence struct {
	event event.Event
	at    time.Time
}

// fold tells every occurrence, as the store does, and sums up.
func fold(t *rapid.T, all []occurrence, seen time.Time) time.Duration {
	known := map[uint64]span{}
	for _, o := range all {
		told, ok, err := tells(o.event, o.at)
		if err != nil || !ok {
			t.Fatalf("read %+v: %v, %v", o.event, ok, err)
		}
		have, found := known[told.Epoch]
		known[told.Epoch] = told.onto(have, found, seen)
	}
	var spans []span
	for _, s := range known {
		if s.Until.IsZero() {
			s.Until = lastSign(s, seen)
		}
		spans = append(spans, s)
	}
	return online(spans)
}

// However often and in whatever order joined and left arrive, the sum is that of the
// sessions as they were.
func TestOnlineTimeIsNeverCountedTwice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var all []occurrence
		var want time.Duration
		clock, epoch := 0, uint64(0)
		seen := 0
		for range rapid.IntRange(0, 6).Draw(t, "sessions") {
			clock += rapid.IntRange(0, 100).Draw(t, "gap")
			epoch += rapid.Uint64Range(1, 3).Draw(t, "epoch")
			since := clock
			e := event.Event{User: "ann", UserID: "u1", Epoch: epoch, Edge: "e1", Since: at(since)}
			joined, left := e, e
			joined.Kind, left.Kind = event.Joined, event.Left
			if rapid.Bool().Draw(t, "joined says since") {
				all = append(all, occurrence{joined, at(since + 1)})
			} else {
				joined.Since = time.Time{}
				all = append(all, occurrence{joined, at(since)})
			}
			clock += rapid.IntRange(1, 1000).Draw(t, "length")
			until := clock
			switch rapid.IntRange(0, 2).Draw(t, "end") {
			case 0: // told when it happened
				all = append(all, occurrence{left, at(until)})
			case 1: // told later
				left.Until = at(until)
				all = append(all, occurrence{left, at(until + 30)})
			case 2: // not seen: the edge's last renewal counts
				left.Until, left.EdgeLost = at(until), true
				all = append(all, occurrence{left, at(until + 35)})
			}
			want += time.Duration(until-since) * time.Second
			seen = until
		}
		if rapid.Bool().Draw(t, "all died") && len(all) > 0 {
			all = all[:len(all)-1] // the last left is yet to come; its edge lived until then
		}
		again := rapid.SliceOfN(rapid.IntRange(0, max(0, len(all)-1)), 0, 10).Draw(t, "again")
		arrived := slices.Clone(all)
		for _, i := range again {
			if i < len(all) {
				arrived = append(arrived, all[i])
			}
		}
		arrived = rapid.Permutation(arrived).Draw(t, "order")
		if got := fold(t, arrived, at(seen)); got != want {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

// Whatever is told, no second counts twice: the sum is at most the time from the first
// beginning to the last end.
func TestOnlineTimeIsAtMostWallTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var spans []span
		var first, last time.Time
		for i := range rapid.IntRange(1, 8).Draw(t, "sessions") {
			since := at(rapid.IntRange(-1000, 1000).Draw(t, "since"))
			until := since.Add(time.Duration(rapid.IntRange(-100, 1000).Draw(t, "length")) * time.Second)
			spans = append(spans, span{Epoch: uint64(i + 1), Since: since, Until: until})
			if i == 0 || since.Before(first) {
				first = since
			}
			if until.After(last) {
				last = until
			}
		}
		if got := online(spans); got < 0 || got > max(0, last.Sub(first)) {
			t.Fatalf("%v of %v", got, last.Sub(first))
		}
	})
}
