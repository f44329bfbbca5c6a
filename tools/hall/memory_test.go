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

// TestRushCaches: what NATS keeps of a rush is given back later, while the process is at rest, and
// then no more.
func TestRushCaches(t *testing.T) {
	t.Parallel()
	r := rush{}
	at := uint64(rushFrom)
	r.over(at)
	if !r.over(at) {
		t.Fatal("the rush is not over")
	}
	var gave []int
	for look := 1; look <= 3*cachesFor; look++ {
		if look == 3 {
			at += 2 * restBelow // busy for a moment, which is no rush
		}
		if r.over(at) {
			gave = append(gave, look)
		}
	}
	if len(gave) != cachesTimes || gave[0] < cachesFor+1 || gave[cachesTimes-1] > cachesFor+cachesTimes+1 {
		t.Errorf("given back at the looks %d", gave)
	}
}
