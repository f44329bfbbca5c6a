package edge

import (
	"context"
	"errors"
	"time"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/game21api"
	"gamehall/shared/name"
	"gamehall/shared/roomapi"
	"gamehall/shared/streams"
	"gamehall/shared/wire"
)

// session is a signed-in client. Its members before room never change once it is adopted.
type session struct {
	user      string
	userID    string
	id        string
	epoch     uint64
	seq       uint64 // of its join, in the lobby
	tenure    *tenure
	lobby     *channel
	game      *channel
	resumable bool   // its client has a token
	entered   *room  // before it was adopted; nil is none
	room      *room  // guarded by the connection's mutex, as is the rest
	roomed    uint64 // sequence of the last room event of its user that it knows of
	ending    bool   // this edge is ending it
	dropped   bool   // its channels were let go
}

// room is the room that a session hears.
type room struct {
	ch   *channel
	name string
	id   string
	seq  uint64 // of the join
}

// as makes calls in the session's name, as one command.
func (s *session) as(ctx context.Context) context.Context {
	return bus.AsSession(ctx, s.user, s.id)
}

// signIn claims the user's session for the connection, and welcomes it once the hall knows.
func (c *conn) signIn(ctx context.Context, cmd wire.Command) (wire.Reply, error) {
	if c.current() != nil {
		return wire.Reply{}, fault.New(fault.AlreadySignedIn, "can't sign in repeatedly")
	}
	if err := c.edge.addresses.signIn(ctx, c, cmd.Username); err != nil {
		return wire.Reply{}, err
	}
	t := c.edge.tenure.Load()
	if err := t.check(); err != nil {
		return wire.Reply{}, err
	}
	lobby, game, err := c.edge.openHall(ctx)
	if err != nil {
		return wire.Reply{}, err
	}
	c.setPending(true)
	defer c.setPending(false)
	req := authapi.SignInRequest{
		Username: cmd.Username, Password: cmd.Password, Takeover: cmd.Takeover,
		Edge: t.id, Conn: c.id, Trusted: c.trusted,
	}
	secret := ""
	if c.dialect != lines { // a line client could not keep a token
		secret = bus.NewID()
		req.TokenHash = authapi.HashToken(secret)
	}
	got, err := authapi.SignIn.Call(ctx, c.edge.nc, req, bus.Patience(requestFor))
	if err != nil {
		c.edge.closeHall(lobby, game)
		if fault.CodeOf(err) == fault.Unavailable && !errors.Is(err, bus.ErrNobody) {
			c.edge.forget(bus.Command(ctx), req)
		}
		return wire.Reply{}, err
	}
	s := &session{
		user: got.User, userID: got.UserID, id: got.Session, epoch: got.Epoch, seq: got.Seq,
		tenure: t, lobby: lobby, game: game, resumable: secret != "",
	}
	reply := wire.Reply{Type: wire.SignIn, User: s.user, Seq: s.seq}
	if s.resumable {
		reply.Token = authapi.Token(s.userID, secret)
	}
	if !c.adopt(s, cmd.ID, reply) {
		c.edge.closeHall(lobby, game)
		c.edge.end(s, time.Time{})
		return wire.Reply{}, fault.New(fault.Unavailable, "the session could not begin, please try again")
	}
	if err := c.catchUp(s, positions{lobby: s.seq, game: s.seq}, roomapi.Membership{}); err != nil {
		c.edge.log.Warn("a session could not hear the hall", "user", s.user, "error", err)
		c.close(wire.Unavailable)
	}
	c.edge.background(func() { c.showRound(s) })
	return wire.Reply{}, nil
}

// openHall hears what every session hears.
func (e *Edge) openHall(ctx context.Context) (lobby, game *channel, err error) {
	if lobby, err = e.hub.open(ctx, streams.LobbyChannel); err != nil {
		return nil, nil, err
	}
	if game, err = e.hub.open(ctx, streams.GameChannel); err != nil {
		e.hub.release(lobby)
		return nil, nil, err
	}
	return lobby, game, nil
}

func (e *Edge) closeHall(lobby, game *channel) {
	e.hub.release(lobby)
	e.hub.release(game)
}

