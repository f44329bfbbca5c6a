package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gamehall/tools/check/history"
)

// What a process may hold more of in the end than before: 5 %, and what a warm process has. The
// garbage collector gives memory back late.
const (
	leakShare   = 0.05
	leakRoutine = 20
	leakFDs     = 10
	leakRSS     = 64 << 20
)

// checkHygiene is H1: every process holds in the end what it held in the beginning, none died by
// itself, and no log has a panic, a race or a secret.
func (c *checker) checkHygiene() {
	baseline, after := holdings(c.run.Samples, history.Baseline), holdings(c.run.Samples, history.After)
	for _, name := range slices.Sorted(maps.Keys(after)) {
		b, known := baseline[name]
		s := after[name]
		if !known || b.processes != s.processes {
			continue
		}
		c.report.look(H1, 1)
		compare := func(what string, was, is, more float64) {
			if was > 0 && is > was*(1+leakShare)+more*float64(s.processes) {
				c.violate(Violation{ID: H1, T: s.T, Text: fmt.Sprintf("%s had %.0f %s in the beginning and has %.0f in the end", name, was, what, is)})
			}
		}
		compare("goroutines", float64(b.Goroutines), float64(s.Goroutines), leakRoutine)
		compare("file descriptors", float64(b.FDs), float64(s.FDs), leakFDs)
		compare("bytes of memory", float64(b.RSS), float64(s.RSS), leakRSS)
	}
	for _, e := range c.run.Exits {
		if !e.Meant {
			c.violate(Violation{ID: H1, T: e.T, Text: fmt.Sprintf("%s ended by itself, %s: %s", e.Process, since(e.T, c.run.Start), e.Status)})
		}
	}
	for _, f := range c.run.Findings {
		c.violate(Violation{ID: H1, Text: fmt.Sprintf("%s has a %s at %s: %s", f.Process, f.Kind, f.Where, f.Text)})
	}
}

// holding is what one process holds, or all NATS nodes together.
type holding struct {
	history.Sample
	processes int
}

// holdings sums up the samples of one time. The NATS nodes count as one: who loses one node
// connects to another, and stays there.
func holdings(samples []history.Sample, when string) map[string]holding {
	sums := map[string]holding{}
	for _, s := range samples {
		if s.When != when {
			continue
		}
		name := s.Process
		if strings.HasPrefix(name, "nats") {
			name = "nats"
		}
		sum := sums[name]
		sum.T = s.T
		sum.Goroutines += s.Goroutines
		sum.FDs += s.FDs
		sum.RSS += s.RSS
		sum.processes++
		sums[name] = sum
	}
	return sums
}
