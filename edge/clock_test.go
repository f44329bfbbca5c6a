package edge_test

import (
	"testing"
	"time"
	"unsafe"

	"gamehall/edge"
	"gamehall/shared/natstest"
)

// stepped gives now by a wall clock that was set by so many hours, while the monotonic clock
// went on: there is no other way to have such a time than to write into it. The seconds of
// the wall clock stand above bit 30.
func stepped(t *testing.T, hours int) time.Time {
	t.Helper()
	now := time.Now()
	then := now
	*(*uint64)(unsafe.Pointer(&then)) += uint64(int64(hours) * 3600 << 30)
	if by := then.Round(0).Sub(now.Round(0)); then.Sub(now) != 0 || by != time.Duration(hours)*time.Hour {
		t.Fatalf("the time was set by %v, monotonic %v", by, then.Sub(now))
	}
	return then
}

// A step of the wall clock closes nobody, and makes nobody away.
func TestWallClockSteps(t *testing.T) {
	t.Parallel()
	h := start(t, func(cfg *edge.Config) { cfg.AwayAfter, cfg.IdleAfter = 5*time.Minute, 30*time.Minute })
	ann, stranger := h.signIn(t, "ann"), h.connect(t)
	program := framesTo(t, h.edge)
	program.send(`{"id":"1","type":"ping"}`)
	wantOutcome(t, program, "ok")
	ann.write("a line that has beg")
	natstest.Eventually(t, "the line has begun", func() bool { return h.edge.Begun() == 1 })
	for _, hours := range []int{1, -1, 1000} {
		h.edge.Sweep(stepped(t, hours))
	}
	ann.write("un\n")
	ann.want("ann: a line that has begun")
	stranger.quiet()
	program.send(`{"id":"2","type":"ping"}`)
	wantOutcome(t, program, "ok")
	if len(h.away) != 0 {
		t.Errorf("auth was told %q", <-h.away)
	}
}
