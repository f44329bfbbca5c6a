package game21

import (
	"testing"

	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/game21api"
)

// A copy whose runner has not looked yet knows of the open round all the same, and of where
// the channel has its start.
func TestStatusOfAnotherCopy(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.copy()
	h.open()
	first := h.status()
	other := h.copy()
	other.stop() // its runner never looks
	<-other.done
	other.runner.opening.Store(nil)
	got, err := other.status(t.Context(), game21api.StatusRequest{})
	if err != nil || got.Round != 1 || !got.Open || got.Seq != first.Seq || got.Seq == 0 || !got.EndsAt.Equal(first.EndsAt) || !got.NextAt.Equal(first.NextAt) {
		t.Errorf("another copy: %+v, %v; the first: %+v", got, err, first)
	}
	if seq, err := other.startedAt(t.Context(), 2); err != nil || seq != 0 {
		t.Errorf("a round that is not told: %d, %v", seq, err)
	}
}

func TestNotSignedIn(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.copy(func(c *Config) { c.Bare = false })
	nobody := t.Context()
	_, status := game21api.Status.Call(nobody, h.nc, game21api.StatusRequest{})
	_, scores := game21api.Scores.Call(nobody, h.nc, game21api.ScoresRequest{})
	_, answer := h.answer(nobody, "10+5+3+2")
	for what, err := range map[string]error{"status": status, "scores": scores, "answer": answer} {
		if fault.CodeOf(err) != fault.NotSignedIn {
			t.Errorf("%s: %v", what, err)
		}
	}
	h.open() // those who are signed in are served
	if e := h.told(); len(e) != 1 || e[0].Kind != event.Game21Started {
		t.Errorf("told: %+v", e)
	}
}
