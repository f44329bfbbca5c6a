package model

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"gamehall/shared/event"
	"gamehall/shared/name"
	"gamehall/tools/check/history"
)

// Size is how large a run is. The zero Size makes some 2,000 commands.
type Size struct {
	Clients int           // 3 to 12; default 10
	For     time.Duration // that clients ask for changes; default 3 min, at least 2
}

// hall is the model. It runs one step after the other, by its own clock.
type hall struct {
	rng   *rand.Rand
	size  Size
	now   int64
	queue []item // by time
	order int

	run      history.Run
	files    map[string][]history.Event
	messages []history.Message
	seq      uint64
	gameSeq  uint64
	last     map[string]uint64 // of each channel

	users    map[string]*user
	clients  []*client
	rooms    map[string]int // members
	round    *round
	rounds   int
	stalled  int64 // until when nothing is stored
	epoch    uint64
	answered map[string]uint64 // by user and key: the sequence
}

const (
	millisecond = int64(time.Millisecond)
	second      = int64(time.Second)
	began       = 1000 * second
)

var names = []string{"amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "jasper", "koala", "lemon"}

// Run makes up a run.
func Run(seed uint64, size Size) *history.History {
	if size.Clients == 0 {
		size.Clients = 10
	}
	if size.For == 0 {
		size.For = 3 * time.Minute
	}
	h := &hall{
		rng:  rand.New(rand.NewPCG(seed, 21)), //nolint:gosec // the same seed makes the same run
		size: size, now: began,
		files: map[string][]history.Event{}, last: map[string]uint64{}, users: map[string]*user{},
		rooms: map[string]int{}, answered: map[string]uint64{},
	}
	quiet := began + int64(size.For)
	h.run = history.Run{
		Name: fmt.Sprintf("m%d", seed), Seed: seed, Wall: time.Unix(1_800_000_000, 0).UTC(), Start: began,
		Quiet: quiet, End: quiet + 110*second, Nodes: []string{"nats-1", "nats-2", "nats-3"},
		Settings: history.Settings{
			Edges: []string{"edge-1", "edge-2"}, Replicas: 3, Copies: 2,
			RoundPeriod: history.Duration(20 * time.Second), RoundDuration: history.Duration(8 * time.Second),
		},
	}
	for i := range size.Clients {
		n := i
		if i == size.Clients-1 && i > 2 {
			n = 0 // two clients of one user
		}
		c := &client{h: h, name: fmt.Sprintf("c%d", i), u: h.user(names[n]), last: map[string]uint64{}, edge: h.run.Settings.Edges[i%2]}
		c.shared = size.Clients > 3 && n == 0
		h.clients = append(h.clients, c)
		h.in(h.between(0, 2000), c.arrive)
	}
	h.schedule()
	for p, when := range []string{history.Baseline, history.After} {
		for _, process := range []string{"edge-1", "edge-2", "nats-1"} {
			h.run.Samples = append(h.run.Samples, history.Sample{
				T: began + int64(p)*(h.run.End-began), When: when, Process: process, Pid: 100 + p, Goroutines: 50 + p, FDs: 30 + p, RSS: int64(60+p) << 20,
			})
		}
	}
	h.faults()
	for len(h.queue) > 0 && h.queue[0].at <= h.run.End {
		next := h.queue[0]
		h.queue = h.queue[1:]
		h.now = next.at
		next.do()
	}
	h.now = h.run.End
	for _, c := range h.clients {
		if c.conn != nil && c.conn.sess != nil {
			c.write(history.Event{Type: history.Final})
		}
	}
	streams := map[string][]history.Message{}
	for _, node := range h.run.Nodes {
		streams[node] = h.messages
	}
	return history.Memory(h.run, h.files, streams)
}

// item is something that happens at a time.
type item struct {
	at    int64
	order int
	do    func()
}

func (h *hall) in(d int64, do func()) { h.at(h.now+d, do) }

func (h *hall) at(t int64, do func()) {
	h.order++
	next := item{max(t, h.now), h.order, do}
	where, _ := slices.BinarySearchFunc(h.queue, next, func(a, b item) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.order, b.order))
	})
	h.queue = slices.Insert(h.queue, where, next)
}

// between is a time of so many milliseconds.
func (h *hall) between(from, to int) int64 {
	return (int64(from)*1000 + h.rng.Int64N(int64(to-from)*1000+1)) * int64(time.Microsecond)
}

func (h *hall) chance(percent int) bool { return h.rng.IntN(100) < percent }

func (h *hall) wall() time.Time { return h.run.Wall.Add(time.Duration(h.now - began)) }

