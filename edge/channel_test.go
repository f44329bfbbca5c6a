package edge

import (
	"testing"
	"time"

	"gamehall/shared/event"
	"gamehall/shared/wire"
)

// benchConn is a connection without a socket: what it is to be sent stays in its outbox.
func benchConn(e *Edge) *conn {
	return &conn{edge: e, w: newWriter(0), done: make(chan struct{})}
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
