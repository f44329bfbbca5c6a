package edge

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	oteltrace "go.opentelemetry.io/otel/trace"

	"gamehall/shared/accountapi"
	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/fault"
	"gamehall/shared/game21api"
	"gamehall/shared/roomapi"
	"gamehall/shared/wire"
)

// command carries out what a client asks for. ctx carries the command's id and ends when
// the command is given up.
type command struct {
	run func(c *conn, ctx context.Context, cmd wire.Command) (wire.Reply, error)
	// within is how long it is tried: short for what only asks, long for what changes
	// something and is repeated with the same id.
	within time.Duration
}

// commands is all a client may send. Those that change the session have a method; the rest
// go to their service in the name of the session's user.
var commands = map[string]command{
	wire.SignUp:  {(*conn).signUp, publishFor},
	wire.SignIn:  {(*conn).signIn, publishFor},
	wire.Resume:  {(*conn).resume, publishFor},
	wire.SignOut: {(*conn).signOut, publishFor},
	wire.Passwd: forward(authapi.Passwd, publishFor,
		func(c *conn, cmd wire.Command) authapi.PasswdRequest {
			return authapi.PasswdRequest{Old: cmd.Old, New: cmd.New, Trusted: c.trusted}
		},
		func(authapi.PasswdResponse) wire.Reply { return wire.Reply{} }),
	wire.OnlineTime: forward(accountapi.OnlineTime, requestFor,
		func(*conn, wire.Command) accountapi.OnlineTimeRequest { return accountapi.OnlineTimeRequest{} },
		func(r accountapi.OnlineTimeResponse) wire.Reply { return wire.Reply{OnlineTime: r} }),
	wire.Who: forward(accountapi.Who, requestFor,
		func(*conn, wire.Command) accountapi.WhoRequest { return accountapi.WhoRequest{} },
		func(r accountapi.WhoResponse) wire.Reply { return wire.Reply{Who: r} }),
	wire.Say: forward(chatapi.Say, publishFor,
		func(_ *conn, cmd wire.Command) chatapi.SayRequest { return chatapi.SayRequest{Text: cmd.Text} },
		func(r chatapi.SayResponse) wire.Reply { return wire.Reply{Seq: r.Seq} }, bus.Soon()),
	wire.Whisper: forward(chatapi.Whisper, publishFor,
		func(_ *conn, cmd wire.Command) chatapi.WhisperRequest {
			return chatapi.WhisperRequest{To: cmd.To, Text: cmd.Text}
		},
		func(r chatapi.WhisperResponse) wire.Reply { return wire.Reply{Whisper: r} }),
	wire.History: forward(chatapi.History, requestFor,
		func(c *conn, cmd wire.Command) chatapi.HistoryRequest {
			channel := cmd.Channel
			if r := c.room(); channel == "" && r != nil {
				channel = "room:" + r.name
			}
			return chatapi.HistoryRequest{Channel: channel, Limit: cmd.Limit, Before: cmd.Before}
		},
		func(r chatapi.HistoryResponse) wire.Reply { return wire.Reply{History: r.Events} }),
	wire.RoomCreate: member((*conn).createRoom, publishFor),
	wire.RoomJoin:   member((*conn).joinRoom, publishFor),
	wire.RoomQuit:   member((*conn).quitRoom, publishFor),
	wire.RoomSay: forward(roomapi.Say, publishFor,
		func(_ *conn, cmd wire.Command) roomapi.SayRequest { return roomapi.SayRequest{Text: cmd.Text} },
		func(r roomapi.SayResponse) wire.Reply { return wire.Reply{Seq: r.Seq} }),
	wire.RoomList: forward(roomapi.List, requestFor,
		func(*conn, wire.Command) roomapi.ListRequest { return roomapi.ListRequest{} },
		func(r roomapi.ListResponse) wire.Reply { return wire.Reply{Rooms: r.Rooms} }),
	wire.RoomMembers: forward(roomapi.Members, requestFor,
		func(*conn, wire.Command) roomapi.MembersRequest { return roomapi.MembersRequest{} },
		func(r roomapi.MembersResponse) wire.Reply { return wire.Reply{Members: r} }),
	wire.Game21Answer: forward(game21api.Answer, publishFor,
		func(_ *conn, cmd wire.Command) game21api.AnswerRequest {
			return game21api.AnswerRequest{Expression: cmd.Expression}
		},
		func(r game21api.AnswerResponse) wire.Reply { return wire.Reply{Answer: r} }),
	wire.Game21Status: forward(game21api.Status, requestFor,
		func(*conn, wire.Command) game21api.StatusRequest { return game21api.StatusRequest{} },
		func(r game21api.StatusResponse) wire.Reply { return wire.Reply{Status: r} }),
	wire.Game21Scores: forward(game21api.Scores, requestFor,
		func(*conn, wire.Command) game21api.ScoresRequest { return game21api.ScoresRequest{} },
		func(r game21api.ScoresResponse) wire.Reply { return wire.Reply{Scores: r} }),
	wire.Ping: {func(*conn, context.Context, wire.Command) (wire.Reply, error) { return wire.Reply{}, nil }, requestFor},
	wire.Help: {func(*conn, context.Context, wire.Command) (wire.Reply, error) { return wire.Reply{}, nil }, requestFor},
}

