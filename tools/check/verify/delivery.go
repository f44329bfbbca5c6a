package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gamehall/shared/event"
	"gamehall/tools/check/history"
)

// deliveries compares what a part of a session was told with the log (I1, I2, I3, I6, I8): in
// each channel it is to be the slice behind its beginning, without a hole and in order, up to
// the session's leaving or to where the connection was lost.
func (c *checker) deliveries(p *part) {
	c.resolve(p)
	told := map[string][]history.Event{}
	shown := map[int]bool{}
	for _, e := range p.told {
		channel := c.channel(e.Channel)
		if c.shown(p, e) {
			if shown[e.Round] {
				c.at(I2, p, e, "the round %d was shown twice", e.Round)
			}
			shown[e.Round] = true
			continue
		}
		if !c.same(p, e, channel) {
			continue
		}
		told[channel] = append(told[channel], e)
	}
	if p.session.joined == nil {
		return // told already; there is no slice to compare with
	}
	c.slice(p, history.Lobby, p.session.joined.seq, p.start(history.Lobby), p.session.left, told[history.Lobby], p.whole())
	c.slice(p, history.Game21, p.session.joined.seq, p.start(history.Game21), nil, told[history.Game21], p.stint.final && p.to == p.stint.to)
	delete(told, history.Lobby)
	delete(told, history.Game21)
	c.rooms(p, told)
}

func (c *checker) at(id ID, p *part, e history.Event, format string, args ...any) {
	c.violate(Violation{ID: id, Client: p.stint.client, T: e.T, Seq: e.Seq, Text: p.session.user + ": " + fmt.Sprintf(format, args...)})
}

// shown tells whether e is the start of a round that was open when the session began.
func (c *checker) shown(p *part, e history.Event) bool {
	if e.F != event.Game21Started || e.Prev != 0 || p.begin.in.F != history.SignIn || p.session.joined == nil || e.Seq > p.session.joined.seq {
		return false
	}
	stored := c.log.bySeq[e.Seq]
	if stored == nil || stored.Kind != e.F || stored.Round != e.Round || !slices.Equal(stored.Numbers, e.Numbers) {
		c.at(I3, p, e, "the round %d that was shown is not the one that is stored", e.Round)
	}
	return true
}

// same tells whether e is what the log has at its sequence.
func (c *checker) same(p *part, e history.Event, channel string) bool {
	stored := c.log.bySeq[e.Seq]
	switch {
	case stored == nil && e.Text != "" && c.log.texts[e.Text] != nil:
		c.at(I3, p, e, "%q was told as %d, and stored as %d", e.Text, e.Seq, c.log.texts[e.Text].seq)
	case stored == nil:
		c.at(I7, p, e, "the event %d of %s was told, and is not stored", e.Seq, e.Channel)
	case stored.channel != channel:
		c.at(I3, p, e, "the event %d was told in %s, and stored in %s", e.Seq, e.Channel, stored.channel)
	case stored.Kind != e.F || stored.Text != e.Text || fold(stored.From) != fold(e.From) || fold(stored.User) != fold(e.User):
		c.at(I3, p, e, "the event %d was told as %s by %q of %q, and stored as %s by %q of %q", e.Seq, e.F, e.From+e.User, e.Text, stored.Kind, stored.From+stored.User, stored.Text)
	case stored.Round != e.Round || stored.Winner != e.Winner || stored.Value != e.Value || stored.Answers != e.Answers && p.stint.door != "lines" || !slices.Equal(stored.Numbers, e.Numbers):
		c.at(G1, p, e, "the event %d of round %d was told as %s %q %q, and stored as round %d %s %q %q", e.Seq, e.Round, e.F, e.Winner, e.Value, stored.Round, stored.Kind, stored.Winner, stored.Value)
	default:
		if first, had := c.seen[e.Seq]; !had || e.T < first {
			c.seen[e.Seq] = e.T
		}
		return true
	}
	return false
}

// start is the sequence behind which the part hears a channel: its joining, or what it said it
// had when it resumed. For the lobby the answer tells it, too.
func (p *part) start(channel string) uint64 {
	joined := p.session.joined.seq
	if p.begin.in.F == history.SignIn {
		return joined
	}
	return max(joined, sinceOf(p.begin.in.Since, channel))
}

// open tells whether a resume left to the server where to go on.
func (p *part) open() bool { return p.begin.in.F == history.Resume && len(p.begin.in.Since) == 0 }

