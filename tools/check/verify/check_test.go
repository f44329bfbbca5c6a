package verify_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

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
