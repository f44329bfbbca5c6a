package verify

import (
	"fmt"
	"time"

	"gamehall/tools/check/history"
)

const (
	answeredWithin = 15 * time.Second
	answeredMost   = 0.01 // of all commands may have no good answer
)

// checkLiveness is V1: after the last fault was healed all but one in a hundred commands are
// answered within 15 s, with what they asked for or with why not; and somebody is still there
// in the end to say so.
func (c *checker) checkLiveness() {
	until := c.run.Quiet
	if until == 0 {
		until = c.run.End
	}
	asked, bad := 0, []*op(nil)
	for _, o := range c.ops {
		if o.in.T < c.run.Healed || o.in.T > until {
			continue
		}
		if o.outcome == history.Info && (o.stint.by == history.ByClient || o.stint.reason == "signed_in_elsewhere") {
			continue // its driver went away, or another one came
		}
		asked++
		if o.unknown() || o.out.T-o.in.T > int64(answeredWithin) {
			bad = append(bad, o)
		}
	}
	c.report.look(V1, asked)
	if float64(len(bad)) > answeredMost*float64(asked) {
		for _, o := range bad {
			c.violate(Violation{ID: V1, Client: o.client, T: o.in.T, Text: fmt.Sprintf("after all was healed: %s of %s had no good answer within 15 s (%s %s after %s; %d of %d are so)", o.in.F, o.user, o.outcome, o.out.Code, since(o.out.T, o.in.T), len(bad), asked)})
		}
	}
	finals := 0
	for _, s := range c.stints {
		if s.final {
			finals++
		}
	}
	if finals == 0 {
		c.report.Invalid = append(c.report.Invalid, "no client was there in the end")
	}
}
