package verify

import (
	"cmp"
	"fmt"
	"slices"

	"gamehall/shared/event"
	"gamehall/tools/check/history"
)

// checkStored is I6 and I7: what is stored was asked for by that user and not refused, and what
// was acknowledged is stored, where the answer said.
func (c *checker) checkStored() {
	var lost, acked []*command
	for _, cmd := range c.commands {
		if cmd.ok == nil {
			continue
		}
		if cmd.isLine() {
			c.report.look(I7, 1)
			acked = append(acked, cmd)
			if cmd.stored == nil {
				lost = append(lost, cmd)
				continue
			}
		}
		c.answered(cmd)
	}
	c.tellLost(lost, acked)
	for _, cmd := range c.commands {
		if cmd.isLine() && cmd.stored != nil && cmd.ok == nil && !cmd.unknown {
			o := cmd.ops[0]
			c.violate(Violation{ID: I7, Client: o.client, T: o.out.T, Seq: cmd.stored.seq, Text: fmt.Sprintf("%q was refused (%s), and is stored as %d", cmd.text, o.out.Code, cmd.stored.seq)})
		}
	}
	c.said()
}

// answered compares the sequences that answers told with the log.
func (c *checker) answered(cmd *command) {
	for _, o := range cmd.ops {
		if !o.ok() || o.out.Seq == 0 {
			continue
		}
		e := c.log.bySeq[o.out.Seq]
		wrong := func(what string) {
			c.violate(Violation{ID: I7, Client: o.client, T: o.out.T, Seq: o.out.Seq, Text: fmt.Sprintf("%s of %s was answered with %d, which is %s", o.in.F, o.user, o.out.Seq, what)})
		}
		kind := map[string]string{history.RoomCreate: event.RoomJoined, history.RoomJoin: event.RoomJoined, history.RoomQuit: event.RoomLeft}[o.in.F]
		switch {
		case cmd.isLine() && cmd.stored.seq != o.out.Seq:
			wrong(fmt.Sprintf("not that of %q in the log, %d", cmd.text, cmd.stored.seq))
		case kind == "":
		case e == nil:
			c.report.look(I7, 1)
			wrong("not in the log")
		case e.Kind != kind || fold(e.User) != fold(o.user):
			c.report.look(I7, 1)
			wrong(fmt.Sprintf("%s of %s in the log", e.Kind, e.User))
		default:
			c.report.look(I7, 1)
		}
	}
}

// tellLost tells each acknowledged line that is not stored, and where in the run they were:
// a lost end is a power loss, a lost beginning a wrong restore, a lost middle worse.
func (c *checker) tellLost(lost, acked []*command) {
	if len(lost) == 0 {
		return
	}
	slices.SortFunc(acked, func(a, b *command) int { return cmp.Compare(a.ok.out.T, b.ok.out.T) })
	first, last := -1, -1
	for i, cmd := range acked {
		if cmd.stored == nil {
			last = i
			if first < 0 {
				first = i
			}
		}
	}
	where := "the middle"
	switch whole := last-first+1 == len(lost); {
	case whole && last == len(acked)-1:
		where = "the end"
	case whole && first == 0:
		where = "the beginning"
	}
	for _, cmd := range lost {
		c.violate(Violation{
			ID: I7, Client: cmd.ok.client, T: cmd.ok.out.T, Seq: cmd.ok.out.Seq,
			Text: fmt.Sprintf("%q was acknowledged with %d and is not stored (%d of %d are lost, in %s of the run)", cmd.text, cmd.ok.out.Seq, len(lost), len(acked), where),
		})
	}
}

// said is I6: each stored line was asked for, by the user that it names, in that channel.
func (c *checker) said() {
	for text, e := range c.log.texts {
		c.report.look(I6, 1)
		cmd := c.byText[text]
		kind := event.Chat
		if cmd != nil && cmd.f == history.RoomSay {
			kind = event.RoomChat
		}
		switch {
		case cmd == nil || !cmd.isLine():
			c.violate(Violation{ID: I6, Seq: e.seq, Text: fmt.Sprintf("%q of %s is stored as %d, and nobody said it", text, e.From, e.seq)})
		case fold(cmd.user) != fold(e.From):
			c.violate(Violation{ID: I6, Client: cmd.ops[0].client, T: cmd.invoke, Seq: e.seq, Text: fmt.Sprintf("%q was said by %s, and is stored as of %s", text, cmd.user, e.From)})
		case e.Kind != kind:
			c.violate(Violation{ID: I6, Client: cmd.ops[0].client, T: cmd.invoke, Seq: e.seq, Text: fmt.Sprintf("%q was said by %s, and is stored as %s", text, cmd.f, e.Kind)})
		}
		if channel := cmdChannel(cmd); channel != "" && channel != e.channel {
			c.violate(Violation{ID: I6, Client: cmd.ops[0].client, T: cmd.invoke, Seq: e.seq, Text: fmt.Sprintf("%q was said in %s, and is stored in %s", text, channel, e.channel)})
		}
	}
}

// cmdChannel is where a line of a room was meant for, if its driver said so. The user may have
// changed rooms before an unanswered line arrived, so only a line that was sent once counts.
func cmdChannel(cmd *command) string {
	if cmd == nil || cmd.f != history.RoomSay || len(cmd.ops) != 1 || cmd.ops[0].in.Channel == history.RoomPrefix {
		return ""
	}
	return logChannel(cmd.ops[0].in.Channel)
}
