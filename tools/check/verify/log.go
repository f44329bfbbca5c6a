package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"gamehall/shared/event"
	"gamehall/shared/name"
	"gamehall/tools/check/history"
)

// The streams and subjects, as DESIGN.md names them.
const (
	eventsStream = "HALL_EVENTS"
	gameStream   = "HALL_GAME21"
	eventsPrefix = "hall.events."
	roundPrefix  = "hall.round."
)

// entry is a stored event.
type entry struct {
	event.Event
	seq     uint64
	channel string // of the log: "lobby", "game21", "room.<id>"
	pos     int    // in its channel
	at      int64  // when it was stored, by the clock of the run
	id      string
}

// log is what the stream has in the end.
type log struct {
	channels map[string][]*entry
	bySeq    map[uint64]*entry
	texts    map[string]*entry // lines, the first with each text
	rounds   map[int]*round    // of HALL_GAME21
	last     uint64
	stays    map[string][]*stay // by user: in rooms, in order
	joins    map[string][]*entry
	ends     map[string][]*entry
}

// round is a round's log in HALL_GAME21.
type round struct {
	n       int
	opens   []opened
	answers []answered
	closes  []closed
}

type opened struct {
	seq      uint64
	at       int64
	Round    int    `json:"round"`
	Numbers  []int  `json:"numbers"`
	OpenedAt string `json:"opened_at"`
	EndsAt   string `json:"ends_at"`
}

type answered struct {
	seq        uint64
	at         int64
	Round      int    `json:"round"`
	UserID     string `json:"user_id"`
	User       string `json:"user"`
	Expression string `json:"expression"`
	Value      string `json:"value"`
	Command    string `json:"command"`
}

type closed struct {
	seq    uint64
	at     int64
	Round  int    `json:"round"`
	Reason string `json:"reason"`
}

// stay is a user's time in a room: it hears what is between joined and left, both not
// included. left is nil when it never left.
type stay struct {
	channel      string
	joined, left *entry
}

func (s *stay) covers(seq uint64) bool {
	return s.joined.seq < seq && (s.left == nil || seq < s.left.seq)
}

// fold makes one of the ways to write a user's name.
func fold(user string) string { return strings.ToLower(user) }

// logChannel is what the log calls a client's channel.
func logChannel(channel string) string {
	typed, isRoom := strings.CutPrefix(channel, history.RoomPrefix)
	if !isRoom {
		return channel
	}
	_, key, err := name.Room(typed)
	if err != nil {
		return channel
	}
	return "room." + name.RoomID(key)
}

// channel is logChannel, remembered: there are few names, and each is looked at for long.
func (c *checker) channel(shown string) string {
	known, is := c.channels[shown]
	if !is {
		known = logChannel(shown)
		c.channels[shown] = known
	}
	return known
}

// readLog reads the streams of every node, compares them, and keeps the longest.
func (c *checker) readLog() error {
	var best []history.Message
	copies := map[string][]history.Message{}
	for _, node := range c.h.Nodes() {
		messages, err := c.h.Stream(node)
		if err != nil {
			return err
		}
		copies[node] = messages
		if len(messages) > len(best) {
			best = messages
		}
	}
	c.compareNodes(copies, best)
	c.log = &log{
		channels: map[string][]*entry{}, bySeq: map[uint64]*entry{}, texts: map[string]*entry{},
		rounds: map[int]*round{}, stays: map[string][]*stay{},
		joins: map[string][]*entry{}, ends: map[string][]*entry{},
	}
	best = slices.Clone(best)
	slices.SortStableFunc(best, func(a, b history.Message) int {
		return cmp.Or(strings.Compare(a.Stream, b.Stream), cmp.Compare(a.Seq, b.Seq))
	})
	for _, m := range best {
		switch m.Stream {
		case eventsStream:
			c.readEvent(m)
		case gameStream:
			c.readRound(m)
		}
	}
	c.foldStays()
	return nil
}

// compareNodes is I3 of the nodes: each has the same at every sequence.
func (c *checker) compareNodes(copies map[string][]history.Message, best []history.Message) {
	type key struct {
		stream string
		seq    uint64
	}
	index := make(map[key]*history.Message, len(best))
	for i := range best {
		index[key{best[i].Stream, best[i].Seq}] = &best[i]
	}
	for _, node := range c.h.Nodes() {
		messages := copies[node]
		if len(messages) != len(best) {
			c.violate(Violation{ID: I3, Text: fmt.Sprintf("node %s has %d messages at the end, another one %d", node, len(messages), len(best))})
		}
		for i := range messages {
			m := &messages[i]
			c.report.look(I3, 1)
			other := index[key{m.Stream, m.Seq}]
			if other == nil || other.Subject != m.Subject || other.ID != m.ID || string(other.Data) != string(m.Data) {
				c.violate(Violation{ID: I3, Seq: m.Seq, Text: fmt.Sprintf("node %s has another message at %s %d (%s)", node, m.Stream, m.Seq, m.Subject)})
			}
		}
	}
}

