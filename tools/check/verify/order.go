package verify

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// checkOrder is I4 and I5.
func (c *checker) checkOrder() {
	c.realTime()
	c.senderOrder()
}

// realTime is I4: what was acknowledged, or seen by anybody, before another line was begun, has
// a lower sequence. From the end of the log backwards the earliest such moment of what is
// behind is kept; a line that was begun after it stands before what is older.
func (c *checker) realTime() {
	var stored []*command
	for _, cmd := range c.commands {
		if cmd.stored != nil {
			stored = append(stored, cmd)
		}
	}
	slices.SortFunc(stored, func(a, b *command) int { return cmp.Compare(b.stored.seq, a.stored.seq) })
	earliest, whose := int64(math.MaxInt64), (*command)(nil)
	for _, cmd := range stored {
		c.report.look(I4, 1)
		if earliest < cmd.invoke {
			c.violate(Violation{
				ID: I4, Client: cmd.ops[0].client, T: cmd.invoke, Seq: cmd.stored.seq,
				Text: fmt.Sprintf("%q has %d, and was begun %s after %q with %d was there", cmd.text, cmd.stored.seq, since(cmd.invoke, earliest), whose.text, whose.stored.seq),
			})
		}
		there := int64(math.MaxInt64)
		if cmd.ok != nil {
			there = cmd.ok.out.T
		}
		if seen, was := c.seen[cmd.stored.seq]; was {
			there = min(there, seen)
		}
		if there < earliest {
			earliest, whose = there, cmd
		}
	}
}

// senderOrder is I5: of two lines on one connection, in one channel, the first acknowledged, the
// second, if it is stored at all, comes behind it. A line that was sent on another connection
// before may have been stored then.
func (c *checker) senderOrder() {
	last := map[string]*command{}
	for _, o := range c.ops { // by time
		if o.in.Text == "" || o.session == nil {
			continue
		}
		cmd := c.byText[o.in.Text]
		if cmd == nil || !cmd.isLine() || cmd.stored == nil {
			continue
		}
		id := fmt.Sprint(o.client, "/", o.stint.n, "/", o.session.name, "/", cmd.stored.channel)
		if before := last[id]; before != nil && before != cmd && cmd.ops[0] == o {
			c.report.look(I5, 1)
			if before.stored.seq > cmd.stored.seq {
				c.violate(Violation{
					ID: I5, Client: o.client, T: o.in.T, Seq: cmd.stored.seq,
					Text: fmt.Sprintf("%s said %q (%d) and then %q (%d)", o.user, before.text, before.stored.seq, cmd.text, cmd.stored.seq),
				})
			}
		}
		if o.ok() {
			last[id] = cmd
		}
	}
}
