package client

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/wire"
)

// fakeHall is a hall in memory that speaks frames as the protocol has them: enough of one to
// see what a client does when its connections break. Anybody's password is "secret1".
type fakeHall struct {
	mu       sync.Mutex
	seq      uint64
	log      []event.Stored           // all channels
	sessions map[string]*fakeSession  // by user
	tokens   map[string]*fakeSession  // also used ones
	rooms    map[string][]string      // members by name
	said     map[string]wire.Reply    // by user and key
	got      []wire.Command           // what came, in order
	conns    map[*fakeConn]struct{}   // that stand
	refuse   map[string]*fault.Error  // by type: what to answer instead
	quiet    map[string]chan struct{} // by type: nothing is done before this is closed
	lose     map[string]bool          // by type: it is done, and the connection breaks before the answer; once
	mute     map[string]bool          // by type: it is never answered
	wg       sync.WaitGroup
}

type fakeSession struct {
	user, token, used string
	room              string
	seq               uint64 // of the join
	roomSeq           uint64
	conn              *fakeConn
	acted             bool // a command came since the last resume
	over              bool
}

// fakeConn is the hall's end of one connection.
type fakeConn struct {
	hall *fakeHall
	nc   net.Conn
	out  chan []byte
	s    *fakeSession
	dead bool // what was read and not done yet never will be
}

func newFakeHall() *fakeHall {
	return &fakeHall{
		sessions: map[string]*fakeSession{}, tokens: map[string]*fakeSession{}, rooms: map[string][]string{},
		said: map[string]wire.Reply{}, conns: map[*fakeConn]struct{}{}, refuse: map[string]*fault.Error{},
		quiet: map[string]chan struct{}{}, lose: map[string]bool{}, mute: map[string]bool{},
	}
}

// dial gives a connection in memory.
func (h *fakeHall) dial(context.Context) (net.Conn, error) {
	here, there := net.Pipe()
	h.accept(there)
	return here, nil
}

// listen gives an address to connect to; all ends with the test.
func (h *fakeHall) listen(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			h.accept(nc)
		}
	})
	t.Cleanup(func() { _ = l.Close(); h.stop() })
	return l.Addr().String()
}

// accept serves nc.
func (h *fakeHall) accept(nc net.Conn) {
	c := &fakeConn{hall: h, nc: nc, out: make(chan []byte, 10000)}
	h.mu.Lock()
	h.conns[c] = struct{}{}
	h.mu.Unlock()
	h.wg.Go(func() {
		for data := range c.out {
			if _, err := c.nc.Write(data); err != nil {
				_ = c.nc.Close()
			}
		}
		_ = c.nc.Close()
	})
	h.wg.Go(func() {
		r := bufio.NewReader(nc)
		for {
			data, err := wire.ReadFrame(r, wire.MaxLine)
			if err != nil {
				break
			}
			cmd, err := wire.ParseObject(data)
			if err != nil {
				f, _ := fault.From(err)
				h.locked(func() { c.write(wire.ReplyObject(cmd.ID, wire.Reply{Err: f})) })
				continue
			}
			h.mu.Lock()
			wait := h.quiet[cmd.Type]
			h.mu.Unlock()
			if wait != nil {
				<-wait
			}
			h.locked(func() { c.do(cmd) })
		}
		h.locked(func() { c.gone() })
	})
}

func (h *fakeHall) locked(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// stop closes all connections and waits.
func (h *fakeHall) stop() {
	h.cut()
	h.wg.Wait()
}

// cut breaks all connections.
func (h *fakeHall) cut() {
	h.locked(func() {
		for c := range h.conns {
			c.dead = true
			_ = c.nc.Close()
		}
	})
}

// standing is how many connections there are.
func (h *fakeHall) standing() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// stored gives the log so far.
func (h *fakeHall) stored() []event.Stored {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.log)
}

// commands gives what came of a type.
func (h *fakeHall) commands(kind string) []wire.Command {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.got), func(c wire.Command) bool { return c.Type != kind })
}

// send sends p to everybody who is signed in.
func (h *fakeHall) send(p wire.Private) {
	h.locked(func() {
		for _, s := range h.sessions {
			if s.conn != nil {
				s.conn.write(wire.PrivateObject(p, time.Now()))
			}
		}
	})
}

// tell stores an event and delivers it.
func (h *fakeHall) tell(channel string, e event.Event) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.store(channel, e)
}

func (h *fakeHall) store(channel string, e event.Event) uint64 {
	h.seq++
	stored := event.Stored{Channel: channel, Seq: h.seq, At: time.Now(), Event: e}
	h.log = append(h.log, stored)
	for _, s := range h.sessions {
		if s.conn != nil && s.hears(stored) {
			s.conn.write(wire.EventObject(stored))
		}
	}
	return h.seq
}

func (s *fakeSession) hears(e event.Stored) bool {
	if strings.HasPrefix(e.Channel, "room:") {
		return e.Channel == "room:"+s.room && e.Seq > s.roomSeq
	}
	return e.Seq > s.seq
}

