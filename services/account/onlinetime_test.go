package account

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/accountapi"
	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
)

// The running session counts from its first moment, before its joined is stored here.
func TestOnlineTimeIncludesTheRunningSession(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	ann := ns.SignIn(t, "ann", "edge1")
	s := startWith(t, ns, Config{Data: t.TempDir(), Now: func() time.Time { return ann.Since.Add(580*time.Second + 999*time.Millisecond) }})
	nc := ns.Connect(t)
	if got := seconds(t, nc, ann); got != 580 {
		t.Errorf("%d seconds, want 580", got)
	}
	// Its joined changes nothing.
	tell(t, ns, event.Joined, ann, nil)
	until(t, "joined is stored", func() bool { return stored(t, s, ann).Epoch == ann.Epoch() })
	if got := seconds(t, nc, ann); got != 580 {
		t.Errorf("%d seconds after joined, want 580", got)
	}
}

// Sessions add up, and the one that just ended is there in full.
func TestOnlineTimeAddsUp(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	ns.SignIn(t, "zoe", "edge1") // so that the epoch 1 is not ann's
	ann := ns.SignIn(t, "ann", "edge1")
	s := startWith(t, ns, Config{Data: t.TempDir(), Now: func() time.Time { return ann.Since.Add(7 * time.Second) }})
	first := ann
	first.Claimed, first.Since = 1, ann.Since.Add(-time.Hour)
	ns.SignOut(t, ann)
	ann2 := ns.SignIn(t, "ann", "edge2")
	tell(t, ns, event.Joined, first, nil)
	tell(t, ns, event.Left, first, func(e *event.Event) { e.Until = first.Since.Add(100 * time.Second) })
	until(t, "left is stored", func() bool { return !stored(t, s, first).Until.IsZero() })
	// Between 100 and 107: the second one began a moment after ann, whose clock is asked.
	if got := seconds(t, ns.Connect(t), ann2); got < 106 || got > 107 {
		t.Errorf("%d seconds, want 106 or 107", got)
	}
}

// A clean exit ends when it was stored, to the second.
func TestCleanExit(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := start(t, ns, t.TempDir())
	ann, _ := began("ann", 3, 90*time.Second, 0)
	tell(t, ns, event.Joined, ann, nil)
	left := tell(t, ns, event.Left, ann, nil)
	until(t, "left is stored", func() bool { return !stored(t, s, ann).Until.IsZero() })
	if got := stored(t, s, ann); !got.Until.Equal(exact(left.At)) || !got.Since.Equal(ann.Since) {
		t.Errorf("%+v, want until %v", got, left.At)
	}
}

// The sessions of a dead edge end at its last renewal, by the server's clock.
func TestDeadEdge(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := start(t, ns, t.TempDir())
	ann, _ := began("ann", 3, 90*time.Second, 0)
	tell(t, ns, event.Joined, ann, nil)
	lease(t, ns, "edge1")
	renewed := lease(t, ns, "edge1")
	seen(t, s, "edge1", renewed)
	lost := func(e *event.Event) { e.EdgeLost = true }
	tell(t, ns, event.Left, ann, lost)
	until(t, "left is stored", func() bool { return !stored(t, s, ann).Until.IsZero() })
	if got := stored(t, s, ann).Until; !got.Equal(renewed) {
		t.Errorf("until %v, want %v", got, renewed)
	}
	// One that began after that has no time online.
	bob, _ := began("bob", 4, -time.Hour, 0)
	tell(t, ns, event.Left, bob, lost)
	until(t, "left is stored", func() bool { return !stored(t, s, bob).Until.IsZero() })
	if got := stored(t, s, bob); !got.Until.Equal(got.Since) {
		t.Errorf("%+v, want an end at its beginning", got)
	}
}

