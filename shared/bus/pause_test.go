package bus

import (
	"testing"
	"time"
)

// What comes in after a long pause is put aside for a moment, whether it is seen first or the
// clock is; a short one changes nothing.
func TestPauses(t *testing.T) {
	t.Parallel()
	start := time.Now()
	at := start.Add
	var p pauses
	want := func(what string, d time.Duration, stale bool) {
		t.Helper()
		if got := p.stale(at(d)); got != stale {
			t.Errorf("%s: stale %v, want %v", what, got, stale)
		}
	}
	want("before it is watched", time.Hour, false)
	p.look(at(0))
	want("running", time.Second, false)
	want("a short pause", pausedMost, false)
	p.look(at(pausedMost))
	want("after it", pausedMost, false)
	const woken = pausedMost + pausedMost + time.Second
	want("the message first", woken, true)
	p.look(at(woken))
	want("the clock first", woken, true)
	want("still coming in", woken+aside-1, true)
	p.look(at(woken + time.Second))
	want("all is in", woken+aside, false)

	// Suspended: the monotonic clock stood still, the wall clock did not.
	asleep := start.Round(0).Add(time.Hour)
	if passed(start, asleep) != time.Hour {
		t.Errorf("an hour asleep is %v", passed(start, asleep))
	}
}
