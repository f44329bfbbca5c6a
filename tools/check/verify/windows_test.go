package verify

import (
	"testing"
	"time"

	"gamehall/tools/check/history"
)

// The gap is from when a line waited, or the last acknowledgement, to the next one.
func TestAckGap(t *testing.T) {
	t.Parallel()
	type line struct {
		from, to float64 // seconds
		is       history.Type
		code     string
	}
	const ok, fail, info = history.OK, history.Fail, history.Info
	tests := []struct {
		name  string
		lines []line
		gap   float64
	}{
		{"nobody waits", []line{{1, 1.1, ok, ""}, {8, 8.1, ok, ""}}, 0.1},
		{"one waits", []line{{1, 1.5, ok, ""}, {1.25, 8, ok, ""}}, 6.5},
		{"later ones come first", []line{{1, 1.5, ok, ""}, {2, 9, ok, ""}, {3, 8, ok, ""}}, 6},
		{"longer than the hall is patient", []line{{1, 1.5, ok, ""}, {2, 17, fail, "unavailable"}, {17.5, 26, ok, ""}}, 24},
		{"longer than the connection", []line{{1, 1.5, ok, ""}, {2, 17, info, ""}, {17.5, 26, ok, ""}}, 24},
		{"lost at once", []line{{1, 1.5, ok, ""}, {2, 2.5, info, ""}, {17.5, 26, ok, ""}}, 8.5},
		{"refused", []line{{1, 1.5, ok, ""}, {2, 17, fail, "muted"}, {17.5, 26, ok, ""}}, 8.5},
		{"given up before the last one", []line{{1, 17, fail, "unavailable"}, {16, 18, ok, ""}, {20, 21, ok, ""}}, 17},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			at := func(s float64) int64 { return int64(s * float64(second)) }
			run := history.Run{End: 100 * second, Faults: []history.Fault{{Kind: history.Kill, Target: "nats-1", From: 0, To: 30 * second}}}
			c := &checker{run: run, windows: newWindows(run)}
			for _, l := range tt.lines {
				c.ops = append(c.ops, &op{
					in: history.Event{T: at(l.from), F: history.Say}, out: history.Event{T: at(l.to), Code: l.code}, outcome: l.is,
				})
			}
			c.ackGaps()
			if got, want := c.windows.list[0].AckGap, time.Duration(at(tt.gap)); got != want {
				t.Errorf("the gap is %s, want %s", got, want)
			}
		})
	}
}
