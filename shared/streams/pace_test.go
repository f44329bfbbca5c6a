package streams

import (
	"testing"
	"time"
)

// A pause is so short that no more come meanwhile than are soon read.
func TestPauseFor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		read int
		in   time.Duration
		want time.Duration
	}{
		{"the first", 3, 1 << 62, pauseMost},
		{"few", 20, time.Second, pauseMost},
		{"as many as may wait", pauseLines, time.Second, pauseMost},
		{"ten times that", 10 * pauseLines, time.Second, pauseMost / 10},
		{"many over a long time", 2 * pauseLines, time.Hour, pauseMost},
	} {
		got := pauseFor(tt.read, tt.in)
		if got > tt.want || got < tt.want*9/10 {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
