package auth

import (
	"errors"
	"testing"
	"time"

	"gamehall/shared/event"
	"gamehall/shared/natstest"
)

// Everybody may end a session at the same time: the hall hears it once.
func TestEndTogether(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := start(t, ns, nil)
	r := put(t, s, claimOf("ann", "e1", "c1", "command-1"))
	errs := make(chan error, 20)
	for range cap(errs) {
		go func() {
			_, err := s.end(natstest.Context(t), r, ending{lost: true})
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil && !errors.Is(err, errOver) {
			t.Error(err)
		}
	}
	if all := told(t, ns); len(all) != 2 || all[0].Kind != event.Joined || all[1].Kind != event.Left || !all[1].EdgeLost {
		t.Errorf("the hall heard %+v", all)
	}
	if _, found := record(t, s, "ann"); found {
		t.Error("the session is still there")
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)
	now := since.Add(time.Hour)
	for until, want := range map[time.Time]time.Time{
		{}:                       {},
		since.Add(-time.Second):  since,
		since:                    since,
		since.Add(time.Minute):   since.Add(time.Minute),
		now:                      now,
		now.Add(time.Nanosecond): now,
	} {
		if got := within(until, since, now); !got.Equal(want) {
			t.Errorf("within(%v) = %v, want %v", until, got, want)
		}
	}
}