func (c *fakeConn) write(object []byte) {
	if _, stands := c.hall.conns[c]; stands {
		c.out <- wire.AppendFrame(nil, object)
	}
}

func (c *fakeConn) gone() {
	delete(c.hall.conns, c)
	close(c.out)
	if c.s != nil && c.s.conn == c {
		c.s.conn = nil
	}
}

func (c *fakeConn) do(cmd wire.Command) {
	h := c.hall
	if c.dead {
		return
	}
	h.got = append(h.got, cmd)
	if f := h.refuse[cmd.Type]; f != nil {
		c.write(wire.ReplyObject(cmd.ID, wire.Reply{Type: cmd.Type, Err: f}))
		return
	}
	var reply wire.Reply
	var err error
	switch cmd.Type {
	case wire.Ping:
	case wire.SignUp:
	case wire.SignIn:
		reply, err = h.signIn(c, cmd)
	case wire.Resume:
		c.resume(cmd)
		return
	default:
		if c.s == nil || c.s.conn != c {
			err = fault.New(fault.NotSignedIn, "please sign in first")
			break
		}
		c.s.acted = true
		named := c.s.user + " " + cmd.Key
		if before, ok := h.said[named]; ok && cmd.Key != "" {
			reply = before
			break
		}
		reply, err = c.member(cmd)
		if cmd.Key != "" && err == nil {
			h.said[named] = reply
		}
	}
	reply.Type = cmd.Type
	if err != nil {
		reply.Err, _ = fault.From(err)
	}
	if h.lose[cmd.Type] {
		delete(h.lose, cmd.Type)
		c.dead = true
		_ = c.nc.Close()
	}
	if !h.mute[cmd.Type] {
		c.write(wire.ReplyObject(cmd.ID, reply))
	}
	if cmd.Type == wire.SignOut && err == nil {
		h.end(c.s)
		c.s = nil
	}
}

func (h *fakeHall) signIn(c *fakeConn, cmd wire.Command) (wire.Reply, error) {
	old := h.sessions[cmd.Username]
	switch {
	case c.s != nil || old != nil && old.conn != nil && !cmd.Takeover:
		return wire.Reply{}, fault.New(fault.AlreadySignedIn, "can't sign in repeatedly")
	case cmd.Password != "secret1":
		return wire.Reply{}, fault.New(fault.WrongCredentials, "wrong account or password")
	}
	if old != nil && old.conn != nil {
		old.conn.write(wire.PrivateObject(wire.Private{Kind: wire.KindClosing, Reason: wire.SignedInElsewhere}, time.Now()))
	}
	if old != nil {
		h.end(old)
	}
	seq := h.store("lobby", event.Event{Kind: event.Joined, User: cmd.Username})
	s := &fakeSession{user: cmd.Username, seq: seq, conn: c}
	s.token = fmt.Sprintf("token-%s-%d", s.user, seq)
	h.sessions[s.user], h.tokens[s.token], c.s = s, s, s
	return wire.Reply{User: s.user, Token: s.token, Seq: seq}, nil
}

func (h *fakeHall) end(s *fakeSession) {
	s.over = true
	delete(h.sessions, s.user)
	h.leaveRoom(s)
	h.store("lobby", event.Event{Kind: event.Left, User: s.user})
}

func (h *fakeHall) leaveRoom(s *fakeSession) uint64 {
	if s.room == "" {
		return 0
	}
	room := s.room
	h.rooms[room] = slices.DeleteFunc(h.rooms[room], func(u string) bool { return u == s.user })
	s.room = ""
	return h.store("room:"+room, event.Event{Kind: event.RoomLeft, User: s.user, Room: room})
}

// resume gives the session to this connection, and what it has missed.
func (c *fakeConn) resume(cmd wire.Command) {
	h := c.hall
	s := h.tokens[cmd.Token]
	again := s != nil && cmd.Token == s.used && s.conn == nil && !s.acted
	if s == nil || s.over || cmd.Token != s.token && !again {
		f, _ := fault.From(fault.New(fault.BadToken, "the token is not valid any more"))
		c.write(wire.ReplyObject(cmd.ID, wire.Reply{Type: wire.Resume, Err: f}))
		return
	}
	if s.conn != nil {
		_ = s.conn.nc.Close()
	}
	h.seq++ // nothing is lost when other channels use up sequences
	s.used, s.token, s.acted, s.conn, c.s = cmd.Token, fmt.Sprintf("token-%s-%d", s.user, h.seq), false, c, s
	h.tokens[s.token] = s
	c.write(wire.ReplyObject(cmd.ID, wire.Reply{Type: wire.Resume, User: s.user, Token: s.token, Seq: s.seq, Room: s.room}))
	for _, e := range h.log {
		after, asked := cmd.Since[e.Channel]
		if s.hears(e) && (!asked || e.Seq > after) {
			c.write(wire.EventObject(e))
		}
	}
}
