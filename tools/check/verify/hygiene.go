package verify

import (
	"fmt"

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
	baseline := map[string]history.Sample{}
	for _, s := range c.run.Samples {
		if s.When == history.Baseline {
			baseline[s.Process] = s
		}
	}
	for _, s := range c.run.Samples {
		b, known := baseline[s.Process]
		if s.When != history.After || !known {
			continue
		}
		c.report.look(H1, 1)
		compare := func(what string, was, is, more float64) {
			if was > 0 && is > was*(1+leakShare)+more {
				c.violate(Violation{ID: H1, T: s.T, Text: fmt.Sprintf("%s had %.0f %s in the beginning and has %.0f in the end", s.Process, was, what, is)})
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
