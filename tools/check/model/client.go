package model

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"gamehall/shared/event"
	"gamehall/shared/name"
	"gamehall/tools/check/history"
)

// conn is a connection. What is told on it comes in order, some time later, unless it is lost
// before.
type conn struct {
	client *client
	n      int
	edge   string
	sess   *sess
	clear  int64 // when what was told last comes
	gone   bool
}

func (c *conn) hears(subject string) bool {
	switch {
	case c.gone || c.sess == nil:
		return false
	case strings.HasPrefix(subject, "room."):
		return c.sess.room != "" && c.sess.h.roomSubject(c.sess.room) == subject
	}
	return true
}

// later does something when all that was told before has come.
func (c *conn) later(do func()) {
	h := c.client.h
	c.clear = max(c.clear, h.now+h.between(0, 2)) + 1000
	h.at(c.clear, func() {
		if c.gone {
			return
		}
		do()
	})
}

func (c *conn) tell(e history.Event) {
	c.later(func() {
		if e.Seq != 0 && e.Seq > c.client.last[e.Channel] {
			c.client.last[e.Channel] = e.Seq
		}
		c.client.write(e)
	})
}

// lost ends the connection. What is under way is unknown.
func (c *conn) lost(reason, by string) {
	h, cl := c.client.h, c.client
	end := func() {
		if c.gone {
			return
		}
		c.gone = true
		if cl.under != 0 {
			cl.write(history.Event{Type: history.Info, F: cl.doing, Req: cl.under})
			cl.under = 0
		}
		cl.write(history.Event{Type: history.Disc, Reason: reason, By: by})
		cl.conn = nil
		if s := c.sess; s != nil && s.conn == c {
			s.conn = nil
		}
		if !cl.vanished {
			h.in(cl.away+h.between(200, 3000), cl.arrive)
			cl.away = 0
		}
	}
	if by == history.ByServer && reason != "eof" {
		c.later(end)
		return
	}
	end()
}

// client is a driver.
type client struct {
	h        *hall
	name     string
	u        *user
	edge     string
	shared   bool // its user has another client, too
	conn     *conn
	conns    int
	req      uint64
	under    uint64 // the command under way
	doing    string
	texts    int
	last     map[string]uint64 // what it had, by channel
	token    *sess             // what it can resume
	room     string
	follow   func()         // what is done behind the answer that was just given
	again    *history.Event // a line whose outcome it does not know
	vanished bool
	away     int64 // how much longer it stays away the next time
	silent   bool
}

func (c *client) write(e history.Event) {
	e.T, e.Client, e.Conn = c.h.now, c.name, c.conns
	if c.conn != nil {
		e.Edge = c.conn.edge
		if c.conn.sess != nil && e.Type != history.Recv {
			e.Session = c.conn.sess.name
			if e.User == "" {
				e.User = c.u.name
			}
		}
	}
	c.h.files[c.name] = append(c.h.files[c.name], e)
}

// ask sends a command; effect happens at the hall some time later and gives the answer.
func (c *client) ask(in history.Event, effect func() history.Event, then func(ok bool)) {
	h, conn := c.h, c.conn
	c.req++
	req := c.req
	in.Type, in.Req = history.Invoke, req
	c.write(in)
	c.under, c.doing = req, in.F
	arrive := h.now + h.between(0, 1)
	if h.chance(10) { // so that some are under way when a connection is lost
		arrive += h.between(0, 900)
	}
	var happen func()
	happen = func() {
		if h.now < h.stalled {
			h.at(h.stalled+h.between(0, 20), happen)
			return
		}
		if conn.gone && h.chance(50) {
			return // its edge died with it
		}
		out := effect()
		conn.later(func() {
			out.F, out.Req = in.F, req
			if out.Type == "" {
				out.Type = history.OK
			}
			c.under = 0
			c.write(out)
			then(out.Type == history.OK)
		})
		if follow := c.follow; follow != nil {
			c.follow = nil
			follow()
		}
	}
	h.at(arrive, happen)
}

func fail(code string) history.Event { return history.Event{Type: history.Fail, Code: code} }

// arrive connects, and makes an account, resumes or signs in.
func (c *client) arrive() {
	h := c.h
	if h.now >= h.run.Quiet || c.conn != nil {
		return
	}
	c.conns++
	c.edge = h.run.Settings.Edges[(c.conns+len(c.name)+int(c.name[1]))%2]
	for _, f := range h.run.Faults {
		if f.Target == c.edge && h.now >= f.From && h.now < f.To+second {
			c.edge = map[string]string{"edge-1": "edge-2", "edge-2": "edge-1"}[c.edge]
		}
	}
	c.silent = false
	c.conn = &conn{client: c, n: c.conns, edge: c.edge}
	c.write(history.Event{Type: history.Conn, Door: "frames"})
	switch {
	case !c.u.exists:
		c.ask(history.Event{F: history.SignUp, User: c.u.name}, func() history.Event {
			if c.u.exists {
				return fail("username_taken")
			}
			c.u.exists = true
			return history.Event{}
		}, func(bool) { c.signIn() })
	case c.token != nil:
		c.resume()
	default:
		c.signIn()
	}
}

