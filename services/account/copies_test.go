package account

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/event"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// hold takes the next event from the consumer and keeps it, as a copy does that was frozen
// right after it had fetched it.
func hold(t *testing.T, js jetstream.JetStream) jetstream.Msg {
	t.Helper()
	c, err := js.Consumer(natstest.Context(t), streams.Events, durable)
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Next(jetstream.FetchMaxWait(natstest.Wait))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A copy that is frozen with events in its hands holds nothing up and changes nothing when it
// wakes: a left that another copy stored before its joined counts the same, and a session
// whose left it has is not closed by a guess meanwhile.
func TestFrozenCopy(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	js := ns.JetStream(t)
	dir := t.TempDir()
	stop(t, start(t, ns, dir)) // there is a consumer
	ann, annLeft := began("ann", 1, time.Hour, time.Minute)
	bob, bobLeft := began("bob", 2, time.Hour, 2*time.Minute)

	tell(t, ns, event.Joined, ann, nil)
	joined := hold(t, js)
	s := start(t, ns, dir)
	tell(t, ns, event.Joined, bob, nil)
	tell(t, ns, event.Left, ann, func(e *event.Event) { e.Until = annLeft })
	until(t, "ann's left is stored", func() bool { return stored(t, s, ann).Until.Equal(annLeft) })
	until(t, "bob's joined is stored", func() bool { return stored(t, s, bob).Epoch == 2 })
	if got := stored(t, s, ann); !got.Since.Equal(ann.Since) {
		t.Errorf("without its joined: %+v, want since %v", got, ann.Since)
	}
	stop(t, s)

	tell(t, ns, event.Left, bob, func(e *event.Event) { e.Until = bobLeft })
	left := hold(t, js)
	s = start(t, ns, dir) // finds bob open, and in no bucket
	done, err := s.caughtUp(natstest.Context(t), 4)
	if err != nil || done {
		t.Errorf("caught up %v (%v), while a copy holds events", done, err)
	}
	if got := stored(t, s, bob); !got.Until.IsZero() {
		t.Errorf("bob was closed by a guess: %+v", got)
	}
	s.take(natstest.Context(t), []jetstream.Msg{joined, left}) // it wakes
	drained(t, s, ns)
	if got := stored(t, s, ann); !got.Since.Equal(ann.Since) || !got.Until.Equal(annLeft) {
		t.Errorf("ann: %+v, want %v to %v", got, ann.Since, annLeft)
	}
	if got := stored(t, s, bob); !got.Since.Equal(bob.Since) || !got.Until.Equal(bobLeft) {
		t.Errorf("bob: %+v, want %v to %v", got, bob.Since, bobLeft)
	}
	// The same again, late: from a copy whose acknowledgement was lost.
	s.take(natstest.Context(t), []jetstream.Msg{left, joined})
	if got := stored(t, s, bob); !got.Until.Equal(bobLeft) {
		t.Errorf("bob, told twice: %+v", got)
	}
}

// Copies that have both seen a session begin say the same of it, whatever becomes of the
// clock of one.
func TestCopiesMeasureAlike(t *testing.T) {
	t.Parallel()
	began := session.Record{UserID: "u1", Claimed: 1, Since: noon}
	real := noon
	var set time.Duration // how wrong the clock of the second one is
	first := stopwatch{now: func() time.Time { return real }}
	second := stopwatch{now: func() time.Time { return real.Add(set) }}
	both := []*stopwatch{&first, &second}
	for _, w := range both {
		w.look([]*session.Record{&began})
	}
	real = at(100)
	for _, w := range both {
		w.look([]*session.Record{&began})
		if got := w.elapsed("u1", 1, noon); got != 100*time.Second {
			t.Errorf("%v, want 100 s", got)
		}
	}
	// The wall clock is set back; in this test it is what time is measured by, so the time
	// until it is seen is lost, and no more.
	set = -time.Hour
	second.look([]*session.Record{&began})
	real = at(160)
	for i, w := range both {
		if got := w.elapsed("u1", 1, noon); got != 160*time.Second {
			t.Errorf("copy %d says %v, want 160 s", i+1, got)
		}
	}
	// The next session is measured from its own beginning, and one that is over is forgotten.
	next := session.Record{UserID: "u1", Claimed: 2, Since: at(150)}
	first.look([]*session.Record{&next})
	if got := first.elapsed("u1", 2, at(150)); got != 10*time.Second {
		t.Errorf("the next one: %v, want 10 s", got)
	}
	real = at(300)
	first.look(nil)
	if len(first.marks) != 0 {
		t.Errorf("%d sessions are remembered that are over", len(first.marks))
	}
}

// An edge that was not seen for long and holds no session is forgotten; the rest is kept.
func TestPrune(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := start(t, ns, t.TempDir())
	ctx := natstest.Context(t)
	for edge, seen := range map[string]time.Time{"old": at(-1), "holding": at(-1), "new": at(1)} {
		if err := s.store.renewed(ctx, edge, seen); err != nil {
			t.Fatal(err)
		}
	}
	ann, _ := began("ann", 1, time.Hour, 0)
	ann.Edge = "holding"
	tell(t, ns, event.Joined, ann, nil)
	drained(t, s, ns)
	if err := s.store.prune(ctx, noon); err != nil {
		t.Fatal(err)
	}
	for edge, want := range map[string]bool{"old": false, "holding": true, "new": true} {
		seen, err := seenOf(s.store.db.WithContext(ctx), edge)
		if got := !seen.IsZero(); err != nil || got != want {
			t.Errorf("%s: kept %v, want %v (error %v)", edge, got, want, err)
		}
	}
}