// adopt makes s the connection's session and says welcome, unless the connection has ended
// or the session was taken over or ended while it began. It happens at one moment: who fences the
// tenure looks at the connection either before, and then the tenure is over here, or after;
// and whoever sees the welcome finds the session.
func (c *conn) adopt(s *session, re string, reply wire.Reply) bool {
	if _, left := s.lobby.left(s, s.seq); left {
		return false
	}
	welcome := c.dialect.reply(re, reply)
	c.mu.Lock()
	ok := !c.dead && !c.closing && !c.lost && s.tenure.check() == nil
	if ok {
		c.session = s
		s.entered = c.edge.sessions.add(c, s)
		c.out.push(welcome)
		c.spoke.Store(false)
	}
	c.mu.Unlock()
	if ok {
		c.w.send(c)
	}
	return ok
}

// showRound tells who signs in during a round its numbers, unless the game's channel does.
func (c *conn) showRound(s *session) {
	ctx, cancel := context.WithTimeout(c.edge.ctx, requestFor)
	defer cancel()
	got, err := game21api.Status.Call(s.as(ctx), c.edge.nc, game21api.StatusRequest{}, bus.Patience(time.Second/2))
	if err != nil || !got.Open || got.Seq == 0 || got.Seq > s.seq || c.current() != s {
		return
	}
	var stored *streams.Msg
	err = streams.Range(ctx, c.edge.hub.js, streams.Subject(streams.GameChannel), got.Seq-1, got.Seq, func(m streams.Msg) bool {
		stored = &m
		return false
	})
	if err != nil || stored == nil {
		return // it can still be asked for
	}
	e, err := stored.Decode(streams.GameChannel, 0)
	if err != nil {
		return
	}
	if c.dialect == lines {
		e.At = time.Now() // a line tells the seconds that are left
	}
	c.show(e)
}

// signOut ends the session and keeps the connection.
func (c *conn) signOut(ctx context.Context, _ wire.Command) (wire.Reply, error) {
	s, first := c.endSession()
	if !first {
		return wire.Reply{}, notSignedIn()
	}
	got, err := authapi.SignOut.Call(s.as(ctx), c.edge.nc, authapi.SignOutRequest{})
	switch {
	case err == nil: // it is to see everything up to its own leaving
		seen, cancel := context.WithTimeout(ctx, requestFor)
		s.lobby.wait(seen, got.Seq)
		cancel()
	case fault.CodeOf(err) != fault.NotSignedIn:
		// Whatever became of it, the session is over here: the edge goes on trying.
		c.edge.end(s, time.Time{})
	}
	c.edge.letGo(c, s)
	return wire.Reply{User: s.user}, nil
}

// current is the connection's session, nil when there is none or it is ending.
func (c *conn) current() *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil || c.session.ending {
		return nil
	}
	return c.session
}

func (c *conn) setPending(on bool) {
	c.mu.Lock()
	c.pending = on
	c.mu.Unlock()
}

// endSession begins the end of the session; first is false when there is none, or somebody
// else has begun.
func (c *conn) endSession() (s *session, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil || c.session.ending {
		return c.session, false
	}
	c.session.ending = true
	return c.session, true
}

// letGo takes the session from the connection: it hears no channel any more. What it was to
// see is sent before anything that follows.
func (e *Edge) letGo(c *conn, s *session) {
	e.sessions.remove(c, s)
	c.mu.Lock()
	if s.dropped {
		c.mu.Unlock()
		return
	}
	s.dropped = true
	r := s.room
	s.room = nil
	c.mu.Unlock()
	s.lobby.leave(c, slotLobby)
	s.game.leave(c, slotGame)
	if r != nil {
		r.ch.leave(c, slotRoom)
		e.hub.release(r.ch)
	}
	e.hub.release(s.lobby)
	e.hub.release(s.game)
	c.mu.Lock()
	if c.session == s {
		c.session = nil
	}
	c.mu.Unlock()
}

// leaving takes an event before it is shown: the session whose leaving it is hears neither it
// nor anything behind it.
func (e *Edge) leaving(ch *channel, ev event.Stored) {
	switch ev.Kind {
	case event.Left:
		ch.note(ev)
		e.left(ch, ev)
	case event.RoomLeft:
		ch.note(ev)
		e.roomLeft(ch, ev)
	}
}

// leaves tells whether ev is the session's own leaving, of the hall or of a room.
func (s *session) leaves(ev event.Stored) bool {
	return (ev.Kind == event.Left || ev.Kind == event.RoomLeft) && ev.UserID == s.userID && ev.Epoch == s.epoch
}