func (c *client) signIn() {
	h, conn := c.h, c.conn
	takeover := c.shared && h.chance(40)
	c.ask(history.Event{F: history.SignIn, User: c.u.name, Takeover: takeover}, func() history.Event {
		if have := c.u.sess; have != nil && have.conn != nil && !takeover {
			return fail("already_signed_in")
		}
		if conn.gone {
			return history.Event{} // it never began
		}
		s := h.begin(conn)
		if r := h.round; r != nil {
			c.follow = func() { conn.tell(told(r.started, history.Game21, r.seq, 0, h.wall())) }
		}
		return history.Event{User: c.u.name, Seq: s.joined, Session: s.name}
	}, func(ok bool) {
		if !ok {
			h.in(h.between(3000, 9000), func() {
				if c.conn == conn {
					c.signIn()
				}
			})
			return
		}
		clear(c.last)
		c.room, c.token = "", nil
		if s := conn.sess; s != nil {
			c.last[history.Lobby], c.last[history.Game21] = s.joined, s.joined
		}
		c.think()
	})
}

// resume comes back as the session that the client had.
func (c *client) resume() {
	h, conn, s := c.h, c.conn, c.token
	since := map[string]uint64{}
	for channel, seq := range c.last {
		if channel == history.Lobby || channel == history.Game21 || channel == history.RoomPrefix+c.room {
			since[channel] = seq
		}
	}
	c.ask(history.Event{F: history.Resume, Session: s.name, Since: since}, func() history.Event {
		if s.over {
			return fail("bad_token")
		}
		if conn.gone {
			return history.Event{}
		}
		if s.conn != nil {
			s.conn.lost("signed_in_elsewhere", history.ByServer)
		}
		s.detached, s.edge, s.conn, conn.sess = 0, conn.edge, conn, nil
		out := history.Event{User: c.u.name, Seq: since[history.Lobby], Session: s.name, Room: s.room}
		c.follow = func() { // from here on all that it missed, and then what is told now
			conn.sess = s
			c.room = s.room
			h.after(conn, history.Lobby, since[history.Lobby])
			h.after(conn, history.Game21, since[history.Game21])
			if s.room == "" {
				return
			}
			had, named := since[history.RoomPrefix+s.room]
			if !named {
				had = min(since[history.Lobby], since[history.Game21])
			}
			h.after(conn, h.roomSubject(s.room), max(s.roomSeq, had))
		}
		return out
	}, func(ok bool) {
		if !ok {
			c.token, c.again, c.room = nil, nil, ""
			clear(c.last)
			c.signIn()
			return
		}
		c.think()
	})
}

func (c *client) text() string {
	c.texts++
	return fmt.Sprintf("%s-%s-%d", c.h.run.Name, c.name, c.texts)
}

// think does the next thing after a while.
func (c *client) think() {
	h, conn := c.h, c.conn
	h.in(h.between(50, 1500), func() {
		if conn == nil || c.conn != conn || conn.gone || c.silent || c.under != 0 {
			return
		}
		if conn.sess == nil {
			if h.now < h.run.Quiet { // it was ended elsewhere, and has not heard so
				c.think()
			}
			return
		}
		if h.now >= h.run.Quiet {
			c.ask(history.Event{F: history.Ping}, func() history.Event { return history.Event{} }, func(bool) {
				h.in(8*second, c.think)
			})
			return
		}
		c.next()
	})
}

func (c *client) next() {
	s := c.conn.sess
	if again := c.again; again != nil {
		c.again = nil
		c.say(*again)
		return
	}
	switch p := c.h.rng.IntN(100); {
	case p < 45:
		c.say(history.Event{F: history.Say, Text: c.text(), Key: c.key(p)})
	case p < 60 && c.room != "":
		c.say(history.Event{F: history.RoomSay, Text: c.text(), Key: c.key(p), Channel: history.RoomPrefix + c.room})
	case p < 70:
		c.whisper()
	case p < 72:
		c.recall()
	case p < 75:
		c.ask(history.Event{F: history.Who}, func() history.Event { return history.Event{Total: 1} }, c.then)
	case p < 80:
		h := c.h
		c.ask(history.Event{F: history.OnlineTime}, func() history.Event {
			return history.Event{Seconds: (s.u.online + h.now - s.since) / second}
		}, c.then)
	case p < 88:
		c.rooms()
	case p < 90:
		c.signOut()
	default:
		c.answer()
	}
}