// member lets only a connection with a session run a command.
func member(run func(*conn, context.Context, *session, wire.Command) (wire.Reply, error), within time.Duration) command {
	return command{func(c *conn, ctx context.Context, cmd wire.Command) (wire.Reply, error) {
		s := c.current()
		if s == nil {
			return wire.Reply{}, notSignedIn()
		}
		reply, err := run(c, s.as(ctx), s, cmd)
		if fault.CodeOf(err) == fault.NotSignedIn {
			c.edge.disown(c, s)
		}
		return reply, err
	}, within}
}

// forward calls m in the name of the session's user. What only asks is given up after a
// short silence; what changes something is repeated until its time is over.
func forward[Req, Resp any](m bus.Method[Req, Resp], within time.Duration,
	ask func(*conn, wire.Command) Req, answer func(Resp) wire.Reply, opts ...bus.CallOption,
) command {
	if within == requestFor {
		opts = append(opts, bus.Patience(requestFor), bus.Soon())
	}
	return member(func(c *conn, ctx context.Context, _ *session, cmd wire.Command) (wire.Reply, error) {
		resp, err := m.Call(ctx, c.edge.nc, ask(c, cmd), opts...)
		if err != nil {
			return wire.Reply{}, err
		}
		return answer(resp), nil
	}, within)
}

// do carries out a command and answers it, or lines that are said together, and answers each. It
// gives false when the connection is to end.
func (c *conn) do(cmds ...wire.Command) bool {
	cmd := cmds[0]
	if cmd.Type == wire.Quit {
		c.quit()
		return false
	}
	if !c.begin() {
		return false // the connection is closing, or the edge stops
	}
	defer c.finish()
	todo, ok := commands[cmd.Type]
	if !ok {
		c.reply(cmd.ID, wire.Reply{Err: asFault(fault.New(fault.UnknownCommand, "unknown command, these are known:"))})
		return true
	}
	// After a pause of this process its sessions may be somebody else's: look before each
	// command, and again before its answer.
	if s := c.current(); s != nil && s.tenure.check() != nil {
		c.edge.fence(s.tenure, "paused, or cut off from nats")
		return false
	}
	if !c.heartbeat(cmd) {
		c.back()
	}
	within := todo.within
	if c.trusted && (cmd.Type == wire.SignIn || cmd.Type == wire.SignUp || cmd.Type == wire.Passwd) {
		within = hashFor
	}
	ctx, cancel := context.WithTimeout(traced(c.edge.ctx), within)
	defer cancel()
	ctx = bus.WithCommand(ctx, commandID(c.current(), cmd))
	begins := cmd.Type == wire.SignIn || cmd.Type == wire.Resume
	late := time.AfterFunc(noticeAfter, func() {
		// Who is welcome already is only being shown what it missed.
		if within == publishFor && (!begins || c.current() == nil) {
			c.tell(wire.Private{Kind: wire.KindNotice, Text: "the hall is slow, still trying"})
		}
	})
	begun, of := time.Now(), c.current()
	replies := make([]wire.Reply, len(cmds))
	err := c.carryOut(ctx, todo, cmds, replies)
	if err == nil && of != nil && time.Since(begun) > c.edge.cfg.confirmAfter {
		err = c.confirm(ctx, of)
	}
	late.Stop()
	outcome := err
	if outcome == nil && replies[0].Err != nil {
		outcome = replies[0].Err
	}
	c.edge.stored.tried(cmd.Type, outcome, time.Since(begun))
	if begins && err == nil {
		return true // it was welcomed, before anything it may hear
	}
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return false // the edge stops
		}
		f := c.edge.asFault(err, cmd.Type)
		for i := range replies {
			replies[i] = wire.Reply{Err: f}
		}
	}
	if s := c.current(); s != nil && s.tenure.check() != nil {
		c.edge.fence(s.tenure, "paused, or cut off from nats")
		return false
	}
	var told []byte
	for i, cmd := range cmds {
		replies[i].Type = cmd.Type
		told = append(told, c.dialect.reply(cmd.ID, replies[i])...)
	}
	c.push(told)
	return true
}