// sinceOf is where a client goes on in a channel: after what it names, or after the least that
// it names anywhere.
func sinceOf(since map[string]uint64, channel string) uint64 {
	least, first := uint64(0), true
	for name, seq := range since {
		if logChannel(name) == channel {
			return seq
		}
		if first || seq < least {
			least, first = seq, false
		}
	}
	return least
}

// whole tells whether the part must have all of the lobby up to its end: its client waited for
// it, or signed out, which is answered when all of it was sent. A signout that waited in vain
// for what is missing takes 15 s.
func (p *part) whole() bool {
	if p.quit != nil {
		return p.quit.out.T-p.quit.in.T < 10*second && p.stint.door != "lines"
	}
	return p.stint.final && p.to == p.stint.to
}

// slice compares told with the channel behind start and before left; the user came to it at
// joined. whole says that all of it must be there. Where the game ends for a session is not
// known exactly, for its leaving is in another channel.
func (c *checker) slice(p *part, channel string, joined, start uint64, left *entry, told []history.Event, whole bool) {
	expected := c.log.after(channel, start)
	if p.open() {
		// Without since it goes on at the channel's end, wherever that was.
		if len(told) == 0 {
			return
		}
		if stored := c.log.bySeq[told[0].Seq]; stored != nil {
			expected = c.log.channels[channel][stored.pos:]
			start = max(start, told[0].Prev)
		}
	}
	next, had := 0, start
	for _, e := range told {
		c.report.look(I1, 1)
		c.report.look(I2, 1)
		c.report.look(I3, 1)
		c.report.look(I8, 1)
		if left != nil && e.Seq >= left.seq {
			c.at(I8, p, e, "the event %d of %s came, and the user had left it at %d", e.Seq, e.Channel, left.seq)
			continue
		}
		at, found := slices.BinarySearchFunc(expected, e.Seq, func(x *entry, seq uint64) int { return cmp.Compare(x.seq, seq) })
		switch {
		case !found && e.Seq <= start && p.begin.in.F == history.Resume && e.Seq > joined:
			c.at(I2, p, e, "the event %d of %s came again after a resume that had it (%d)", e.Seq, e.Channel, start)
			continue
		case !found:
			c.at(I8, p, e, "the event %d of %s came, and the user heard it only from behind %d", e.Seq, e.Channel, start)
			continue
		case at < next && at == next-1:
			c.at(I2, p, e, "the event %d of %s came twice", e.Seq, e.Channel)
			continue
		case at < next:
			c.at(I3, p, e, "the event %d of %s came after %d", e.Seq, e.Channel, had)
			continue
		case at > next:
			c.at(I1, p, e, "%d events of %s did not come, from %d on: after %d came %d", at-next, e.Channel, expected[next].seq, had, e.Seq)
		case e.Prev > had:
			c.at(I1, p, e, "the event %d of %s says that %d is before it, and %d was", e.Seq, e.Channel, e.Prev, had)
		}
		next, had = at+1, e.Seq
		c.delivered(p, e, expected[at])
	}
	if !whole {
		return
	}
	if next == len(expected) || p.quit != nil && left == nil {
		return // nothing is missing, or when it left nobody knows
	}
	e := expected[next]
	// What was stored in the last moments may still be on its way.
	late := p.stint.final && p.quit == nil && e.at > p.to-2*second
	if late || left != nil && e.seq >= left.seq {
		return
	}
	c.violate(Violation{
		ID: I1, Client: p.stint.client, T: p.to, Seq: e.seq,
		Text: fmt.Sprintf("%s: the end of %s did not come, from %d (%s) on: the last that came is %d", p.session.user, channel, e.seq, e.Kind, had),
	})
}

// rooms compares what was told of rooms with the user's stays in them.
func (c *checker) rooms(p *part, told map[string][]history.Event) {
	epoch := p.session.joined.Epoch
	for _, s := range c.log.stays[fold(p.session.user)] {
		if s.joined.Epoch != epoch {
			continue
		}
		list := told[s.channel]
		n := 0
		for n < len(list) && (s.left == nil || list[n].Seq <= s.left.seq) {
			n++
		}
		mine := list[:n]
		told[s.channel] = list[n:]
		start := s.joined.seq
		if p.begin.in.F == history.Resume {
			start = max(start, sinceOf(p.begin.in.Since, s.channel))
		}
		if s.left != nil && start >= s.left.seq && len(mine) == 0 {
			continue // it was over before this connection
		}
		whole := p.stint.final && p.quit == nil && s.left == nil
		for _, q := range p.quits {
			if s.left != nil && q.out.Seq == s.left.seq && q.out.T-q.in.T < 10*second {
				whole = true
			}
		}
		if whole && s.left != nil {
			// Where its end is known it is not a matter of time.
			c.slice(&part{session: p.session, stint: p.stint, begin: p.begin, from: p.from, to: p.to, quit: p.begin}, s.channel, s.joined.seq, start, s.left, mine, true)
			continue
		}
		c.slice(p, s.channel, s.joined.seq, start, s.left, mine, whole)
	}
	for _, list := range told {
		for _, e := range list {
			if strings.HasPrefix(e.Channel, history.RoomPrefix) {
				c.report.look(I8, 1)
				c.at(I8, p, e, "the event %d of %s came, and the user was not in it", e.Seq, e.Channel)
			}
		}
	}
}

