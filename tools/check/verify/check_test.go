package verify_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gamehall/tools/check/history"
	"gamehall/tools/check/model"
	"gamehall/tools/check/verify"
)

// A run of a hall that keeps its promises passes, and everything was looked at.
func TestGoodRun(t *testing.T) {
	t.Parallel()
	h := model.Run(7, model.Size{})
	report, err := verify.Check(h, verify.Standard())
	if err != nil {
		t.Fatal(err)
	}
	if report.Verdict != verify.Passed {
		var text strings.Builder
		if err := report.WriteText(&text, h); err != nil {
			t.Fatal(err)
		}
		t.Error(text.String())
	}
}

// Whatever such a hall does, nothing is found: the checker raises no false alarm.
func TestNoFalseAlarm(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := model.Run(rapid.Uint64().Draw(t, "seed"), model.Size{
			Clients: rapid.IntRange(3, 8).Draw(t, "clients"), For: time.Duration(rapid.IntRange(120, 150).Draw(t, "seconds")) * time.Second,
		})
		report, err := verify.Check(h, verify.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Violations) > 0 {
			var text strings.Builder
			if err := report.WriteText(&text, h); err != nil {
				t.Fatal(err)
			}
			t.Fatal(text.String())
		}
	})
}

// A whisper may be given to the edge that has its target, and to no other one.
func TestCarried(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		bad  bool
	}{{"where its target is", false}, {"elsewhere", true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := model.Run(7, model.Size{})
			client := h.Clients()[0]
			events, err := h.Events(client)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if e.Type != history.OK || e.F != history.SignIn {
					continue
				}
				edge := e.Edge
				if tt.bad {
					edge = "edge-99"
				}
				h.Run.Whispers = append(h.Run.Whispers, history.Carried{T: e.T + int64(time.Second), Edge: edge, To: e.User, Text: "hi"})
			}
			report, err := verify.Check(h, verify.Standard())
			if err != nil {
				t.Fatal(err)
			}
			if report.Has(verify.I9) != tt.bad || len(h.Run.Whispers) == 0 {
				t.Errorf("I9 of %d whispers is broken: %t", len(h.Run.Whispers), report.Has(verify.I9))
			}
		})
	}
}

// What is wrong elsewhere excuses nothing: a run is judged as strictly as without it.
func TestUnrelatedFaults(t *testing.T) {
	t.Parallel()
	check := func(faults ...history.Fault) *verify.Report {
		h := model.Run(7, model.Size{})
		for _, f := range faults {
			f.From, f.To = h.Run.Start, h.Run.End
			h.Run.Faults = append(h.Run.Faults, f)
		}
		report, err := verify.Check(h, verify.Standard())
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	alone := check()
	beside := check(history.Fault{Kind: history.Kill, Target: "chat-1"}, history.Fault{Kind: history.Stop, Target: "room-2"}, history.Fault{Kind: history.Blackhole, Target: "nobody"})
	for _, id := range []verify.ID{verify.G4, verify.O1, verify.S2, verify.L1} {
		if n, all := beside.Strictly[id], alone.Strictly[id]; n != all || n == 0 {
			t.Errorf("%s: %d were judged strictly, and %d without those faults", id, n, all)
		}
	}
	if beside.Verdict != verify.Passed {
		t.Errorf("the run is %s: %v %v", beside.Verdict, beside.Invalid, beside.Violations)
	}
}

// A run in which everything of a kind was excused shows nothing of it.
func TestAllExcused(t *testing.T) {
	t.Parallel()
	h := model.Run(7, model.Size{})
	for _, node := range []string{"nats-1", "nats-2"} {
		h.Run.Faults = append(h.Run.Faults, history.Fault{Kind: history.Stop, Target: node, From: h.Run.Start, To: h.Run.End})
	}
	report, err := verify.Check(h, verify.Standard())
	if err != nil {
		t.Fatal(err)
	}
	if report.Verdict != verify.Invalid || report.Strictly[verify.G4] != 0 || !strings.HasPrefix(strings.Join(report.Invalid, " "), "G4") {
		t.Errorf("the run is %s: %v %v", report.Verdict, report.Invalid, report.Violations)
	}

	options := verify.Standard()
	options.Without = []verify.ID{verify.G4} // the run was not made to show it
	if report, err = verify.Check(h, options); err != nil {
		t.Fatal(err)
	}
	if report.Verdict != verify.Passed {
		t.Errorf("without G4 the run is %s: %v %v", report.Verdict, report.Invalid, report.Violations)
	}
}
