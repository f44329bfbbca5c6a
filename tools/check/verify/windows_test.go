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

// An edge may let go of its clients when it was cut off for long: it, NATS, or the node that it was
// connected to; and not when a node was lost.
func TestFences(t *testing.T) {
	t.Parallel()
	const edge, client = "edge-1", "c001"
	const closed = 100 // seconds into the run, as the client saw it
	fault := func(from, to int64, kind, target, role string) history.Fault {
		return history.Fault{From: from * second, To: to * second, Kind: kind, Target: target, Role: role}
	}
	tests := []struct {
		name   string
		faults []history.Fault
		bad    bool
	}{
		{"nothing", nil, true},
		{"a leader was killed", []history.Fault{fault(78, 101, history.Kill, "nats-1", "leader")}, true},
		{"the edge was cut off", []history.Fault{fault(80, 110, history.Blackhole, "edge-1/nats", "")}, false},
		{"the other one was", []history.Fault{fault(80, 110, history.Blackhole, "edge-2/nats", "")}, true},
		{"its clients were reset", []history.Fault{fault(90, 90, history.Cut, "clients/edge-1", "")}, true},
		{"a node was cut off from the others", []history.Fault{fault(80, 110, history.Blackhole, "nats-1/nats", "leader")}, false},
		{"not for long", []history.Fault{fault(92, 99, history.Blackhole, "nats-1/nats", "leader")}, true},
		{"two nodes were gone", []history.Fault{fault(80, 98, history.Kill, "nats-1", ""), fault(80, 98, history.Kill, "nats-2", "")}, false},
		{"two nodes were gone, and are electing", []history.Fault{fault(80, 92, history.Kill, "nats-1", ""), fault(80, 92, history.Kill, "nats-2", "")}, false},
		{"two nodes were gone, and the client heard of it late", []history.Fault{
			fault(65, 83, history.Kill, "nats-1", ""), fault(65, 83, history.Kill, "nats-2", ""), fault(75, 100, history.Blackhole, client, ""),
		}, false},
		{"the client would have heard of it at once", []history.Fault{
			fault(65, 83, history.Kill, "nats-1", ""), fault(65, 83, history.Kill, "nats-2", ""), fault(75, 100, history.Blackhole, "c002", ""),
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			run := history.Run{End: 200 * second, Faults: tt.faults}
			c := &checker{
				run: run, settings: run.Settings.WithDefaults(), windows: newWindows(run), edges: map[string][]trouble{},
				report: &Report{Looked: map[ID]int{}, Strictly: map[ID]int{}},
				stints: []*stint{{client: client, edge: edge, to: closed * second, ended: true, by: history.ByServer, reason: "unavailable"}},
			}
			c.fences()
			if c.report.Has(F1) != tt.bad {
				t.Errorf("found: %v", c.report.Violations)
			}
		})
	}
}
