package streams

import (
	"errors"
	"slices"
	"testing"
)

// TestHistoryOfReplicas: each window may be answered by another replica. What one that is behind
// does not have is found out, wherever the hole would be, and is never left out.
func TestHistoryOfReplicas(t *testing.T) {
	t.Parallel()
	var stored []uint64
	for seq := uint64(1000); seq <= 3000; seq += 7 { // other subjects have those in between
		stored = append(stored, seq)
	}
	last := stored[len(stored)-1]
	for _, tt := range []struct {
		name          string
		after, before uint64
		limit         int
	}{
		{name: "the newest", limit: 50},
		{name: "all", limit: 1000},
		{name: "before one", before: 2000, limit: 50},
		{name: "before what is not there", before: 1999, limit: 50},
		{name: "since a join", after: 2500, limit: 100},
		{name: "before the first", before: 1000, limit: 5},
		{name: "after the last", after: last, limit: 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var want []uint64
			for _, seq := range stored {
				if seq > tt.after && (tt.before == 0 || seq < tt.before) {
					want = append(want, seq)
				}
			}
			want = want[max(0, len(want)-tt.limit):]
			// Of the reads the nth is answered by a replica that has nothing above behind.
			for nth := -1; nth < 8; nth++ {
				for _, behind := range []uint64{0, 999, 1500, 1990, 2700, last - 1} {
					reads := -1
					read := func(after, upTo uint64, each func(Msg) bool) error {
						reads++
						for _, seq := range stored {
							if seq <= after || seq > upTo || reads == nth && seq > behind {
								continue
							}
							if !each(Msg{Seq: seq}) {
								break
							}
						}
						return nil
					}
					found, err := history(read, last, tt.after, tt.before, tt.limit)
					if errors.Is(err, errBehind) && nth >= 0 && Passing(err) {
						continue // it is asked again
					}
					var got []uint64
					for _, m := range found {
						got = append(got, m.Seq)
					}
					if err != nil || !slices.Equal(got, want) {
						t.Fatalf("read %d behind at %d: %v, %v; want %v", nth, behind, got, err, want)
					}
				}
			}
		})
	}
}
