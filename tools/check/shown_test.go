package check

import (
	"strings"
	"testing"
	"time"

	"gamehall/tools/check/history"
	"gamehall/tools/check/verify"
)

// memory is a run of one client that says a line every step, each acknowledged after took.
func memory(step, took time.Duration, faults []history.Fault, more ...history.Event) *history.History {
	end := time.Minute
	run := history.Run{Start: 1, Healed: int64(end), End: int64(end), Faults: faults, Settings: history.Settings{Edges: []string{"edge-1"}}}
	var events []history.Event
	req := uint64(0)
	for at := time.Second; at < end; at += step {
		req++
		events = append(events,
			history.Event{T: int64(at), Client: "c001", Type: history.Invoke, F: history.Say, Req: req},
			history.Event{T: int64(at + took), Client: "c001", Type: history.OK, F: history.Say, Req: req})
	}
	return history.Memory(run, map[string][]history.Event{"c001": append(events, more...)}, nil)
}

func at(d time.Duration) int64 { return int64(d) }

// TestShown: each scenario tells what is not as promised.
func TestShown(t *testing.T) {
	t.Parallel()
	kill := []history.Fault{{Kind: history.Kill, Target: "nats-1", From: at(20 * time.Second), To: at(22 * time.Second)}}
	edge := []history.Fault{{Kind: history.Term, Target: "edge-1", From: at(20 * time.Second), To: at(22 * time.Second)}}
	lost := func(d time.Duration, reason string) history.Event {
		return history.Event{T: at(d), Client: "c001", Edge: "edge-1", Type: history.Disc, By: history.ByServer, Reason: reason}
	}
	conn := func(d time.Duration) history.Event {
		return history.Event{T: at(d), Client: "c001", Edge: "edge-1", Type: history.Conn}
	}
	window := func(gap time.Duration) []verify.Window { return []verify.Window{{AckGap: gap}} }
	tests := []struct {
		name     string
		scenario Scenario
		h        *history.History
		windows  []verify.Window
		want     string // in the first error; empty when there is none
	}{
		{"rolling", Rolling, memory(100*time.Millisecond, time.Millisecond, edge, lost(21*time.Second, "restart")), window(900 * time.Millisecond), ""},
		{"rolling, with a gap", Rolling, memory(100*time.Millisecond, time.Millisecond, edge), window(1100 * time.Millisecond), "stopped the acknowledgements"},
		{"rolling, lost twice", Rolling, memory(100*time.Millisecond, time.Millisecond, edge, lost(21*time.Second, "restart"), lost(23*time.Second, "eof")), window(0), "once more"},
		{"rolling, lost before", Rolling, memory(100*time.Millisecond, time.Millisecond, edge, lost(10*time.Second, "unavailable"), conn(11*time.Second)), window(0), "did not restart then"},
		{"rolling, lost afterwards", Rolling, memory(100*time.Millisecond, time.Millisecond, edge, lost(21*time.Second, "restart"), lost(50*time.Second, "eof")), window(0), "did not restart then"},
		{"rolling, tried in vain", Rolling, memory(100*time.Millisecond, time.Millisecond, edge, lost(21*time.Second, "restart"), conn(22*time.Second), lost(22*time.Second, "reset")), window(0), ""},
		{"leader", Leader, memory(100*time.Millisecond, time.Millisecond, kill, lost(21*time.Second, "signed_in_elsewhere")), window(9 * time.Second), ""},
		{"leader, with a gap", Leader, memory(100*time.Millisecond, time.Millisecond, kill), window(11 * time.Second), "stopped the acknowledgements"},
		{"leader, with a loss", Leader, memory(100*time.Millisecond, time.Millisecond, kill, lost(30*time.Second, "unavailable")), window(0), "lost its connection"},
		{"follower", Follower, memory(100*time.Millisecond, 40*time.Millisecond, kill), nil, ""},
		{"follower, on a slow machine", Follower, memory(100*time.Millisecond, 90*time.Millisecond, kill), nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			missing, err := tt.scenario.shown(tt.h, &verify.Report{Windows: tt.windows}, t.Output())
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case tt.want == "" && len(missing) > 0:
				t.Errorf("not shown: %v", missing)
			case tt.want != "" && (len(missing) == 0 || !strings.Contains(missing[0].Error(), tt.want)):
				t.Errorf("not shown: %v, want %q", missing, tt.want)
			}
		})
	}
}

// TestGaps finds the gaps after a loss and after the return, and not what a quiet hall does, or one
// whose leaders are moved.
func TestGaps(t *testing.T) {
	t.Parallel()
	run := history.Run{Start: 0, Healed: at(time.Minute), End: at(time.Minute), Faults: []history.Fault{
		{Kind: history.StepDown, From: at(10 * time.Second), To: at(12 * time.Second)},
		{Kind: history.Kill, From: at(20 * time.Second), To: at(26 * time.Second)},
	}}
	took := map[time.Duration]time.Duration{
		11 * time.Second: 900 * time.Millisecond, 14 * time.Second: 800 * time.Millisecond,
		21 * time.Second: 300 * time.Millisecond, 27 * time.Second: 200 * time.Millisecond, 40 * time.Second: 30 * time.Millisecond,
	}
	var acks []span
	for d := time.Second; d < time.Minute; d += time.Second {
		acks = append(acks, span{at(d), at(d + max(took[d], 10*time.Millisecond))})
	}
	want := pauses{lost: 300 * time.Millisecond, back: 200 * time.Millisecond, quiet: 30 * time.Millisecond}
	if got := gaps(acks, run); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
