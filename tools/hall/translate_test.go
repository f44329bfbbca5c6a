package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gamehall/shared/fault"
	"gamehall/shared/name"
	"gamehall/shared/wire"
)

// translator is a person's client over objects: it sends what is typed as an object, and shows
// what it is told in the words of lines.
type translator struct {
	t     testing.TB
	p     *program
	user  string
	room  string
	ids   int
	asked map[string]wire.Command // commands without a reply yet, by id
	shown []string                // lines not read yet
	told  [][]byte                // objects not looked at yet
	ended bool
}

func (c *translator) over() bool { return c.ended }

func (c *translator) send(line string) {
	c.t.Helper()
	cmd, err := wire.ParseLine([]byte(line))
	switch {
	case fault.CodeOf(err) == fault.UnknownCommand:
		// As an object it is another type that nobody knows.
		cmd = wire.Command{Type: "dance"}
		c.ask(cmd, []byte(`{"id":"`+c.next()+`","type":"dance"}`))
		return
	case err != nil:
		c.t.Fatalf("%q is no command: %v", line, err)
	case cmd.Type == wire.Quit: // a program signs out and closes
		c.ask(wire.Command{Type: wire.SignOut}, wire.CommandObject(wire.Command{Type: wire.SignOut, ID: c.next()}))
		return
	}
	cmd.ID = c.next()
	c.ask(cmd, wire.CommandObject(cmd))
}

func (c *translator) next() string {
	c.ids++
	return fmt.Sprint(c.ids)
}

func (c *translator) ask(cmd wire.Command, object []byte) {
	c.t.Helper()
	if object == nil {
		c.t.Fatalf("%s is no object", cmd.Type)
	}
	if c.asked == nil {
		c.asked = map[string]wire.Command{}
	}
	c.asked[fmt.Sprint(c.ids)] = cmd
	c.p.send(object) // where it fails, the end is read
}

func (c *translator) line() string {
	c.t.Helper()
	for len(c.shown) == 0 {
		if len(c.told) == 0 {
			object, ok := c.p.next()
			if !ok {
				c.ended = true // by the hall: nobody is left to say goodbye to
				return ""
			}
			c.told = append(c.told, object)
		}
		object := c.told[0]
		c.told = c.told[1:]
		for line := range strings.Lines(string(c.text(object))) { // as the hall would send them
			c.shown = append(c.shown, strings.TrimSuffix(line, "\n")[len(wire.TimeLayout)+1:])
		}
	}
	line := c.shown[0]
	c.shown = c.shown[1:]
	return line
}

// text is an object in the words of lines; nothing for what a terminal is not told.
func (c *translator) text(object []byte) []byte {
	c.t.Helper()
	m, err := wire.ParseMessage(object)
	switch {
	case err != nil:
		c.t.Fatalf("%s: %v", object, err)
	case m.Event != nil:
		return wire.AppendEvent(nil, *m.Event, time.Local)
	case m.Private != nil:
		return wire.AppendPrivate(nil, *m.Private, time.Now())
	}
	cmd, known := c.asked[m.Re]
	if !known {
		c.t.Fatalf("a reply to nothing: %s", object)
	}
	delete(c.asked, m.Re)
	r, err := m.Reply(cmd)
	if err != nil {
		c.t.Fatal(err)
	}
	return wire.AppendReply(nil, c.known(cmd, r), time.Now())
}

// known adds to a reply what its client knows by itself.
func (c *translator) known(cmd wire.Command, r wire.Reply) wire.Reply {
	c.t.Helper()
	if r.Err != nil {
		if cmd.Type == "dance" && r.Err.Code == fault.UnknownCommand {
			_, err := wire.ParseLine([]byte("/DANCE"))
			r.Err, _ = fault.From(err) // the same refusal, in the words for people
		}
		return r
	}
	switch cmd.Type {
	case wire.SignIn:
		c.user = r.User
	case wire.SignOut:
		r.User = c.user
	case wire.Whisper:
		if to, err := name.User(r.Whisper.To); err == nil {
			r.Whisper.To = to
		}
	case wire.RoomCreate:
		c.room = r.Room
	case wire.RoomJoin:
		// The room's name as its creator wrote it comes with its first event, or here.
		c.room = c.members()
		r.Room = c.room
	case wire.RoomQuit:
		r.Room = c.room
	}
	return r
}

// members asks for the room's name. What is told meanwhile is looked at later.
func (c *translator) members() string {
	c.t.Helper()
	id := c.next()
	c.p.send(wire.CommandObject(wire.Command{Type: wire.RoomMembers, ID: id}))
	for {
		object, ok := c.p.next()
		if !ok {
			c.t.Fatal("the connection has ended")
		}
		m, err := wire.ParseMessage(object)
		if err != nil {
			c.t.Fatal(err)
		}
		if !m.IsReply || m.Re != id {
			c.told = append(c.told, object)
			continue
		}
		r, err := m.Reply(wire.Command{Type: wire.RoomMembers})
		if err != nil || r.Err != nil {
			c.t.Fatalf("%s: %v", object, err)
		}
		return r.Members.Room
	}
}

// close leaves. A program that only vanished would have 30 s to come back.
func (c *translator) close() {
	if c.ended {
		return
	}
	c.ended = true
	c.p.send(wire.CommandObject(wire.Command{Type: wire.SignOut}))
	c.p.lose()
}
