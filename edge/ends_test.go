package edge_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"gamehall/shared/natstest"
)

// soon is how long a session may outlive its connection.
const soon = time.Second

// However a client goes, its session is ended at once and the hall is told once.
func TestClientGoes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		goes func(*client)
	}{
		{"FIN", func(c *client) { _ = c.nc.Close() }},
		{"RST", (*client).reset},
		{"half-close", func(c *client) { _ = c.nc.CloseWrite() }},
		{"in the middle of a line", func(c *client) {
			c.write("/SIGN")
			_ = c.nc.Close()
		}},
		{"in the middle of a line, by RST", func(c *client) {
			c.write("/SIGN")
			c.reset()
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := start(t, nil)
			ann, bob := h.signIn(t, "ann"), h.signIn(t, "bob")
			ann.want("system: bob joined the hall")
			begun := time.Now()
			tt.goes(bob)
			h.ended(t, "bob")
			if late := time.Since(begun); late > soon {
				t.Errorf("the session was ended after %v, want within %v", late, soon)
			}
			ann.want("system: bob left the hall")
			ann.quiet()
			natstest.Eventually(t, "the connection is forgotten", func() bool {
				return h.metric(t, "hall_edge_connections") == 1
			})
			if late := time.Since(begun); late > 2*soon {
				t.Errorf("the connection was kept for %v", late)
			}
		})
	}
}

// A client that only stops sending, as nc does at the end of its input, gets everything that
// was on its way: the answers to its commands, and its own lines.
func TestHalfCloseFlushes(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	c := h.connect(t)
	c.send("/PING", "/SIGNIN ann 123", "one", "two", "/PING")
	if err := c.nc.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	all, err := io.ReadAll(c.in)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(all)) {
		got = append(got, strings.TrimSpace(line[len(stamp):]))
	}
	want := map[string]int{"system: pong": 2, "system: welcome, ann": 1, "ann: one": 1, "ann: two": 1}
	for _, line := range got {
		want[line]--
	}
	for line, n := range want {
		if n != 0 {
			t.Errorf("%q came %d times too few, in %q", line, n, got)
		}
	}
	if late := time.Since(begun); late > 2*soon {
		t.Errorf("the end came after %v", late)
	}
	h.ended(t, "ann")
}

// What a client sends behind its /QUIT does not destroy the last words.
func TestQuitWithMoreBehind(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	ann.send("/QUIT", "not said", strings.Repeat("x", 20_000))
	ann.want("system: bye, ann")
	ann.wantCleanEnd()
	h.ended(t, "ann")
}

// A line client that quits without a session is told bye.
func TestQuitBeforeSignIn(t *testing.T) {
	t.Parallel()
	c := start(t, nil).connect(t)
	c.send("/quit")
	c.want("system: bye")
	c.wantCleanEnd()
}

// A connection that is closed by the edge tells why, before its end.
func TestNonsenseIsClosed(t *testing.T) {
	t.Parallel()
	c := start(t, nil).connect(t)
	for range 10 {
		c.send("")
	}
	for range 10 {
		c.want("system: the line is empty: say something, or type /HELP")
	}
	c.want("system: closed, this is not what the hall speaks")
	c.wantCleanEnd()
}