// carryOut runs todo for the commands, which are one unless they are lines to be said together, and
// fills in their replies.
func (c *conn) carryOut(ctx context.Context, todo command, cmds []wire.Command, replies []wire.Reply) (err error) {
	if t := cmds[0].Type; t == wire.Say || t == wire.RoomSay {
		c.edge.coming.begun.Add(uint64(len(cmds)))
		defer c.edge.wasSaid(len(cmds))
	}
	if len(cmds) > 1 {
		return c.sayAll(ctx, cmds, replies)
	}
	replies[0], err = todo.run(c, ctx, cmds[0])
	return err
}

// begin notes that a command is under way; an edge that stops begins none.
func (c *conn) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = !c.closing && !c.dead && !c.edge.draining.Load()
	return c.busy
}

// finish ends a command; when the edge stops meanwhile, the connection is closed now.
func (c *conn) finish() {
	c.mu.Lock()
	c.busy = false
	c.mu.Unlock()
	if c.edge.draining.Load() {
		c.close(wire.Restart)
	}
}

// quit signs out if need be, says bye and closes.
func (c *conn) quit() {
	reply := wire.Reply{Type: wire.Quit}
	if c.current() != nil {
		ctx, cancel := context.WithTimeout(c.edge.ctx, publishFor)
		defer cancel()
		if out, err := c.signOut(bus.WithCommand(ctx, bus.NewID()), wire.Command{}); err == nil {
			reply.User = out.User
		}
	}
	c.reply("", reply)
	c.close(wire.Bye)
}

// signUp makes an account.
func (c *conn) signUp(ctx context.Context, cmd wire.Command) (wire.Reply, error) {
	undo, err := c.edge.addresses.signUp(c)
	if err != nil {
		return wire.Reply{}, err
	}
	req := authapi.SignUpRequest{Username: cmd.Username, Password: cmd.Password, Trusted: c.trusted}
	got, err := authapi.SignUp.Call(ctx, c.edge.nc, req, bus.Patience(requestFor))
	if err != nil {
		if code := fault.CodeOf(err); code != fault.Unavailable && code != fault.Internal { // else it may have been made
			undo()
		}
		return wire.Reply{}, err
	}
	return wire.Reply{User: got.User}, nil
}

// createRoom makes a room, and hears it from the creation on.
func (c *conn) createRoom(ctx context.Context, s *session, cmd wire.Command) (wire.Reply, error) {
	return c.enterBy(ctx, s, cmd.Room, func() (roomapi.JoinResponse, error) {
		return roomapi.Create.Call(ctx, c.edge.nc, roomapi.CreateRequest{Room: cmd.Room, Max: cmd.Max})
	})
}

// joinRoom joins a room, and hears it from the join on.
func (c *conn) joinRoom(ctx context.Context, s *session, cmd wire.Command) (wire.Reply, error) {
	return c.enterBy(ctx, s, cmd.Room, func() (roomapi.JoinResponse, error) {
		return roomapi.Join.Call(ctx, c.edge.nc, roomapi.JoinRequest{Room: cmd.Room})
	})
}

