package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/wire"
)

// session speaks with the hall for one person: it carries out one command after the other,
// connects again by itself and resumes where it was. Its owner gives it commands with do and
// is told, in order and from one goroutine, what happens: a [link], a [welcome], an [over],
// an [answer], an [event.Stored] or a [wire.Private].
type session struct {
	dial func(context.Context) (net.Conn, error)
	tell func(update any)
	back backoff

	mu    sync.Mutex
	queue []request     // guarded by mu
	wake  chan struct{} // one token: the queue has grown

	// The rest is run's.
	user, token string
	room        string // as its creator wrote it
	leftAt      uint64 // what a room says up to here does not make it ours again
	at          positions
	flying      *request // sent, not answered
	held        *answer  // of a join, until the room's name is known
	resuming    string   // the id of the resume that is not answered
	ids         int
	met         bool // a hall has said something
}

// request is a command, and what its owner wants to find with the answer.
type request struct {
	cmd  wire.Command
	tag  any
	sent bool // on this connection
}

// link tells of the connection.
type link struct {
	state linkState
	err   error     // lost, away: why
	alien bool      // lost: no hall ever answered there
	next  time.Time // lost: when it is tried again
}

type linkState int

const (
	connecting linkState = iota
	connected
	lost // it is tried again at next
	away // it is tried again with the next command
)

// welcome tells that there is a session: a new one, or the old one again.
type welcome struct {
	user, room string
	seq        uint64 // of the join, in the lobby; 0 when resumed
	resumed    bool
}

// over tells that the session has ended without being asked to.
type over struct{ why string }

// answer is the reply to a command.
type answer struct {
	cmd   wire.Command
	tag   any
	reply wire.Reply
	lost  bool // reply is not the hall's: the connection was lost before it, and nobody asks again
}

func newSession(dial func(context.Context) (net.Conn, error), tell func(any)) *session {
	return &session{dial: dial, tell: tell, wake: make(chan struct{}, 1)}
}