// A session whose end is not known yet counts as far as its edge was known to live, so the
// death of everything costs no more than the time since the last renewal.
func TestOpenSessionCountsUpToTheLastRenewal(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	ns.SignIn(t, "zoe", "edge2") // so that the epoch 1 is not ann's
	ann := ns.SignIn(t, "ann", "edge2")
	s := startWith(t, ns, Config{Data: t.TempDir(), Now: func() time.Time { return ann.Since }})
	before := ann
	before.Claimed, before.Edge, before.Since = 1, "edge1", ann.Since.Add(-time.Hour)
	renewed := lease(t, ns, "edge1")
	seen(t, s, "edge1", renewed)
	tell(t, ns, event.Joined, before, nil)
	until(t, "joined is stored", func() bool { return stored(t, s, before).Epoch == 1 })
	// It is bounded by the beginning of the running one, which is just before the renewal.
	if got := seconds(t, ns.Connect(t), ann); got != 3600 {
		t.Errorf("%d seconds, want 3600", got)
	}
	all, err := s.store.of(natstest.Context(t), ann.UserID)
	if err != nil || len(all) == 0 || !all[0].Until.Equal(renewed) {
		t.Errorf("%+v, %v; want an end at %v", all, err, renewed)
	}
}

// In hall up a person with the nats CLI asks without a session, elsewhere that is refused.
func TestBareCall(t *testing.T) {
	t.Parallel()
	for _, bare := range []bool{true, false} {
		ns := natstest.Run(t)
		startWith(t, ns, Config{Data: t.TempDir(), Bare: bare})
		ns.SignIn(t, "ann", "edge1")
		nc := ns.Connect(t)
		want := fault.NotSignedIn
		if bare {
			want = ""
		}
		as := bus.As(natstest.Context(t), "ANN")
		if _, err := accountapi.OnlineTime.Call(as, nc, accountapi.OnlineTimeRequest{}); fault.CodeOf(err) != want {
			t.Errorf("bare %v: online time: %v, want %q", bare, err, want)
		}
		if _, err := accountapi.Who.Call(as, nc, accountapi.WhoRequest{}); fault.CodeOf(err) != want {
			t.Errorf("bare %v: who: %v, want %q", bare, err, want)
		}
		if _, err := accountapi.Who.Call(bus.As(natstest.Context(t), "bob"), nc, accountapi.WhoRequest{}); fault.CodeOf(err) != fault.NotSignedIn {
			t.Errorf("bare %v: not signed in: %v", bare, err)
		}
	}
}

// What was said of a running session does not shrink when the clock is set back, and goes
// on from there.
func TestStopwatch(t *testing.T) {
	t.Parallel()
	now := noon
	w := stopwatch{now: func() time.Time { return now }}
	want := func(what string, epoch uint64, since time.Time, seconds int) {
		t.Helper()
		if got := w.elapsed("u1", epoch, since); got != time.Duration(seconds)*time.Second {
			t.Errorf("%s: %v, want %d s", what, got, seconds)
		}
	}
	want("clocks that differ", 1, noon.Add(time.Second), 0)
	now = at(10)
	want("ten seconds later", 1, noon.Add(time.Second), 10)
	now = at(-3600)
	want("set back an hour", 1, noon.Add(time.Second), 10)
	now = at(-3595)
	want("five seconds later", 1, noon.Add(time.Second), 15)
	want("the next session", 2, at(-3600), 5)
}

