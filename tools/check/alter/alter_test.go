package alter_test

import (
	"strings"
	"testing"

	"gamehall/tools/check/alter"
	"gamehall/tools/check/history"
	"gamehall/tools/check/model"
	"gamehall/tools/check/verify"
)

// Each defect is found, by the invariant that it breaks; without it the run is good.
func TestDefects(t *testing.T) {
	t.Parallel()
	h := model.Run(1, model.Size{})
	if report := check(t, h); report.Verdict != verify.Passed {
		t.Fatal(text(t, report, h))
	}
	for _, d := range alter.Defects {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			bad, err := alter.Apply(h, d, 1)
			if err != nil {
				t.Fatal(err)
			}
			report := check(t, bad)
			if !report.Has(d.Breaks) || report.Verdict != verify.Violated {
				t.Errorf("%s (%s): %s is not found\n%s", d.Name, d.Says, d.Breaks, text(t, report, bad))
			}
		})
	}
}

// Every invariant is broken by some defect.
func TestDefectsBreakAll(t *testing.T) {
	t.Parallel()
	broken := map[verify.ID]bool{}
	for _, d := range alter.Defects {
		broken[d.Breaks] = true
	}
	for _, id := range verify.IDs() {
		if !broken[id] {
			t.Errorf("nothing breaks %s", id)
		}
	}
}

func check(t *testing.T, h *history.History) *verify.Report {
	t.Helper()
	report, err := verify.Check(h, verify.Standard())
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func text(t *testing.T, report *verify.Report, h *history.History) string {
	t.Helper()
	var b strings.Builder
	if err := report.WriteText(&b, h); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
