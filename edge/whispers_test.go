package edge

import (
	"testing"
	"time"

	"gamehall/shared/bus"
)

func TestWhispers(t *testing.T) {
	t.Parallel()
	var w whispers
	now := time.Now()
	steps := []struct {
		id    string
		after time.Duration
		there bool // the session
		shown bool
		had   bool
	}{
		{id: "ann bob 1"},
		{id: "ann bob 1", there: true, shown: true, had: true},
		{id: "ann bob 1", after: time.Second, there: true, had: true},
		{id: "ann bob 1", after: time.Second, had: true}, // whoever asks again may find it gone
		{id: "ann bob 2", after: time.Second, there: true, shown: true, had: true},
		{id: "ann cid 1", after: time.Second, there: true, shown: true, had: true},
		{id: "ann bob 1", after: bus.AnswersKept, there: true, had: true},
		{id: "ann bob 1", after: bus.AnswersKept + 1, there: true, shown: true, had: true},
	}
	for i, s := range steps {
		shown := false
		had := w.once(s.id, now.Add(s.after), func() bool {
			shown = s.there
			return s.there
		})
		if had != s.had || shown != s.shown {
			t.Errorf("step %d: delivered %v, want %v; shown %v, want %v", i, had, s.had, shown, s.shown)
		}
	}
	w.forget(now.Add(2*bus.AnswersKept + 2))
	if len(w.had) != 0 {
		t.Errorf("%d are remembered for ever", len(w.had))
	}
}