// left takes the event that a user left the hall, before it is in the lobby's log: the
// session that it ends hears nothing behind it.
func (e *Edge) left(ch *channel, ev event.Stored) {
	c, s := e.sessions.user(ev.UserID)
	if s == nil || s.epoch != ev.Epoch {
		return
	}
	ch.leave(c, slotLobby)
	if _, first := c.endSession(); first {
		// Not this edge ended it: somebody signed in elsewhere and this edge was not reached,
		// or auth took this edge for dead.
		e.log.Warn("a session was ended elsewhere", "user", s.user, "conn", c.id)
		c.close(wire.SignedInElsewhere)
		e.background(func() { e.letGo(c, s) })
	}
}

// enter lets the session hear a room from its join on. It is called by whoever learns of the
// join first, and does nothing the second time.
func (e *Edge) enter(ctx context.Context, c *conn, s *session, r room) error {
	return e.enterFrom(ctx, c, s, r, r.seq)
}

// enterFrom is enter for a session that has heard the room up to from.
func (e *Edge) enterFrom(ctx context.Context, c *conn, s *session, r room, from uint64) error {
	ch, err := e.hub.open(ctx, "room."+r.id)
	if err != nil {
		return err
	}
	r.ch = ch
	c.mu.Lock()
	old := s.room
	again := c.session != s || s.dropped || r.seq <= s.roomed
	if !again {
		s.room, s.roomed = &r, r.seq
	}
	c.mu.Unlock()
	if again {
		e.hub.release(ch)
		return nil
	}
	if old != nil {
		old.ch.leave(c, slotRoom)
		e.hub.release(old.ch)
	}
	if err := c.hear(ctx, s, ch, slotRoom, "room:"+r.name, from); err != nil {
		// It is in the room and does not hear it: it must not think that nobody speaks.
		c.close(wire.Unavailable)
		return err
	}
	return nil
}

// roomLeft takes the event that a user left a room, before it is in the room's log.
func (e *Edge) roomLeft(ch *channel, ev event.Stored) {
	c, s := e.sessions.user(ev.UserID)
	if s == nil || s.epoch != ev.Epoch {
		return
	}
	c.mu.Lock()
	s.roomed = max(s.roomed, ev.Seq) // a join before it, told late, is over
	r := s.room
	in := r != nil && r.ch == ch && r.seq < ev.Seq
	if in {
		s.room = nil
	}
	c.mu.Unlock()
	if in {
		ch.leave(c, slotRoom)
		e.hub.release(ch)
	}
}

// end ends a session at auth, in the background, for as long as that may take: an edge that
// cannot lets its lease end it. A zero until is now.
func (e *Edge) end(s *session, until time.Time) {
	e.background(func() {
		e.ends <- struct{}{}
		defer func() { <-e.ends }()
		ctx, cancel := context.WithTimeout(e.ctx, endFor)
		defer cancel()
		_, err := authapi.SignOut.Call(s.as(ctx), e.nc, authapi.SignOutRequest{Until: until})
		if err != nil && fault.CodeOf(err) != fault.NotSignedIn && !errors.Is(err, context.Canceled) {
			e.log.Warn("a session could not be ended", "user", s.user, "error", err)
		}
	})
}

// forget undoes a sign-in whose outcome is unknown: it asks until it knows, and ends the
// session that the command claimed.
func (e *Edge) forget(command string, req authapi.SignInRequest) {
	req.Again = true
	e.background(func() {
		e.ends <- struct{}{}
		defer func() { <-e.ends }()
		ctx, cancel := context.WithTimeout(e.ctx, endFor)
		defer cancel()
		got, err := authapi.SignIn.Call(bus.WithCommand(ctx, command), e.nc, req)
		if err != nil {
			return // refused, or auth is gone for long: then there is nothing, or the lease ends it
		}
		as := bus.AsSession(ctx, got.User, got.Session)
		if _, err := authapi.SignOut.Call(as, e.nc, authapi.SignOutRequest{}); err != nil && fault.CodeOf(err) != fault.NotSignedIn {
			e.log.Warn("a half-done sign-in could not be undone", "user", got.User, "error", err)
		}
	})
}

// roomID is the id of the room that a player named, so that its channel can be heard before
// the join.
func roomID(typed string) (string, error) {
	_, key, err := name.Room(typed)
	if err != nil {
		return "", err
	}
	return name.RoomID(key), nil
}

func notSignedIn() error { return fault.New(fault.NotSignedIn, "please sign in first") }
