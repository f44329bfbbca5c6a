package main

import "testing"

// TestRush: memory is given back once after much was allocated and little more is.
func TestRush(t *testing.T) {
	t.Parallel()
	r := rush{}
	for i, step := range []struct {
		at   uint64
		want bool
	}{
		{restBelow / 2, false},               // little
		{rushFrom + restBelow, false},        // much, just now
		{rushFrom + restBelow + 1000, true},  // and no more
		{rushFrom + restBelow + 2000, false}, // nothing since
		{3 * rushFrom, false},
		{5 * rushFrom, false}, // still going on
		{5*rushFrom + restBelow, true},
	} {
		if got := r.over(step.at); got != step.want {
			t.Errorf("look %d at %d: over is %v", i, step.at, got)
		}
	}
}