func (c *client) then(bool) { c.think() }

func (c *client) key(p int) string {
	if p%2 == 0 {
		return ""
	}
	return fmt.Sprintf("%s-%d", c.name, c.texts)
}

// say says a line, in the lobby or in the room. With a key it says it again when it does not
// know what became of it.
func (c *client) say(in history.Event) {
	h, s := c.h, c.conn.sess
	if in.Key != "" {
		c.again = &in
	}
	c.ask(in, func() history.Event {
		id := s.u.name + "." + in.Key + in.F
		if seq := h.answered[id]; in.Key != "" && seq != 0 {
			return history.Event{Seq: seq}
		}
		if s.over {
			return fail("not_signed_in")
		}
		var seq uint64
		switch {
		case in.F == history.Say:
			seq = h.store(history.Lobby, id, event.Event{Kind: event.Chat, From: s.u.name, Text: in.Text})
		case s.room == "" || history.RoomPrefix+s.room != in.Channel:
			return fail("not_in_room")
		default:
			seq = h.store(h.roomSubject(s.room), id, event.Event{Kind: event.RoomChat, From: s.u.name, Text: in.Text, Room: s.room})
		}
		h.answered[id] = seq
		return history.Event{Seq: seq}
	}, func(bool) {
		c.again = nil
		c.think()
	})
}

func (c *client) whisper() {
	h, s := c.h, c.conn.sess
	to := h.clients[h.rng.IntN(len(h.clients))].u
	if to == c.u {
		c.think()
		return
	}
	in := history.Event{F: history.Whisper, To: to.name, Text: c.text()}
	c.ask(in, func() history.Event {
		if s.over {
			return fail("not_signed_in")
		}
		if to.sess == nil || to.sess.conn == nil || to.sess.conn.gone || to.sess.conn.sess == nil {
			return fail("user_offline")
		}
		to.sess.conn.tell(history.Event{Type: history.Recv, F: history.Whisper, Channel: history.UserOnly, From: s.u.name, To: to.name, Text: in.Text})
		return history.Event{}
	}, c.then)
}

// rooms leaves the room, or goes to one, or makes it.
func (c *client) rooms() {
	h, s, conn := c.h, c.conn.sess, c.conn
	if c.room != "" {
		c.ask(history.Event{F: history.RoomQuit}, func() history.Event {
			if s.over || s.room == "" {
				return fail("not_in_room")
			}
			return history.Event{Seq: h.leave(s)}
		}, func(bool) {
			c.room = ""
			c.think()
		})
		return
	}
	room := fmt.Sprintf("den %d", h.rng.IntN(2))
	f := history.RoomJoin
	if _, there := h.rooms[room]; !there {
		f = history.RoomCreate
	}
	c.ask(history.Event{F: f, Room: room}, func() history.Event {
		_, there := h.rooms[room]
		switch {
		case s.over:
			return fail("not_signed_in")
		case s.room != "":
			return fail("already_in_room")
		case f == history.RoomCreate && there:
			return fail("room_exists")
		}
		h.rooms[room]++
		s.roomSeq = h.store(h.roomSubject(room), "", event.Event{Kind: event.RoomJoined, User: s.u.name, UserID: name.UserID(s.u.name), Epoch: s.epoch, Room: room})
		s.room = room
		return history.Event{Seq: s.roomSeq, Room: room}
	}, func(ok bool) {
		if ok && c.conn == conn && s.room == room {
			c.room = room
			c.last[history.RoomPrefix+room] = max(c.last[history.RoomPrefix+room], s.roomSeq)
		}
		c.think()
	})
}

func (c *client) signOut() {
	h, s, conn := c.h, c.conn.sess, c.conn
	c.ask(history.Event{F: history.SignOut}, func() history.Event {
		h.end(s, h.now)
		return history.Event{}
	}, func(bool) {
		conn.sess, c.token, c.room = nil, nil, ""
		clear(c.last)
		h.in(h.between(500, 5000), func() {
			if c.conn == conn && !conn.gone {
				c.signIn()
			}
		})
	})
}

// recall asks for the history of the lobby.
func (c *client) recall() {
	h := c.h
	c.ask(history.Event{F: history.HistoryOf, Channel: history.Lobby, Limit: 5}, func() history.Event {
		var out history.Event
		prev := uint64(0)
		for _, m := range h.messages {
			var e event.Event
			if m.Subject != "hall.events.lobby" {
				continue
			}
			if err := json.Unmarshal(m.Data, &e); err != nil {
				panic(err)
			}
			out.Events = append(out.Events, told(e, history.Lobby, m.Seq, prev, m.Time))
			prev = m.Seq
		}
		out.Events = out.Events[max(0, len(out.Events)-5):]
		return out
	}, c.then)
}