// store adds a message to HALL_EVENTS, and tells all who are to hear it.
func (h *hall) store(subject, id string, e event.Event) uint64 {
	h.seq += 1 + uint64(h.rng.IntN(3)) // records of rooms are between
	data, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	h.messages = append(h.messages, history.Message{Stream: "HALL_EVENTS", Seq: h.seq, Subject: "hall.events." + subject, ID: id, Time: h.wall(), Data: data})
	prev := h.last[subject]
	h.last[subject] = h.seq
	for _, c := range h.clients {
		if c.conn != nil && c.conn.hears(subject) && !c.conn.sess.own(e) {
			c.conn.tell(told(e, subject, h.seq, prev, h.wall()))
		}
	}
	return h.seq
}

func told(e event.Event, subject string, seq, prev uint64, at time.Time) history.Event {
	channel := subject
	if strings.HasPrefix(subject, "room.") {
		channel = history.RoomPrefix + e.Room
	}
	t := history.Event{
		Type: history.Recv, F: e.Kind, Channel: channel, Seq: seq, Prev: prev, At: at, From: e.From, Text: e.Text, User: e.User,
		Round: e.Round, Numbers: e.Numbers, Answers: e.Answers, Winner: e.Winner, Expression: e.Expression, Value: e.Value, EndsAt: e.EndsAt,
	}
	if e.Best != nil {
		t.Best = &history.Solution{Expression: e.Best.Expression, Value: e.Best.Value}
	}
	return t
}

// after tells a session again what it missed of a channel.
func (h *hall) after(c *conn, subject string, from uint64) {
	prev := from
	for _, m := range h.messages {
		if m.Subject != "hall.events."+subject || m.Seq <= from {
			continue
		}
		var e event.Event
		if err := json.Unmarshal(m.Data, &e); err != nil {
			panic(err)
		}
		if c.sess.own(e) {
			continue
		}
		c.tell(told(e, subject, m.Seq, prev, m.Time))
		prev = m.Seq
	}
}

func (h *hall) roomSubject(room string) string { return "room." + name.RoomID(room) }

// user is an account and its session.
type user struct {
	name     string
	exists   bool
	sess     *sess
	online   int64 // of sessions that are over
	sessions int
}

func (h *hall) user(name string) *user {
	if h.users[name] == nil {
		h.users[name] = &user{name: name}
	}
	return h.users[name]
}

// sess is a session.
type sess struct {
	h        *hall
	name     string
	u        *user
	epoch    uint64
	joined   uint64
	since    int64
	edge     string
	conn     *conn
	room     string
	roomSeq  uint64
	detached int64
	over     bool
}

// own tells whether e is the session's own coming or going, which it does not hear.
func (s *sess) own(e event.Event) bool {
	return e.User == s.u.name && e.Epoch == s.epoch && (e.Kind == event.Joined || e.Kind == event.Left || e.Kind == event.RoomJoined || e.Kind == event.RoomLeft)
}

// begin makes the session of u that of c; there is none, or one that is replaced.
func (h *hall) begin(c *conn) *sess {
	u := c.client.u
	if old := u.sess; old != nil {
		if old.conn != nil {
			old.conn.tell(history.Event{Type: history.Recv, F: history.Closing, Channel: history.UserOnly, Reason: "signed_in_elsewhere"})
			old.conn.lost("signed_in_elsewhere", history.ByServer)
		}
		h.end(old, h.now)
	}
	h.epoch += 3
	u.sessions++
	s := &sess{h: h, name: fmt.Sprintf("%s.%d", u.name, u.sessions), u: u, epoch: h.epoch, since: h.now, edge: c.edge, conn: c}
	u.sess = s
	s.joined = h.store(history.Lobby, fmt.Sprintf("joined.%s.%d", u.name, s.epoch), event.Event{
		Kind: event.Joined, User: u.name, UserID: name.UserID(u.name), Epoch: s.epoch, Edge: c.edge, Since: h.wall(),
	})
	c.sess = s
	return s
}

// end ends a session as of until.
func (h *hall) end(s *sess, until int64) {
	if s.over {
		return
	}
	s.over = true
	s.u.online += until - s.since
	if s.u.sess == s {
		s.u.sess = nil
	}
	if s.conn != nil {
		s.conn.sess = nil
	}
	h.store(history.Lobby, fmt.Sprintf("left.%s.%d", s.u.name, s.epoch), event.Event{
		Kind: event.Left, User: s.u.name, UserID: name.UserID(s.u.name), Epoch: s.epoch, Edge: s.edge,
		Until: h.run.Wall.Add(time.Duration(until - began)),
	})
	h.leave(s)
}

// leave takes a session out of its room.
func (h *hall) leave(s *sess) uint64 {
	if s.room == "" {
		return 0
	}
	room := s.room
	s.room = ""
	h.rooms[room]--
	return h.store(h.roomSubject(room), "", event.Event{Kind: event.RoomLeft, User: s.u.name, UserID: name.UserID(s.u.name), Epoch: s.epoch, Room: room})
}

// expire ends s after so long, unless its client came back.
func (h *hall) expire(s *sess, after, until int64) {
	lost := s.detached
	h.in(after, func() {
		if s.detached == lost && s.conn == nil {
			h.end(s, until)
		}
	})
}
