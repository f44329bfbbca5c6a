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
		first bool
	}{
		{"ann bob 1", 0, true},
		{"ann bob 1", time.Second, false},
		{"ann bob 2", time.Second, true},
		{"ann cid 1", time.Second, true},
		{"ann bob 1", bus.AnswersKept, false},
		{"ann bob 1", bus.AnswersKept + 1, true},
	}
	for i, s := range steps {
		if got := w.first(s.id, now.Add(s.after)); got != s.first {
			t.Errorf("step %d: first is %v, want %v", i, got, s.first)
		}
	}
	w.forget(now.Add(2*bus.AnswersKept + 2))
	if len(w.had) != 0 {
		t.Errorf("%d are remembered for ever", len(w.had))
	}
}
