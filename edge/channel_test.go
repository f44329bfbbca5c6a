package edge

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gamehall/shared/event"
	"gamehall/shared/wire"
)

// benchConn is a connection without a socket: what it is to be sent stays in its outbox.
func benchConn(e *Edge) *conn {
	return &conn{edge: e, w: newWriter(0, new(coming)), done: make(chan struct{})}
}

// signedIn gives a connection with a session.
func signedIn(e *Edge) (*conn, *session) {
	c, s := benchConn(e), &session{}
	c.session = s
	return c, s
}

// unsent gives what a connection would be sent.
func unsent(c *conn) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []byte
	for {
		size := 0
		for _, p := range c.out.batch(nil) {
			all = append(all, p...)
			size += len(p)
		}
		if size == 0 {
			return string(all)
		}
		c.out.sent(size)
	}
}

// members applies what a writer was told and gives who hears ch.
func members(w *writer, ch *channel) []*conn {
	for _, o := range w.ops {
		w.apply(o)
	}
	w.ops = nil
	return w.members[ch]
}

// said is an event of a channel at sequence seq.
func said(seq uint64, text string) event.Stored {
	return event.Stored{Seq: seq, At: time.Unix(0, 0), Event: event.Event{Kind: event.Chat, From: "ann", Text: text}}
}

// onlyLines is what an edge speaks whose clients are people.
var onlyLines = [dialects]bool{lines: true}

// A connection that was closed before it left its channels is in no writer's list any more:
// it would stay there as long as the channel is heard.
func TestClosedConnectionLeavesTheWriter(t *testing.T) {
	t.Parallel()
	e := &Edge{stats: newStats()}
	ch := newChannel("lobby", 1)
	c, s := signedIn(e)
	ch.join(c, s, slotLobby, 0)
	if got := members(c.w, ch); len(got) != 1 {
		t.Fatalf("%d connections hear the channel after a join, want 1", len(got))
	}
	c.close(wire.Idle)
	ch.leave(c, slotLobby)
	if got := members(c.w, ch); len(got) != 0 {
		t.Errorf("%d connections hear the channel after the leaving, want none", len(got))
	}
	if _, ok := c.w.members[ch]; ok {
		t.Error("the writer keeps a channel that nobody hears")
	}
}

// texts gives what the lines in out say.
func texts(out string) (all []string) {
	for line := range strings.Lines(out) {
		_, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		all = append(all, text)
	}
	return all
}

// A session that joined at J and left when the channel was at L hears the events in (J, L],
// wherever the log was at the join, and whatever else is told.
func TestSlices(t *testing.T) {
	t.Parallel()
	e := &Edge{stats: newStats()}
	rapid.Check(t, func(t *rapid.T) {
		type member struct {
			c     *conn
			s     *session
			after uint64
			want  []string
			got   string // what was sent to it so far
			in    bool
		}
		ch := newChannel("lobby", 1)
		last := uint64(rapid.IntRange(0, 5).Draw(t, "first"))
		first := last
		ch.begin(last)
		var told []uint64
		var members []*member
		one := func(t *rapid.T) *member {
			if len(members) == 0 {
				t.Skip("nobody is in")
			}
			return rapid.SampledFrom(members).Draw(t, "member")
		}
		t.Repeat(map[string]func(*rapid.T){
			"tell": func(t *rapid.T) {
				last += uint64(rapid.IntRange(1, 3).Draw(t, "step"))
				told = append(told, last)
				ch.add(said(last, fmt.Sprint(last)), onlyLines)
				for _, m := range members {
					if m.in && last > m.after {
						m.want = append(m.want, fmt.Sprint(last))
					}
				}
			},
			"skip": func(t *rapid.T) {
				last += uint64(rapid.IntRange(1, 3).Draw(t, "step"))
				ch.skip(last)
			},
			"join": func(t *rapid.T) {
				after := uint64(rapid.IntRange(0, int(last)+5).Draw(t, "after"))
				c, s := signedIn(e)
				kept := ch.join(c, s, slotLobby, after)
				if kept != (after >= first) {
					t.Fatalf("joining at %d gives %v; the log begins behind %d", after, kept, first)
				}
				if !kept {
					return
				}
				m := &member{c: c, s: s, after: after, in: true}
				for _, seq := range told {
					if seq > after {
						m.want = append(m.want, fmt.Sprint(seq))
					}
				}
				members = append(members, m)
			},
			"leave": func(t *rapid.T) {
				m := one(t)
				ch.leave(m.c, slotLobby)
				m.in = false
			},
			"send a little": func(t *rapid.T) {
				m := one(t)
				var batch []byte
				for _, p := range m.c.out.batch(nil) {
					batch = append(batch, p...)
				}
				n := rapid.IntRange(0, len(batch)).Draw(t, "sent")
				m.got += string(batch[:n])
				m.c.out.sent(n)
			},
		})
		for _, m := range members {
			if got := texts(m.got + unsent(m.c)); fmt.Sprint(got) != fmt.Sprint(m.want) {
				t.Fatalf("joined at %d: heard %v, want %v", m.after, got, m.want)
			}
		}
	})
}