// enterBy hears the room before it asks to be in it, so that nothing after the join can be
// missed.
func (c *conn) enterBy(ctx context.Context, s *session, typed string, call func() (roomapi.JoinResponse, error)) (wire.Reply, error) {
	id, err := roomID(typed)
	if err != nil {
		return wire.Reply{}, err
	}
	ch, err := c.edge.hub.open(ctx, "room."+id)
	if err != nil {
		return wire.Reply{}, err
	}
	defer c.edge.hub.release(ch)
	got, err := call()
	if fault.CodeOf(err) == fault.Unavailable {
		c.edge.background(func() { c.lookForRoom(ctx, s) })
	}
	if err != nil {
		return wire.Reply{}, err
	}
	if err := c.edge.enter(ctx, c, s, room{name: got.Room, id: got.RoomID, seq: got.Seq}); err != nil {
		return wire.Reply{}, err
	}
	return wire.Reply{Room: got.Room, Seq: got.Seq}, nil
}

// lookForRoom lets the session hear the room that a command put it in whose answer never came. It
// looks at once, and when the time of that command is over, as nobody carries it out after that.
func (c *conn) lookForRoom(command context.Context, s *session) {
	until, _ := command.Deadline()
	over := time.NewTimer(time.Until(until))
	defer over.Stop()
	for last := false; c.current() == s; last = true {
		ctx, cancel := context.WithTimeout(c.edge.ctx, endFor)
		in, err := c.edge.roomOf(ctx, s)
		if err == nil && in.RoomID != "" {
			err = c.edge.enter(ctx, c, s, room{name: in.Room, id: in.RoomID, seq: in.JoinSeq})
		}
		cancel()
		if err != nil && c.current() == s {
			c.edge.log.Warn("whether a session is in a room is not known", "user", s.user, "error", err)
		}
		if last {
			return
		}
		select {
		case <-over.C:
		case <-c.done:
		case <-c.edge.ctx.Done():
		}
	}
}

// quitRoom leaves the room; what the room heard before that is still shown.
func (c *conn) quitRoom(ctx context.Context, _ *session, _ wire.Command) (wire.Reply, error) {
	r := c.room()
	got, err := roomapi.Quit.Call(ctx, c.edge.nc, roomapi.QuitRequest{})
	if err != nil {
		return wire.Reply{}, err
	}
	if r != nil {
		seen, cancel := context.WithTimeout(ctx, requestFor)
		r.ch.wait(seen, got.Seq)
		cancel()
	}
	return wire.Reply{Room: got.Room, Seq: got.Seq}, nil
}

// room is the room that the session hears, nil when there is none.
func (c *conn) room() *room {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return nil
	}
	return c.session.room
}

// back tells auth that an away session is back.
func (c *conn) back() {
	c.mu.Lock()
	away, telling, s := c.away, c.telling, c.session
	c.away = false
	c.mu.Unlock()
	if !away || s == nil {
		return
	}
	<-telling // so that the two arrive in their order
	ctx, cancel := context.WithTimeout(c.edge.ctx, requestFor)
	defer cancel()
	_, err := authapi.Presence.Call(s.as(ctx), c.edge.nc, authapi.PresenceRequest{Away: false}, bus.Patience(requestFor))
	if err != nil {
		c.edge.log.Debug("not told that a session is back", "user", s.user, "error", err)
	}
}

// disown takes a session from its connection that its services know no more.
func (e *Edge) disown(c *conn, s *session) {
	if _, first := c.endSession(); first {
		e.log.Warn("a session is not known any more", "user", s.user, "conn", c.id)
	}
	e.letGo(c, s)
}

// traced begins a trace (W3C Trace Context), so that what services log of a command can be
// found together.
func traced(ctx context.Context) context.Context {
	var t oteltrace.TraceID
	var s oteltrace.SpanID
	_, _ = rand.Read(t[:]) // crypto/rand.Read never fails since Go 1.24
	_, _ = rand.Read(s[:])
	return oteltrace.ContextWithSpanContext(ctx, oteltrace.NewSpanContext(oteltrace.SpanContextConfig{TraceID: t, SpanID: s}))
}

// asFault turns an error into what the client is told; what was not foreseen is logged here.
func (e *Edge) asFault(err error, what string) *fault.Error {
	f, foreseen := fault.From(err)
	if !foreseen {
		e.log.Error("internal", "command", what, "error", err)
	}
	return f
}

// asFault is for errors that are faults.
func asFault(err error) *fault.Error {
	f, _ := fault.From(err)
	return f
}
