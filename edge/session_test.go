package edge

import (
	"strings"
	"sync"
	"testing"
	"time"

	"gamehall/shared/natstest"
	"gamehall/shared/wire"
)

// bareEdge is an edge without ports or NATS.
func bareEdge(t *testing.T) *Edge {
	t.Helper()
	e := &Edge{sessions: newRegistry(), stats: newStats(), tasks: newTasks(), log: natstest.Quiet()}
	e.hub = newHub(t.Context(), e, nil)
	return e
}

// beginsSession gives a connection of e, and a session for it that is not adopted yet.
func beginsSession(e *Edge, t *tenure) (*conn, *session) {
	c := benchConn(e)
	c.id = "c"
	e.sessions.connect(c)
	open := func(name string) *channel {
		ch := newChannel(name, 1)
		ch.refs = 1
		return ch
	}
	return c, &session{id: "s", userID: "u", tenure: t, lobby: open("lobby"), game: open("game21")}
}

// newTerm gives a tenure whose lease was just renewed.
func newTerm() *tenure {
	now := time.Now()
	t := &tenure{lost: make(chan struct{})}
	t.renewed.Store(&now)
	return t
}

// However a sign-in and a fence race: the session is refused, or its connection is closed.
func TestFenceAndSignInRace(t *testing.T) {
	t.Parallel()
	for range 300 {
		e, term := bareEdge(t), newTerm()
		c, s := beginsSession(e, term)
		var both sync.WaitGroup
		adopted := false
		both.Go(func() { adopted = c.adopt(s, "", wire.Reply{Type: wire.SignIn, User: "ann"}) })
		both.Go(func() { e.fence(term, "test") })
		both.Wait()
		<-e.tasks.wait()
		said := unsent(c)
		if adopted && !strings.Contains(said, "cannot serve you") {
			t.Fatal("a session lives on after its tenure")
		}
		if !adopted && strings.Contains(said, "welcome") {
			t.Fatal("a session was welcomed and refused")
		}
	}
}

// A connection that has ended, or whose session was taken over meanwhile, gets no welcome.
func TestAdoptRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spoil func(*conn, *tenure)
	}{
		{"dead", func(c *conn, _ *tenure) { c.dead = true }},
		{"closing", func(c *conn, _ *tenure) { c.close(wire.Idle) }},
		{"taken over", func(c *conn, _ *tenure) { c.lost = true }},
		{"tenure over", func(_ *conn, t *tenure) { t.over.Store(true) }},
		{"not renewed", func(_ *conn, t *tenure) {
			old := time.Now().Add(-fenceAfter)
			t.renewed.Store(&old)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, term := bareEdge(t), newTerm()
			c, s := beginsSession(e, term)
			tt.spoil(c, term)
			if c.adopt(s, "", wire.Reply{Type: wire.SignIn, User: "ann"}) {
				t.Error("it was adopted")
			}
			if got := unsent(c); strings.Contains(got, "welcome") {
				t.Errorf("it was told %q", got)
			}
			if c.current() != nil {
				t.Error("it has the session")
			}
			if _, found := e.sessions.session("s"); found != nil {
				t.Error("the session can be found")
			}
		})
	}
}