// To look at the sessions that were there before makes no garbage, however many there are.
func TestStopwatchLooksInPlace(t *testing.T) { //nolint:paralleltest // AllocsPerRun may not
	all := make([]*session.Record, 1000)
	for i := range all {
		all[i] = &session.Record{UserID: fmt.Sprint("u", i), Claimed: 1, Since: noon}
	}
	w := stopwatch{now: func() time.Time { return at(60) }}
	w.look(all)
	if n := testing.AllocsPerRun(10, func() { w.look(all) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// Two users do not get in each other's way, and what is forgotten is measured anew.
func TestStopwatchForgets(t *testing.T) {
	t.Parallel()
	w := stopwatch{now: func() time.Time { return at(60) }, marks: map[string]mark{}}
	if got := w.elapsed("u1", 1, noon); got != time.Minute {
		t.Errorf("u1: %v", got)
	}
	for i := range marksMost {
		w.marks[bus.NewID()] = mark{epoch: uint64(i)}
	}
	if got := w.elapsed("u2", 1, at(30)); got != 30*time.Second {
		t.Errorf("u2: %v", got)
	}
	if len(w.marks) != 1 {
		t.Errorf("%d marks are kept", len(w.marks))
	}
	if got := w.elapsed("u1", 1, noon); got != time.Minute {
		t.Errorf("u1 again: %v", got)
	}
}

// What a copy that died has in its hands counts at once, at every copy, and not when it comes
// again: a user who signs in anew is told no less than before.
func TestFormerSessionInTheHandsOfADeadCopy(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	dir := t.TempDir()
	stop(t, start(t, ns, dir)) // there is a consumer
	js := ns.JetStream(t)
	ns.SignIn(t, "zoe", "edge1") // so that the epoch 1 is not ann's
	ann := ns.SignIn(t, "ann", "edge2")
	before := ann
	before.Claimed, before.Edge, before.Since = 1, "edge1", exact(ann.Since.Add(-time.Hour))
	tell(t, ns, event.Joined, before, nil)
	joined := hold(t, js)
	tell(t, ns, event.Left, before, func(e *event.Event) { e.Until = before.Since.Add(580 * time.Second) })
	left := hold(t, js)
	tell(t, ns, event.Joined, ann, nil)
	now := func() time.Time { return ann.Since.Add(7 * time.Second) }
	for i := range 2 {
		s := startWith(t, ns, Config{Data: dir, Now: now})
		if got := seconds(t, ns.Connect(t), ann); got != 587 {
			t.Errorf("copy %d says %d seconds, want 587", i+1, got)
		}
		if got := stored(t, s, before); !got.Until.Equal(before.Since.Add(580 * time.Second)) {
			t.Errorf("stored is %+v", got)
		}
		stop(t, s)
	}
	// They come again in the end, and change nothing.
	for _, m := range []jetstream.Msg{left, joined} {
		if err := m.Nak(); err != nil {
			t.Fatal(err)
		}
	}
	s := startWith(t, ns, Config{Data: dir, Now: now})
	drained(t, s, ns)
	if got := seconds(t, ns.Connect(t), ann); got != 587 {
		t.Errorf("told again: %d seconds, want 587", got)
	}
}

// How far the consumer is, is asked once for all who joined before that.
func TestWhoJoinedBeforeIsNotReadFor(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := start(t, ns, t.TempDir())
	ann := ns.SignIn(t, "ann", "edge1")
	joined := tell(t, ns, event.Joined, ann, nil)
	drained(t, s, ns)
	ann.Joined = joined.Seq
	if err := s.tellFormer(natstest.Context(t), ann); err != nil || s.acked.Load() != joined.Seq {
		t.Fatalf("%v; acknowledged up to %d, want %d", err, s.acked.Load(), joined.Seq)
	}
	ended, end := context.WithCancel(natstest.Context(t))
	end()
	if err := s.tellFormer(ended, ann); err != nil {
		t.Errorf("it is asked again: %v", err)
	}
	ann.Joined++
	if err := s.tellFormer(ended, ann); err == nil {
		t.Error("it is not asked for who joined later")
	}
}

// A copy that is far behind does not say less than it will.
func TestFarBehind(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	dir := t.TempDir()
	stop(t, start(t, ns, dir))
	js := ns.JetStream(t)
	ann := ns.SignIn(t, "ann", "edge1")
	tell(t, ns, event.Joined, ann, nil)
	hold(t, js)
	for range readMost {
		if _, err := js.PublishAsync(string(chatapi.Lobby), []byte(`{"event":"chat"}`), jetstream.WithStallWait(natstest.Wait)); err != nil {
			t.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	last := tell(t, ns, event.Joined, ann, nil)
	s := start(t, ns, dir)
	ann.Joined = last.Seq
	if err := s.tellFormer(natstest.Context(t), ann); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("%v, want unavailable", err)
	}
}
