package check

import (
	"testing"
	"time"
)

// The scenarios have something to do in a minute, and nothing lasts longer than they do.
func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, s := range Scenarios() {
		if got, err := ParseScenario(string(s)); got != s || err != nil {
			t.Errorf("%s is read as %q: %v", s, got, err)
		}
		plan := s.plan(time.Minute)
		if len(plan) == 0 {
			t.Errorf("%s does nothing", s)
		}
		for _, p := range plan {
			if p.At+p.For > time.Minute {
				t.Errorf("%s: %s ends after the run", s, p)
			}
		}
	}
	if _, err := ParseScenario("nonsense"); err == nil {
		t.Error("nonsense is a scenario")
	}
}