// The log remembers the places of its last events; who joined before them looks elsewhere.
func TestJoinBehindTheMemory(t *testing.T) {
	t.Parallel()
	e := &Edge{stats: newStats()}
	ch := newChannel("lobby", 1)
	const told = recentMost + 10
	for seq := range uint64(told) {
		ch.add(said(seq+1, fmt.Sprint(seq+1)), onlyLines)
	}
	for _, after := range []uint64{0, 9, 10, 11, told - 1, told} {
		c, s := signedIn(e)
		if kept := ch.join(c, s, slotLobby, after); kept != (after >= 10) {
			t.Errorf("joining at %d gives %v", after, kept)
		} else if got := texts(unsent(c)); kept && len(got) != int(told-after) {
			t.Errorf("joined at %d: heard %d events, want %d", after, len(got), told-after)
		}
	}
}

// What is lost is told to who hears the channel, and looked for by who joined before it.
func TestLose(t *testing.T) {
	t.Parallel()
	e := &Edge{stats: newStats()}
	ch := newChannel("lobby", 1)
	ch.add(said(1, "one"), onlyLines)
	c, s := signedIn(e)
	ch.join(c, s, slotLobby, 0)
	waits, sw := signedIn(e)
	ch.join(waits, sw, slotLobby, 5)
	ch.lose(1, 4)
	ch.add(said(5, "five"), onlyLines)
	ch.add(said(6, "six"), onlyLines)
	if got := texts(unsent(c)); fmt.Sprint(got) != "[one up to 3 lines before this are no longer kept five six]" {
		t.Errorf("heard %q", got)
	}
	if got := texts(unsent(waits)); fmt.Sprint(got) != "[six]" {
		t.Errorf("who joined later heard %q", got)
	}
	late, sl := signedIn(e)
	if ch.join(late, sl, slotLobby, 2) {
		t.Error("a join before what was lost is found in the log")
	}
}

// Who leaves a room hears no more of it, also when its join is still looked for.
func TestLeaveBeforeAttached(t *testing.T) {
	t.Parallel()
	e := &Edge{stats: newStats()}
	ch := newChannel("room.x", 1)
	c, s := signedIn(e)
	s.room = &room{ch: ch}
	ch.join(c, s, slotRoom, 3) // not reached yet
	s.room = nil
	ch.leave(c, slotRoom)
	for seq := range uint64(5) {
		ch.add(said(seq+1, "x"), onlyLines)
	}
	if got := unsent(c); got != "" {
		t.Errorf("heard %q", got)
	}
	if got := members(c.w, ch); len(got) != 0 {
		t.Error("the writer has it on its list")
	}
}

// Who waits for a place in the log is told when it is reached, and not before.
func TestWaitForALine(t *testing.T) {
	t.Parallel()
	ch := newChannel("lobby", 1)
	reached := make(chan bool)
	go func() {
		ch.wait(t.Context(), 2)
		close(reached)
	}()
	ch.add(said(1, "one"), onlyLines)
	select {
	case <-reached:
		t.Fatal("reached at once")
	default:
	}
	ch.add(said(3, "three"), onlyLines)
	<-reached
	ch.wait(t.Context(), 3) // long past
}