// do queues a command; its answer comes as an update with the same tag. It never waits.
func (s *session) do(cmd wire.Command, tag any) {
	switch cmd.Type {
	case wire.Say, wire.RoomSay, wire.Whisper, wire.Game21Answer:
		cmd.Key = rand.Text()
	}
	s.mu.Lock()
	s.queue = append(s.queue, request{cmd: cmd, tag: tag})
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run keeps the session until ctx ends.
func (s *session) run(ctx context.Context) {
	for ctx.Err() == nil {
		s.tell(link{state: connecting})
		nc, err := s.dial(ctx)
		var pause time.Duration
		if err == nil {
			pause, err = s.serve(ctx, nc)
		} else {
			pause, err = s.back.next(), fmt.Errorf("cannot connect: %w", err)
		}
		if ctx.Err() != nil {
			return
		}
		if pause < 0 {
			s.tell(link{state: away, err: err})
			s.waitForCommand(ctx)
			continue
		}
		s.tell(link{state: lost, err: err, alien: !s.met, next: time.Now().Add(pause)})
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// waitForCommand waits until somebody wants something.
func (s *session) waitForCommand(ctx context.Context) {
	for {
		s.mu.Lock()
		n := len(s.queue)
		s.mu.Unlock()
		if n > 0 {
			return
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
	}
}

// serve speaks over one connection until it ends. It gives the pause before the next one,
// negative when there is to be none unless somebody wants something, and why it ended.
func (s *session) serve(ctx context.Context, nc net.Conn) (time.Duration, error) {
	c := newConn(nc)
	defer c.close()
	defer s.stranded()
	s.tell(link{state: connected})
	if s.token != "" {
		s.resume(c)
	}
	for {
		if s.resuming == "" {
			s.send(c)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-s.wake:
		case m, ok := <-c.in:
			if !ok {
				if !s.met {
					return s.back.next(), fmt.Errorf("no hall answers here: %w", alien(c))
				}
				return s.back.next(), fmt.Errorf("connection lost: %w", plainly(c.err))
			}
			s.met = true
			pause, err := s.take(m)
			if err != nil {
				return pause, err
			}
		}
	}
}

// alien gives the words for a peer that has not said a word as a hall does.
func alien(c *conn) error {
	switch {
	case c.first == "HTTP":
		return errors.New("this port speaks HTTP, and the hall talks at another one")
	case strings.HasPrefix(c.first, "\x15\x03"): // an alert: what it was sent was no TLS
		return errors.New("this port speaks TLS: put tls:// before the address")
	case c.first != "":
		return fmt.Errorf("this does not speak as a hall: %w", c.err)
	case errors.Is(c.err, io.EOF), errors.Is(c.err, syscall.ECONNRESET), errors.Is(c.err, net.ErrClosed):
		return errors.New("the peer hung up without a word; if the port wants TLS, put tls:// before the address")
	}
	return plainly(c.err)
}

// plainly gives the words for people of what ended a connection.
func plainly(err error) error {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("nothing was heard for %d seconds", silenceMost/time.Second)
	case errors.Is(err, net.ErrClosed):
		return errors.New("the hall takes nothing any more") // our writer gave up
	case errors.Is(err, io.EOF):
		return errors.New("the hall hung up")
	}
	return err
}

// send sends the next command when none is under way. One at a time: after a loss, at most
// one is in doubt.
func (s *session) send(c *conn) {
	for {
		if s.flying == nil {
			s.mu.Lock()
			if len(s.queue) > 0 {
				s.flying = &request{cmd: s.queue[0].cmd, tag: s.queue[0].tag}
				s.queue = s.queue[1:]
			}
			s.mu.Unlock()
		}
		if s.flying == nil || s.flying.sent {
			return
		}
		s.flying.cmd.ID = s.nextID()
		// The edge closes a connection that sends too much in one frame: it need not know.
		if len(wire.CommandObject(s.flying.cmd)) <= wire.MaxLine {
			s.flying.sent = true
			c.send(s.flying.cmd)
			return
		}
		s.fail(fault.TooLong, "line too long (%d bytes at most)", wire.MaxLine)
	}
}

func (s *session) nextID() string {
	s.ids++
	return strconv.Itoa(s.ids)
}

// fail answers the command under way by itself.
func (s *session) fail(code fault.Code, format string, args ...any) {
	f := s.flying
	s.flying = nil
	e, _ := fault.From(fault.New(code, format, args...))
	s.tell(answer{cmd: f.cmd, tag: f.tag, reply: wire.Reply{Type: f.cmd.Type, Err: e}, lost: code == fault.Unavailable})
}

// take acts on a message. An error ends the connection, the pause goes with it.
func (s *session) take(m wire.Message) (time.Duration, error) {
	switch {
	case m.IsReply && m.Re == pingID:
	case m.IsReply && s.resuming != "" && m.Re == s.resuming:
		return s.resumed(m)
	case m.IsReply && s.flying != nil && m.Re == s.flying.cmd.ID:
		reply, err := m.Reply(s.flying.cmd)
		if err != nil {
			return s.back.next(), fmt.Errorf("this does not speak as a hall: %w", err)
		}
		s.answered(reply)
	case m.Event != nil:
		s.hear(*m.Event)
	case m.Private != nil:
		s.tell(*m.Private)
		if m.Private.Kind == wire.KindClosing {
			return s.closing(*m.Private)
		}
	}
	return 0, nil
}

// closing tells what follows when the hall closes the connection.
func (s *session) closing(p wire.Private) (time.Duration, error) {
	err := fmt.Errorf("the hall closed the connection (%s)", p.Reason)
	switch p.Reason {
	case wire.SignedInElsewhere, wire.Idle, wire.Protocol:
		// To come back by itself would throw the other one out again, keep an empty chair
		// warm, or repeat the mistake.
		s.forget("")
		return -1, err
	}
	return max(p.RetryAfter, s.back.next()), err
}

// answered takes the reply to the command under way.
func (s *session) answered(reply wire.Reply) {
	f := s.flying
	s.flying = nil
	a := answer{cmd: f.cmd, tag: f.tag, reply: reply}
	if s.held != nil { // f asked for the name of the room that was joined
		a = *s.held
		s.held = nil
		if reply.Err == nil {
			a.reply.Room, a.reply.Members = reply.Members.Room, reply.Members
		}
		s.enter(a.reply.Room, a.reply.Seq)
		s.tell(a)
		return
	}
	if reply.Err != nil {
		if reply.Err.Code == fault.NotSignedIn && s.user != "" {
			s.forget("your session is over, please sign in again")
		}
		s.tell(a)
		return
	}
	s.back.reset()
	switch f.cmd.Type {
	case wire.SignIn:
		s.user, s.token, s.room, s.leftAt = reply.User, reply.Token, "", 0
		s.at.begin(reply.Seq)
		s.tell(welcome{user: reply.User, seq: reply.Seq})
	case wire.SignOut:
		a.reply.User = s.user
		s.forget("")
	case wire.RoomCreate:
		a.reply.Room = shownRoom(f.cmd.Room)
		s.enter(a.reply.Room, reply.Seq)
	case wire.RoomJoin:
		s.held = &a
		s.flying = &request{cmd: wire.Command{Type: wire.RoomMembers}}
		return
	case wire.RoomQuit:
		a.reply.Room = s.room
		s.leave(reply.Seq)
	}
	s.tell(a)
}

// forget ends the session on this side; why is empty when whoever was in it knows.
func (s *session) forget(why string) {
	s.user, s.token, s.room, s.resuming = "", "", "", ""
	if why != "" {
		s.tell(over{why: why})
	}
}

// enter notes that the user is in a room, and hears what comes after seq.
func (s *session) enter(room string, seq uint64) {
	s.room = room
	s.at.from(roomChannel(room), seq)
}

func (s *session) leave(seq uint64) {
	s.room, s.leftAt = "", max(s.leftAt, seq)
}

// hear takes a stored event: once each.
func (s *session) hear(e event.Stored) {
	if !s.at.fresh(e) {
		return
	}
	switch {
	case e.Kind == event.RoomLeft && e.User == s.user:
		if e.Room == s.room {
			s.leave(e.Seq)
		}
	case e.Room != "" && e.Room != s.room && e.Seq > s.leftAt && s.held == nil:
		s.enter(e.Room, e.Seq) // somebody else asked for it, in the user's name
	}
	s.tell(e)
}