func (c *checker) readEvent(m history.Message) {
	c.log.last = max(c.log.last, m.Seq)
	channel, is := strings.CutPrefix(m.Subject, eventsPrefix)
	if !is {
		return // a record of a room
	}
	e := &entry{seq: m.Seq, channel: channel, at: c.mono(m.Time), id: m.ID}
	if err := json.Unmarshal(m.Data, &e.Event); err != nil {
		c.violate(Violation{ID: I6, Seq: m.Seq, Text: fmt.Sprintf("the event %d of %s cannot be read: %v", m.Seq, channel, err)})
		return
	}
	if c.log.bySeq[e.seq] != nil {
		c.violate(Violation{ID: I3, Seq: m.Seq, Text: fmt.Sprintf("two messages have the sequence %d", m.Seq)})
		return
	}
	c.report.Counts.Stored++
	e.pos = len(c.log.channels[channel])
	c.log.channels[channel] = append(c.log.channels[channel], e)
	c.log.bySeq[e.seq] = e
	switch e.Kind {
	case event.Chat, event.RoomChat:
		if first := c.log.texts[e.Text]; first != nil {
			c.violate(Violation{ID: I2, Seq: e.seq, Text: fmt.Sprintf("%q is stored twice, at %d and %d", e.Text, first.seq, e.seq)})
			return
		}
		c.log.texts[e.Text] = e
	case event.Joined:
		c.log.joins[fold(e.User)] = append(c.log.joins[fold(e.User)], e)
	case event.Left:
		c.log.ends[fold(e.User)] = append(c.log.ends[fold(e.User)], e)
	}
}

func (c *checker) readRound(m history.Message) {
	number, rest, _ := strings.Cut(strings.TrimPrefix(m.Subject, roundPrefix), ".")
	n, err := strconv.Atoi(number)
	if err != nil || !strings.HasPrefix(m.Subject, roundPrefix) {
		c.violate(Violation{ID: G1, Seq: m.Seq, Text: fmt.Sprintf("%s is in the rounds' log", m.Subject)})
		return
	}
	r := c.log.rounds[n]
	if r == nil {
		r = &round{n: n}
		c.log.rounds[n] = r
	}
	kind, _, _ := strings.Cut(rest, ".")
	switch at := c.mono(m.Time); kind {
	case "open":
		o := opened{seq: m.Seq, at: at}
		err = json.Unmarshal(m.Data, &o)
		r.opens = append(r.opens, o)
	case "answer":
		a := answered{seq: m.Seq, at: at}
		err = json.Unmarshal(m.Data, &a)
		r.answers = append(r.answers, a)
	case "close":
		end := closed{seq: m.Seq, at: at}
		err = json.Unmarshal(m.Data, &end)
		r.closes = append(r.closes, end)
	}
	if err != nil {
		c.violate(Violation{ID: G1, Seq: m.Seq, Text: fmt.Sprintf("%s cannot be read: %v", m.Subject, err)})
	}
}

// foldStays follows who was in which room, by what the rooms were told.
func (c *checker) foldStays() {
	for channel, entries := range c.log.channels {
		if !strings.HasPrefix(channel, "room.") {
			continue
		}
		in := map[string]*stay{}
		for _, e := range entries {
			switch u := fold(e.User); e.Kind {
			case event.RoomJoined:
				if in[u] != nil {
					c.violate(Violation{ID: I8, Seq: e.seq, Text: fmt.Sprintf("%s joined %s at %d and was in it", e.User, e.Room, e.seq)})
				}
				in[u] = &stay{channel: channel, joined: e}
				c.log.stays[u] = append(c.log.stays[u], in[u])
			case event.RoomLeft:
				if in[u] == nil {
					c.violate(Violation{ID: I8, Seq: e.seq, Text: fmt.Sprintf("%s left %s at %d and was not in it", e.User, e.Room, e.seq)})
					continue
				}
				in[u].left = e
				delete(in, u)
			case event.RoomChat:
				c.report.look(I8, 1)
				if in[fold(e.From)] == nil {
					c.violate(Violation{ID: I8, Seq: e.seq, Text: fmt.Sprintf("%s said %q in %s at %d and was not in it", e.From, e.Text, e.Room, e.seq)})
				}
			}
		}
	}
	for user, stays := range c.log.stays {
		slices.SortFunc(stays, func(a, b *stay) int { return cmp.Compare(a.joined.seq, b.joined.seq) })
		for i, s := range stays[1:] {
			if before := stays[i]; before.left == nil || before.left.seq > s.joined.seq {
				c.violate(Violation{ID: I8, Seq: s.joined.seq, Text: fmt.Sprintf("%s joined %s at %d and was still in %s", user, s.joined.Room, s.joined.seq, before.joined.Room)})
			}
		}
	}
}

// after gives the entries of a channel behind a sequence.
func (l *log) after(channel string, seq uint64) []*entry {
	entries := l.channels[channel]
	at, _ := slices.BinarySearchFunc(entries, seq+1, func(e *entry, seq uint64) int { return cmp.Compare(e.seq, seq) })
	return entries[at:]
}

// end is the leaving of the user's session, nil when it is not stored.
func (l *log) end(user string, epoch uint64) *entry {
	for _, e := range l.ends[fold(user)] {
		if e.Epoch == epoch {
			return e
		}
	}
	return nil
}
