//go:build unix

package edge_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gamehall/edge"
	"gamehall/shared/natstest"
)

// onProcesses starts an edge with neighbours on a cluster whose nodes can be killed.
func onProcesses(t *testing.T, change func(*edge.Config)) (*hall, *natstest.Processes) {
	t.Helper()
	p := natstest.RunProcesses(t, 3)
	h := &hall{neighbours: &neighbours{}}
	h.start(t, p)
	h.edge = h.another(t, func(cfg *edge.Config) {
		cfg.NATS, cfg.Replicas = p.Dialer(), 3
		if change != nil {
			change(cfg)
		}
	})
	return h, p
}

// The node that leads everything is killed, and later another one is frozen: no connection is
// closed, the edge keeps its lease, and every line that was said comes once and in order.
// Whoever waits is told so.
func TestNATSLeaderIsLost(t *testing.T) {
	t.Parallel()
	h, p := onProcesses(t, nil)
	ann, bob := h.signIn(t, "ann"), h.signIn(t, "bob")
	ann.want("system: bob joined the hall")
	said := 0
	say := func(n int) {
		for range n {
			ann.send(fmt.Sprint("line ", said))
			for _, c := range []*client{ann, bob} {
				got := c.line()
				for got == slow && c == ann {
					got = c.line()
				}
				if want := fmt.Sprint("ann: line ", said); got != want {
					t.Fatalf("got %q, want %q", got, want)
				}
			}
			said++
		}
	}
	p.Lead(t, 1)
	say(5)
	p.Kill(1)
	begun := time.Now()
	ann.send(fmt.Sprint("line ", said))
	if got := ann.line(); got != slow { // an election takes four seconds at least
		t.Errorf("got %q, want to be told that it takes longer", got)
	}
	if after := time.Since(begun); after < 1900*time.Millisecond {
		t.Errorf("told after %v", after)
	}
	for _, c := range []*client{ann, bob} {
		c.want(fmt.Sprint("ann: line ", said))
	}
	t.Logf("killed: a line took %v", time.Since(begun).Round(time.Millisecond))
	said++
	say(5)
	p.Start(t, 1)
	p.Lead(t, 2)
	p.Freeze(t, 2)
	begun = time.Now()
	say(1)
	t.Logf("frozen: a line took %v", time.Since(begun).Round(time.Millisecond))
	p.Thaw(t, 2)
	say(5)
	for _, c := range []*client{ann, bob} {
		c.quiet()
	}
	if got := h.metric(t, "hall_edge_fenced_total"); got != 0 {
		t.Errorf("the edge let go of its sessions %d times", got)
	}
}

// With two nodes of three lost nothing is stored: what is said is refused within 15 s, nobody
// gets in, and all is well some time after they are back.
func TestNATSWithoutQuorum(t *testing.T) {
	t.Parallel()
	// One that is trusted waits for its password to be hashed, which takes longer.
	h, p := onProcesses(t, func(cfg *edge.Config) { cfg.TrustedNets = nil })
	ann, cid := h.signIn(t, "ann"), h.connect(t)
	p.Kill(0, 2)
	begun := time.Now()
	ann.send("lost")
	cid.send("/SIGNIN cid 123")
	for _, c := range []*client{ann, cid} {
		got := c.line()
		for got == slow {
			got = c.line()
		}
		// The lease was renewed up to 5 s before, so it may be over by now, and the edge closed.
		if !strings.Contains(got, "try again") && !strings.Contains(got, "connect again") {
			t.Errorf("got %q, want to be asked to try again", got)
		}
		if after := time.Since(begun); after > 17*time.Second {
			t.Errorf("refused after %v, want at most 15 s", after)
		}
	}
	if got := h.get(t, "/readyz"); got != http.StatusServiceUnavailable {
		t.Errorf("/readyz is %d while nothing can be stored", got)
	}
	p.Start(t, 0, 2)
	// By now the edge may have been without its lease for too long, and have let go of all:
	// then they come back. Nobody has to do anything else.
	natstest.Eventually(t, "players get in again", func() bool { return comesIn(t, h.edge, "dee") })
}

// comesIn tells whether user is let in.
func comesIn(t *testing.T, e *edge.Edge, user string) bool {
	t.Helper()
	nc, err := new(net.Dialer).DialContext(natstest.Context(t), "tcp", e.TCPAddr().String())
	if err != nil {
		return false
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(natstest.Wait)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(nc, "/SIGNIN %s 123\n", user); err != nil {
		return false
	}
	for in := bufio.NewScanner(nc); in.Scan(); {
		switch {
		case strings.Contains(in.Text(), "welcome"):
			return true
		case !strings.Contains(in.Text(), slow):
			return false
		}
	}
	return false
}
