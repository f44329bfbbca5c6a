package client

import (
	"fmt"
	"time"

	"gamehall/shared/fault"
	"gamehall/shared/wire"
)

// resume asks for the session again, with what has been missed. The token stays until there
// is a new one: it works once more when this connection dies without an answer.
func (s *session) resume(c *conn) {
	s.resuming = s.nextID()
	c.send(wire.Command{Type: wire.Resume, ID: s.resuming, Token: s.token, Since: s.at.since(s.room)})
}

// resumed takes the reply to resume.
func (s *session) resumed(m wire.Message) (time.Duration, error) {
	reply, err := m.Reply(wire.Command{Type: wire.Resume})
	if err != nil {
		return s.back.next(), fmt.Errorf("this does not speak as a hall: %w", err)
	}
	s.resuming = ""
	if reply.Err != nil {
		if reply.Err.Code.Retry() {
			return s.back.next(), reply.Err
		}
		s.refused(reply.Err)
		return 0, nil
	}
	s.back.reset()
	s.user, s.token = reply.User, reply.Token
	s.settle(reply.Room)
	if s.room != reply.Room {
		if s.room != "" {
			s.leave(s.leftAt)
		}
		s.room = reply.Room
	}
	s.tell(welcome{user: s.user, room: s.room, resumed: true})
	return 0, nil
}

// refused ends the session that could not be resumed, and all that waited for it.
func (s *session) refused(why *fault.Error) {
	s.forget("your session is over (" + why.Message + "), please sign in again")
	s.mu.Lock()
	unsent := s.queue
	s.queue = nil
	s.mu.Unlock()
	if s.flying != nil {
		unsent = append([]request{*s.flying}, unsent...)
	}
	for _, r := range unsent {
		s.flying = &r
		s.fail(fault.NotSignedIn, "not sent, your session is over: %s", what(r.cmd))
	}
}

// what names a command for people, without its secrets.
func what(c wire.Command) string {
	switch {
	case c.Text != "":
		return c.Text
	case c.Expression != "":
		return c.Expression
	default:
		return c.Type
	}
}

// stranded decides what becomes of the command that was under way when the connection ended:
// one with a key and one that only asks is sent again after the resume; what a resume tells
// the outcome of waits for it; of anything else, nobody knows whether it was done.
func (s *session) stranded() {
	s.resuming = ""
	if s.held != nil {
		a := *s.held
		s.held, s.flying = nil, nil
		s.enter(a.reply.Room, a.reply.Seq)
		s.tell(a)
	}
	if s.token == "" && s.user != "" {
		defer s.forget("the connection is lost, and your session with it: please sign in again")
	}
	f := s.flying
	if f == nil || !f.sent {
		return
	}
	f.sent = false
	if f.cmd.Type == wire.SignOut {
		// The hall signs out whoever does not come back, so this has worked.
		s.flying = nil
		reply := wire.Reply{Type: wire.SignOut, User: s.user}
		s.forget("")
		s.tell(answer{cmd: f.cmd, tag: f.tag, reply: reply})
		return
	}
	switch f.cmd.Type {
	case wire.SignUp, wire.SignIn, wire.Passwd:
	default:
		if s.token != "" {
			return
		}
	}
	s.fail(fault.Unavailable, "the connection was lost before the answer came, please try again")
}

// settle answers a command that moved the user between rooms, when the resumed session shows
// that it was carried out. Otherwise it is sent again: to repeat it does no harm.
func (s *session) settle(room string) {
	f := s.flying
	if f == nil {
		return
	}
	reply := wire.Reply{Type: f.cmd.Type, Room: room}
	switch f.cmd.Type {
	case wire.RoomCreate, wire.RoomJoin:
		if room == "" || !sameRoom(f.cmd.Room, room) {
			return
		}
	case wire.RoomQuit:
		if room != "" || s.room == "" {
			return
		}
		reply.Room = s.room
	default:
		return
	}
	s.flying = nil
	s.tell(answer{cmd: f.cmd, tag: f.tag, reply: reply})
}
