package load

import (
	"path/filepath"
	"strings"
	"testing"
)

// The guard lets noise pass, and fails on a figure twice as bad as recorded.
func TestGuard(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ratios.json")
	recorded := Report{Comparisons: []Comparison{
		{Key: "cpu", Base: relayName, Ratio: 0.6, Value: 0.3},
		{Key: "lines", Value: 4000, More: true},
		{Ratio: 1},
	}}
	if err := recorded.record(path); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		now  []Comparison
		says string // empty if it passes
	}{
		{name: "the same", now: []Comparison{{Key: "cpu", Base: relayName, Best: 0.6}, {Key: "lines", Best: 4000, More: true}}},
		{name: "noise", now: []Comparison{{Key: "cpu", Base: relayName, Ratio: 3, Best: 1.19}, {Key: "lines", Value: 1000, Best: 2001, More: true}}},
		{name: "better", now: []Comparison{{Key: "cpu", Base: relayName, Best: 0.1}, {Key: "lines", Best: 40000, More: true}}},
		{name: "more CPU", now: []Comparison{{Key: "cpu", Base: relayName, Best: 1.21, Figure: "CPU"}}, says: "a gross loss: CPU is 1.21"},
		{name: "fewer lines", now: []Comparison{{Key: "lines", Best: 1999, More: true, Figure: "lines"}}, says: "a gross loss: lines"},
		{name: "nothing of it", now: []Comparison{{Key: "else", Best: 1}}, says: "none of the figures"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := Report{Comparisons: tt.now}.against(path)
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("it says: %v", err)
			}
		})
	}
}

// What must be reached is judged as what it is about: the ratio, the value, or the difference.
func TestGoal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		c    Comparison
		want string
	}{
		{Comparison{Ratio: 0.6, Must: 0.65}, "0.65 yes"},
		{Comparison{Ratio: 0.7, Must: 0.65}, "0.65 no"},
		{Comparison{Ratio: 1.2, Must: 1.1, More: true}, "1.1 yes"},
		{Comparison{Ratio: 1.0, Must: 1.1, More: true}, "1.1 no"},
		{Comparison{Value: 2.5, Ratio: 9, Must: 6, Want: absolute, Unit: "KiB"}, "6 KiB yes"},
		{Comparison{Value: 2.2, Of: 1.6, Ratio: 9, Must: 0.5, Want: difference, Unit: "ms"}, "+0.5 ms no"},
		{Comparison{Value: 2.0, Of: 1.6, Ratio: 9, Must: 0.5, Want: difference, Unit: "ms"}, "+0.5 ms yes"},
		{Comparison{Ratio: 1}, ""},
	}
	for _, tt := range tests {
		if got := tt.c.goal(tt.c.Must); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.c, got, tt.want)
		}
	}
}
