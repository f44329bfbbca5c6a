package game21

import (
	"slices"
	"testing"
	"time"

	"gamehall/shared/event"
	"gamehall/shared/natstest"
)

// A round ends by the server's time of its open entry, not by the clock of who opened it.
func TestStoredTime(t *testing.T) {
	t.Parallel()
	js := natstest.Run(t).JetStream(t)
	st, err := openStore(natstest.Context(t), js, natstest.Quiet())
	if err != nil {
		t.Fatal(err)
	}
	wrong := time.Now().Add(5 * time.Hour)
	before := time.Now()
	if err := st.WriteOpen(natstest.Context(t), Open{Round: 7, Numbers: dealt, OpenedAt: wrong, EndsAt: wrong.Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	after := time.Now()
	o, found, err := st.LatestOpen(natstest.Context(t))
	if err != nil || !found {
		t.Fatal(found, err)
	}
	if o.EndsAt.Before(before.Add(time.Minute)) || o.EndsAt.After(after.Add(time.Minute)) {
		t.Errorf("it ends at %v, want a minute after %v", o.EndsAt, before)
	}
	if !o.OpenedAt.Equal(wrong) {
		t.Errorf("opened at %v by its opener's clock, want %v", o.OpenedAt, wrong)
	}
}

// An answer that is under way when the service stops is answered.
func TestStopAnswers(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	entered, release := make(chan struct{}), make(chan struct{})
	s := h.copy(func(c *Config) {
		inner := c.wrap
		c.wrap = func(s store) store {
			return hook{inner(s), func() { close(entered); <-release }}
		}
	})
	h.open()
	ctx := h.as("ann")
	outcome := make(chan error, 1)
	go func() {
		_, err := h.answer(ctx, "2+3+5+10")
		outcome <- err
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(natstest.Context(t)) }()
	<-s.done // it is stopping
	close(release)
	if err := <-outcome; err != nil {
		t.Errorf("the answer under way: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
	h.copy() // tells what the other one had no time for
	if e := h.expect(event.Game21Answered); e.User != "ann" {
		t.Errorf("told %+v", e)
	}
}

// NATS comes back in the middle of a round, and the round goes on.
func TestNATSRestarts(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	h := newHallOn(t, ns)
	h.copy()
	h.open()
	h.say("ann", "2+3+5+10")
	h.expect(event.Game21Answered)
	ns.Restart(t)
	h.say("bob", "10*5+3+2")
	h.clock.advance(2 * time.Minute)
	natstest.Eventually(t, "the end is told", func() bool {
		return slices.Contains(short(h.told()), "ended 1 ann")
	})
	wantTold(t, h.told(), "started 1", "answered 1 ann", "answered 1 bob", "ended 1 ann")
}

// A service that is started before NATS waits for it.
func TestStartsBeforeNATS(t *testing.T) {
	t.Parallel()
	ns := natstest.Absent(t)
	started := make(chan error, 1)
	go func() {
		s, err := Start(natstest.Context(t), Config{NATS: ns.Dialer(), Data: t.TempDir(), Log: natstest.Quiet()})
		if err == nil {
			err = s.Stop(natstest.Context(t))
		}
		started <- err
	}()
	ns.Start(t)
	if err := <-started; err != nil {
		t.Error(err)
	}
}
