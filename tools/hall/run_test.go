package main

import (
	"math/rand/v2"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"

	"gamehall/shared/natstest"
)

var waiting = regexp.MustCompile(`level=WARN msg="waiting for nats: is it running, with JetStream\?"`)

// TestSessionParts: the same binary runs the parts in processes of their own, whichever
// starts first, and a person cannot tell.
func TestSessionParts(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	n := startTestNATS(t, data)
	at := "--nats=" + adminURL(t, data)
	edge := launch(t, "run", "edge", at, "--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0")
	edge.tcp = edge.await(edge.log, openLine)[1]
	services := launch(t, "run", "auth", "account", "chat", "game21", at, "--data", data, "--demo-accounts")
	room := launch(t, "run", "room", at)
	for _, p := range []*process{services, room} {
		p.await(p.log, regexp.MustCompile(`msg="all parts serve"`))
	}
	one, two := edge.signIn("netease1", "123"), edge.signIn("netease2", "123")
	one.hears("system: netease2 joined the hall")
	two.says("hi")
	one.hears("netease2: hi")
	two.says("/CREATEROOM den")
	two.hears("system: you created and joined den")
	// Without hall up nobody plays without a session's id.
	nc := connectTo(t, n.url())
	if code, _ := request(t, nc, "hall.chat.say", `{"text":"forged"}`, "netease1"); code != "not_signed_in" {
		t.Errorf("say without a session's id: %q, want not_signed_in", code)
	}
	edge.stops(syscall.SIGTERM)
	one.closed()
	room.stops(os.Interrupt)
	services.stops(syscall.SIGTERM)
}

// TestRunWaits: a part that starts before NATS waits, says so, and serves once NATS is there.
func TestRunWaits(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	n := startTestNATS(t, data)
	url := adminURL(t, data)
	at, err := net.ResolveTCPAddr("tcp", n.server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n.stop()
	early := launch(t, "run", "chat", "--nats", url)
	never := launch(t, "run", "room", "--nats", url)
	early.await(early.log, waiting)
	never.await(never.log, waiting)
	if strings.Contains(early.log.String(), n.password) {
		t.Errorf("the password is in the log:\n%s", early.log)
	}
	never.stops(os.Interrupt)
	n, err = startNATS(t.Context(), data, listen{at.IP.String(), at.Port}, natstest.Quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.stop)
	early.await(early.log, regexp.MustCompile(`msg="all parts serve"`))
	early.stops(syscall.SIGTERM)
}

// TestStartOrder: the parts start in any order, with NATS absent and nothing stored yet. Each
// waits, says that it is not ready, and the hall opens once NATS is there.
func TestStartOrder(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	n, err := startNATS(t.Context(), data, listen{"127.0.0.1", 0}, natstest.Quiet())
	if err != nil {
		t.Fatal(err)
	}
	h := &copies{t: t, url: adminURL(t, data), data: t.TempDir()}
	at, err := net.ResolveTCPAddr("tcp", n.server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n.stop()
	order := append(slices.Clone(services), edgeName)
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	t.Logf("in the order %v", order)
	parts := map[string]*process{}
	for _, part := range order {
		parts[part] = h.launch(h.url, part)
	}
	for _, p := range parts {
		p.await(p.log, waiting)
	}
	n, err = startNATS(t.Context(), data, listen{at.IP.String(), at.Port}, natstest.Quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.stop)
	for _, p := range parts {
		p.serving()
	}
	one := parts[edgeName].signIn("netease1", "123")
	one.says("hi")
	one.hears("netease1: hi")
}

// TestUpWaits: so does up with an existing NATS, and it says that nothing is there.
func TestUpWaits(t *testing.T) {
	t.Parallel()
	n := startTestNATS(t, t.TempDir())
	url := n.url()
	n.stop()
	p := launch(t, "up", "--nats", url, "--data", t.TempDir(), "--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0")
	p.await(p.log, waiting)
	if said := p.log.String(); strings.Contains(said, "<nil>") || strings.Contains(said, "does not let us in") || !strings.Contains(said, "nats cannot be reached") {
		t.Errorf("it says that nats is not there as:\n%s", said)
	}
	p.stops(os.Interrupt)
}

// TestAnonymous: who has no credentials may play, and not run parts. It is told so, and not
// kept waiting.
func TestAnonymous(t *testing.T) {
	t.Parallel()
	n := startTestNATS(t, t.TempDir())
	for _, args := range [][]string{
		{"run", "chat", "--nats", n.url()},
		{"up", "--nats", n.url(), "--data", t.TempDir(), "--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0"},
	} {
		code, out := runHall(t, args...)
		if code != exitFailed || !strings.Contains(out, "anonymous access") || !strings.Contains(out, "data/nats-admin.txt") {
			t.Errorf("hall %q: exit code %d with %q, want %d, and what to do", args, code, out, exitFailed)
		}
		if strings.Count(out, "\n") != 1 {
			t.Errorf("hall %q says more than one sentence: %s", args, out)
		}
	}
}

// TestRunRefused: wrong credentials are an error at once, and no password is told.
func TestRunRefused(t *testing.T) {
	t.Parallel()
	n := startTestNATS(t, t.TempDir())
	url := strings.Replace(n.url(), "://", "://admin:mistaken@", 1)
	code, out := runHall(t, "run", "chat", "--nats", url)
	if code != exitFailed || !strings.Contains(out, "refuses these credentials") || !strings.Contains(out, "--nats") {
		t.Errorf("exit code %d with %q, want %d, and what to do", code, out, exitFailed)
	}
	if strings.Contains(out, "mistaken") {
		t.Errorf("the password is told: %s", out)
	}
	if _, err := nats.Connect(url); err == nil {
		t.Error("the credentials are right")
	}
}
