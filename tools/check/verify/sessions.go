package verify

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gamehall/shared/event"
	"gamehall/tools/check/history"
)

// Bounds of what an old session may do once a new one is there.
const (
	lateLine = 5 * time.Second // its line may still enter the log so much later
	lateOK   = time.Second     // an answer that was on its way
)

// checkSessions is S1: a user's epochs grow and do not overlap, and once the new one is
// welcome the old one does nothing any more.
func (c *checker) checkSessions() {
	c.epochs()
	byUser := map[string][]*session{}
	for _, s := range c.sessions {
		if s.joined != nil {
			byUser[fold(s.user)] = append(byUser[fold(s.user)], s)
		}
	}
	next := map[*session]*session{}
	for _, list := range byUser {
		slices.SortFunc(list, func(a, b *session) int { return cmp.Compare(a.joined.seq, b.joined.seq) })
		for i, s := range list[1:] {
			next[list[i]] = s
		}
	}
	c.oldAnswers(next)
	c.oldLines()
}

// epochs looks at joined and left: each epoch joins once and leaves once, and only then the
// next one joins.
func (c *checker) epochs() {
	for user, joins := range c.log.joins {
		ends := c.log.ends[user]
		all := append(slices.Clone(joins), ends...)
		slices.SortFunc(all, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
		epoch, in := uint64(0), false
		for _, e := range all {
			c.report.look(S1, 1)
			bad := func(what string) {
				c.violate(Violation{ID: S1, Seq: e.seq, Text: fmt.Sprintf("%s of %s (epoch %d) at %d: %s", e.Kind, user, e.Epoch, e.seq, what)})
			}
			switch {
			case e.Kind == event.Joined && in:
				bad(fmt.Sprintf("the session of epoch %d has not left", epoch))
			case e.Kind == event.Joined && e.Epoch <= epoch:
				bad(fmt.Sprintf("the epoch before was %d", epoch))
			case e.Kind == event.Left && !in:
				bad("nobody was in")
			case e.Kind == event.Left && e.Epoch != epoch:
				bad(fmt.Sprintf("the epoch that is in is %d", epoch))
			}
			in = e.Kind == event.Joined
			if in {
				epoch = e.Epoch
			}
		}
	}
	for user, ends := range c.log.ends {
		if len(c.log.joins[user]) == 0 {
			c.violate(Violation{ID: S1, Seq: ends[0].seq, Text: user + " left and had not joined"})
		}
	}
}

// local are the commands that need no session, or that its edge answers by itself.
var local = map[string]bool{
	history.Ping: true, history.SignUp: true, history.SignIn: true, history.Resume: true, history.SignOut: true,
}

// oldAnswers looks for an ok that an old session had once the new one was welcome.
func (c *checker) oldAnswers(next map[*session]*session) {
	for _, o := range c.ops {
		if o.session == nil || !o.ok() || local[o.in.F] {
			continue
		}
		newer := next[o.session]
		if newer == nil {
			continue
		}
		c.report.look(S1, 1)
		welcome := newer.begun
		late := o.out.T > welcome+int64(lateOK) && !o.stint.paused(welcome, o.out.T) &&
			!c.faulty(o.in.T, o.out.T, 2*time.Second, func(f history.Fault) bool {
				return onTheWay(f, o.client, o.stint.edge) || onTheWay(f, newer.parts[0].stint.client, newer.parts[0].stint.edge)
			})
		if o.in.T > welcome || late {
			c.violate(Violation{
				ID: S1, Client: o.client, T: o.out.T,
				Text: fmt.Sprintf("%s of %s was answered in the session %s (%s), %s after the session %s (%s) was welcome", o.in.F, o.user, o.session.name, o.stint.edge, since(o.out.T, welcome), newer.name, newer.parts[0].stint.edge),
			})
		}
	}
}

// oldLines looks for lines that entered the log too long after their session was over.
func (c *checker) oldLines() {
	for _, cmd := range c.commands {
		if !cmd.isLine() || cmd.stored == nil || len(cmd.sessions) == 0 {
			continue
		}
		over := int64(0)
		for _, s := range cmd.sessions {
			if s.left == nil {
				over = 0
				break
			}
			over = max(over, s.left.at)
		}
		c.report.look(S1, 1)
		if over != 0 && cmd.stored.at > over+int64(lateLine) {
			c.violate(Violation{
				ID: S1, Client: cmd.ops[0].client, T: cmd.invoke, Seq: cmd.stored.seq,
				Text: fmt.Sprintf("%q entered the log %s after its session was over", cmd.text, since(cmd.stored.at, over)),
			})
		}
	}
}
