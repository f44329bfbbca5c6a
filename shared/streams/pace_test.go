package streams

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A pause ends with its time, or when what is waited for comes, or with its context.
func TestPause(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		comes, ends bool
		want        time.Duration
	}{
		{"nothing comes", false, false, pauseMost},
		{"it comes", true, false, 0},
		{"the context ends", false, true, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, end := context.WithCancel(t.Context())
			defer end()
			early := make(chan struct{})
			if tt.comes {
				close(early)
			}
			if tt.ends {
				end()
			}
			begun := time.Now()
			var p Pace
			p.Pause(ctx, early)
			if took := time.Since(begun); took != tt.want {
				t.Errorf("%s: it took %v, want %v", tt.name, took, tt.want)
			}
		})
	}
}

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