// delivered notes how long it took, where the member listened all the while.
func (c *checker) delivered(p *part, e history.Event, stored *entry) {
	if stored.at <= p.from || p.stint.paused(stored.at, e.T) {
		return
	}
	c.inTime(p, e, stored)
	took := max(0, e.T-stored.at)
	if took > second/10 && c.faulty(stored.at, e.T, 5*time.Second, func(f history.Fault) bool {
		return onTheWay(f, p.stint.client, p.stint.edge)
	}) {
		return // the way to it was in trouble, not the hall
	}
	c.latency[delivery] = append(c.latency[delivery], took)
	c.windows.delivered(p.session.user, stored.at, e.T, took)
}

// delivery is the name of that latency.
const delivery = "delivery"

// resolve finds the sequences of what a client of lines was told: it is told none. What it was
// told is looked for in the log, behind what it had.
func (c *checker) resolve(p *part) {
	if p.stint.door != "lines" || p.session.joined == nil {
		return
	}
	had := map[string]uint64{}
	for i := range p.told {
		e := &p.told[i]
		channel := c.channel(e.Channel)
		if _, is := had[channel]; !is {
			had[channel] = p.session.joined.seq
		}
		if channel != history.Lobby && channel != history.Game21 {
			// It hears from its last coming on: somebody may have come or left before in the same words.
			for _, x := range c.log.channels[channel] {
				if x.Kind == event.RoomJoined && fold(x.User) == fold(p.session.user) && x.at <= e.T {
					had[channel] = max(had[channel], x.seq)
				}
			}
		}
		if e.Seq != 0 {
			continue
		}
		find := func(list []*entry) bool {
			for _, x := range list {
				if x.Kind == e.F && x.Text == e.Text && fold(x.From) == fold(e.From) && fold(x.User) == fold(e.User) && x.Round == e.Round && x.Winner == e.Winner {
					e.Seq = x.seq
					// Lines tell only what people need.
					e.Numbers, e.Value = x.Numbers, x.Value
					return true
				}
			}
			return false
		}
		if find(c.log.after(channel, had[channel])) {
			if e.F != event.Game21Started || e.Seq > p.session.joined.seq {
				had[channel] = max(had[channel], e.Seq)
			}
			continue
		}
		back := slices.Clone(c.log.channels[channel])
		slices.Reverse(back)
		find(back)
	}
}

// recalled compares the answer to a history with the log: it is a piece of it without a hole,
// and of a room nothing from before the user came (I1, I3, I8).
func (c *checker) recalled(p *part, o *op) {
	before := (*entry)(nil)
	for _, e := range o.out.Events {
		e.T = o.out.T
		stored := c.log.bySeq[e.Seq]
		if stored == nil && e.Seq == 0 {
			return // lines tell no sequences
		}
		if !c.same(p, e, c.channel(e.Channel)) {
			return
		}
		c.report.look(I3, 1)
		if before != nil && stored.pos != before.pos+1 {
			c.at(I1, p, e, "the history of %s has %d after %d, which are not neighbours", e.Channel, e.Seq, before.seq)
		}
		if strings.HasPrefix(stored.channel, "room.") && !c.wasIn(p.session.user, stored) {
			c.at(I8, p, e, "the history of %s showed %d, and the user was not in it then", e.Channel, e.Seq)
		}
		before = stored
	}
}

// wasIn tells whether the user had come to the room of e when it was stored, and had not left.
func (c *checker) wasIn(user string, e *entry) bool {
	for _, s := range c.log.stays[fold(user)] {
		if s.channel == e.channel && (s.covers(e.seq) || s.joined.seq == e.seq) {
			return true
		}
	}
	return false
}
