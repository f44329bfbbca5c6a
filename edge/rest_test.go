package edge

import (
	"testing"
	"time"
)

// TestRest: what is told after a round waits while more comes or is on its way from the edge's own
// clients, within its bound, and not at all long after the round.
func TestRest(t *testing.T) {
	t.Parallel()
	const took = restMost / restShare / 2
	const most, gap = restShare * took, restShare * took / restLooks
	// What happens, in time after the round: lines are begun to be stored, told, and ended.
	type at struct {
		when               time.Duration
		begun, told, ended uint64
	}
	tests := []struct {
		name string
		took time.Duration // the round
		at   []at
		from time.Duration // when it is looked first, as something to send is there
		want time.Duration // how long it waits
	}{
		{name: "nothing more is told", took: took, want: gap},
		{name: "something more", took: took, at: []at{{when: gap, told: 1}}, want: 2 * gap},
		{name: "something again and again", took: took, at: []at{
			{when: gap / 2, told: 1},
			{when: gap, told: 1},
			{when: 2 * gap, told: 1},
			{when: 3 * gap, told: 1},
			{when: 4 * gap, told: 1},
			{when: 5 * gap, told: 1},
			{when: 6 * gap, told: 1},
			{when: 7 * gap, told: 1},
		}, want: most},
		{name: "something is on its way, and comes", took: took, at: []at{
			{when: gap / 2, begun: 2}, {when: 3 * gap, told: 1}, {when: 5 * gap, told: 1},
		}, want: 5*gap + restCalm},
		{name: "something is on its way, and is refused", took: took, at: []at{{when: gap / 2, begun: 2}, {when: 5 * gap, ended: 2}}, want: 5 * gap},
		{name: "something is on its way for long", took: took, at: []at{{when: gap / 2, begun: 1}}, want: most},
		{name: "the same, after a long round", took: time.Second, at: []at{{when: 1, begun: 1}}, want: restMost},
		{name: "all that came is there", took: took, at: []at{{when: gap, begun: 1}, {when: 2 * gap, told: 1, ended: 1}}, from: 2 * gap, want: restCalm},
		{name: "in the nick of time", took: took, from: restAfter, want: gap},
		{name: "long after the round", took: took, from: restAfter + 1, want: 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var r rest
			var lines coming
			lines.begun.Store(5)
			lines.ended.Store(5)
			told := uint64(7)
			ended := time.Now()
			if left := r.left(told, &lines, ended); left != 0 {
				t.Errorf("%s is left of none", left)
			}
			r.after(tt.took, told, &lines, ended) // which has told of something that is to be sent
			happens := func(now time.Time) (pokes bool) {
				for ; len(tt.at) > 0 && !ended.Add(tt.at[0].when).After(now); tt.at = tt.at[1:] {
					lines.begun.Add(tt.at[0].begun)
					lines.ended.Add(tt.at[0].ended)
					told += tt.at[0].told
					pokes = r.lasts() && r.all(told, &lines)
				}
				return pokes
			}
			now := ended.Add(tt.from)
			happens(now)
			for {
				left := r.left(told, &lines, now)
				if left <= 0 {
					break
				}
				// The writer sleeps, unless somebody wakes it.
				for until := now.Add(left); now.Before(until); {
					if now = now.Add(gap / 100); happens(now) {
						break
					}
				}
			}
			if got := now.Sub(ended.Add(tt.from)); got < tt.want || got > tt.want+gap/10 {
				t.Errorf("it was over after %s, want %s", got, tt.want)
			}
			if r.lasts() || lines.rests.Load() != 0 || r.left(told+1, &lines, now) != 0 {
				t.Errorf("it lasts when it is over, for %d", lines.rests.Load())
			}
		})
	}
}

// TestWokenByTheLast: a writer that waits for what is on its way is woken when nothing of it is left.
func TestWokenByTheLast(t *testing.T) {
	t.Parallel()
	e := bareEdge(t)
	w := newWriter(0, &e.coming)
	e.writers = []*writer{w}
	e.coming.begun.Add(2)
	e.coming.rests.Add(1)
	for left := range 2 {
		e.wasSaid(1)
		if woken := len(w.wake) == 1; woken != (left == 1) {
			t.Errorf("woken is %v after line %d of 2", woken, left+1)
		}
	}
}
