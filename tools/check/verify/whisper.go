package verify

import (
	"fmt"
	"slices"

	"gamehall/tools/check/history"
)

// hearing is a whisper that came.
type hearing struct {
	event history.Event
	user  string // whose connection it came on
	edge  string
}

// checkWhispers is I9: a whisper comes to its target alone, once if it was acknowledged, at
// most once if nobody knows, never if it was refused.
func (c *checker) checkWhispers() {
	c.checkCarried()
	for text, list := range c.heard {
		cmd := c.byText[text]
		n := 0
		for _, h := range list {
			e := h.event
			bad := func(format string, args ...any) {
				c.violate(Violation{ID: I9, Client: e.Client, T: e.T, Text: fmt.Sprintf(format, args...)})
			}
			switch {
			case cmd == nil || cmd.f != history.Whisper:
				c.violate(Violation{ID: I6, Client: e.Client, T: e.T, Text: fmt.Sprintf("the whisper %q came, and nobody said it", text)})
				continue
			case fold(e.From) != fold(cmd.user):
				c.violate(Violation{ID: I6, Client: e.Client, T: e.T, Text: fmt.Sprintf("the whisper %q of %s came as of %s", text, cmd.user, e.From)})
			case fold(h.user) == fold(cmd.to):
				n++
				if n > 1 {
					bad("the whisper %q came to %s %d times", text, h.user, n)
				}
			case fold(h.user) != fold(cmd.user):
				bad("the whisper %q to %s came to %s", text, cmd.to, h.user)
			}
		}
		if cmd != nil && n > 0 && cmd.ok == nil && !cmd.unknown {
			o := cmd.ops[0]
			c.violate(Violation{ID: I9, Client: o.client, T: o.out.T, Text: fmt.Sprintf("the whisper %q was refused (%s), and came", text, o.out.Code)})
		}
	}
	for _, cmd := range c.commands {
		if cmd.f != history.Whisper || cmd.ok == nil {
			continue
		}
		c.report.look(I9, 1)
		if n := c.came(cmd); n == 0 && !c.lostOnTheWay(cmd) {
			c.violate(Violation{ID: I9, Client: cmd.ok.client, T: cmd.ok.out.T, Text: fmt.Sprintf("the whisper %q to %s was acknowledged, and did not come", cmd.text, cmd.to)})
		}
	}
}

// longAgo is for how long an edge may be asked for somebody whose connection there is gone: its
// session waits for it, then its edge's lease has to expire, and be seen to have; and for two
// minutes more a whisper that was for that session may come again.
const longAgo = 210 * second

// checkCarried looks at what edges were given: a whisper goes to the edge that has its target, and
// no other one gets to know it.
func (c *checker) checkCarried() {
	type stay struct {
		edge     string
		from, to int64
	}
	stays := map[string][]stay{} // by user
	for _, o := range c.ops {
		if (o.in.F == history.SignIn || o.in.F == history.Resume) && (o.ok() || o.unknown()) {
			user := fold(o.user)
			stays[user] = append(stays[user], stay{o.stint.edge, o.in.T, o.stint.to})
		}
	}
	for _, w := range c.run.Whispers {
		c.report.look(I9, 1)
		if !slices.ContainsFunc(stays[fold(w.To)], func(s stay) bool {
			return s.edge == w.Edge && s.from <= w.T && s.to+longAgo >= w.T
		}) {
			c.violate(Violation{ID: I9, T: w.T, Text: fmt.Sprintf("the whisper %q to %s was given to %s, where its target was not", w.Text, w.To, w.Edge)})
		}
	}
}

func (c *checker) came(cmd *command) (n int) {
	for _, h := range c.heard[cmd.text] {
		if fold(h.user) == fold(cmd.to) {
			n++
		}
	}
	return n
}

// lostOnTheWay tells whether a connection of the target, that was there when the whisper was
// under way, was lost: its edge had the whisper, and that is all that an ok says. An edge takes
// up to 33 s to see that a connection is dead.
func (c *checker) lostOnTheWay(cmd *command) bool {
	for _, s := range c.stints {
		for _, p := range s.parts {
			if fold(p.session.user) != fold(cmd.to) || p.from > cmd.ok.out.T || p.to < cmd.invoke-c.unseen(s) {
				continue
			}
			if s.ended && s.to <= cmd.ok.out.T+35*second || p.quit != nil && p.to <= cmd.ok.out.T+second {
				return true
			}
			if c.faulty(cmd.invoke, cmd.ok.out.T+35*second, 0, func(f history.Fault) bool { return onTheWay(f, s.client, s.edge) }) {
				return true
			}
		}
	}
	// A sign-in whose answer never came had a connection, too, and nobody knows for how long.
	for _, o := range c.ops {
		if (o.in.F == history.SignIn || o.in.F == history.Resume) && !o.ok() && o.unknown() && fold(o.user) == fold(cmd.to) && o.in.T <= cmd.ok.out.T && o.out.T+60*second >= cmd.invoke {
			return true
		}
	}
	return false
}

// unseen is for how long an edge may not know that a connection was lost: where the way or the
// edge was in trouble, as long as it takes to find the client silent.
func (c *checker) unseen(s *stint) int64 {
	if c.faulty(s.to-second, s.to+second, 0, func(f history.Fault) bool { return of(f, s.edge) || of(f, s.client) }) {
		return 35 * second
	}
	return second
}
