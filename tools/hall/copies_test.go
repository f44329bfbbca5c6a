package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// copies is a hall of processes: NATS in the test, everything else in processes of its own,
// which may be killed and stopped.
type copies struct {
	t    *testing.T
	nats *natsd
	url  string
	data string
	js   jetstream.JetStream
}

var allServe = regexp.MustCompile(`msg="all parts serve"`)

// edgeID finds the ids that an edge has had.
var edgeID = regexp.MustCompile(`msg="edge has its lease" service=edge edge=(\w+)`)

// openCopies starts NATS.
func openCopies(t *testing.T) *copies {
	t.Helper()
	h := &copies{t: t, data: t.TempDir()}
	h.nats = startTestNATS(t, h.data)
	h.url = adminURL(t, h.data)
	js, err := jetstream.New(connectTo(t, h.url))
	if err != nil {
		t.Fatal(err)
	}
	h.js = js
	return h
}

// launch starts a process of those parts at the NATS of that URL; it is waited for by serving.
func (h *copies) launch(url string, parts ...string) *process {
	h.t.Helper()
	args := append(append([]string{"run"}, parts...), "--nats", url)
	if slices.ContainsFunc(parts, func(p string) bool { return p == "auth" || p == "account" || p == "game21" }) {
		args = append(args, "--data", h.data)
	}
	for _, p := range parts {
		switch p {
		case "auth":
			args = append(args, "--demo-accounts", "--password-hash", "m=64,t=1,p=1")
		case "game21":
			args = append(args, "--game21-first", "1h")
		case "edge":
			args = append(args, "--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--trusted-net", "127.0.0.0/8", "--rate", "0")
		}
	}
	return launch(h.t, args...)
}

// services starts a process with a copy of each service.
func (h *copies) services() *process {
	h.t.Helper()
	return h.launch(h.url, services...)
}

// serving waits until all parts of a process serve.
func (p *process) serving() *process {
	p.t.Helper()
	p.await(p.log, allServe)
	if caught := openLine.FindStringSubmatch(p.log.String()); caught != nil {
		p.tcp = caught[1]
	}
	return p
}

// sayer is somebody who says one line after the other, from a goroutine of its own, and notes
// how long each waited for its acknowledgement.
type sayer struct {
	p       *program
	said    int
	longest time.Duration
}

// say says the next line and returns when it is acknowledged.
func (v *sayer) say() error {
	begun := time.Now()
	if !v.p.send(fmt.Appendf(nil, `{"id":"s%d","type":"say","text":"%d"}`, v.said, v.said)) {
		return fmt.Errorf("line %d cannot be sent", v.said)
	}
	for {
		object, err := v.p.read()
		if err != nil {
			return fmt.Errorf("line %d: %w", v.said, err)
		}
		var s said
		if err := json.Unmarshal(object, &s); err != nil {
			return err
		}
		switch {
		case s.Type != "reply":
		case !s.OK:
			return fmt.Errorf("line %d: %s", v.said, object)
		default:
			v.longest = max(v.longest, time.Since(begun))
			v.said++
			return nil
		}
	}
}

// meanwhile has lines said while do is done and for some more after it. It tells how long the
// slowest waited, which should be at most so long.
func (v *sayer) meanwhile(t *testing.T, what string, most time.Duration, do func()) {
	t.Helper()
	v.longest = 0
	if err := v.p.nc.SetReadDeadline(time.Now().Add(2 * natstest.Wait)); err != nil {
		t.Fatal(err)
	}
	done, over := make(chan bool), make(chan error, 1)
	go func() {
		for {
			select {
			case <-done:
				var err error
				for range 50 {
					err = errors.Join(err, v.say())
				}
				over <- err
				return
			default:
			}
			if err := v.say(); err != nil {
				over <- err
				return
			}
		}
	}()
	func() {
		defer close(done)
		do()
	}()
	if err := <-over; err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	t.Logf("%s: the slowest line took %v", what, v.longest)
	if v.longest > most {
		t.Errorf("%s: the slowest line took %v, want %v at most", what, v.longest, most)
	}
}

// lobby gives the texts that the stream has of the lobby.
func (h *copies) lobby() (texts []string) {
	h.t.Helper()
	err := streams.Range(natstest.Context(h.t), h.js, streams.Subject(streams.LobbyChannel), 0, 1<<60, func(m streams.Msg) bool {
		e, err := m.Decode(streams.LobbyChannel, 0)
		if err != nil {
			h.t.Error(err)
		}
		if e.Text != "" {
			texts = append(texts, e.Text)
		}
		return true
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return texts
}

// signal sends sig.
func (p *process) signal(sig os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// TestCopyGone: one of two copies of every service is killed, stopped in order, frozen and
// woken. Whoever talks meanwhile is answered by the other, soon, and nothing is lost or said
// twice; who is in a room stays there, and others can sign in.
func TestCopyGone(t *testing.T) {
	t.Parallel()
	h := openCopies(t)
	edge, one := h.launch(h.url, "edge").serving(), h.services().serving()
	single := h.nats.server.NumClients()
	two := h.services().serving()
	all := h.nats.server.NumClients()
	clients := func(want int) {
		t.Helper()
		natstest.Eventually(t, fmt.Sprintf("%d connections to nats", want), func() bool { return h.nats.server.NumClients() == want })
	}
	member := travel(t, dialFrames(t, edge.tcp), "netease2")
	member.enterRoom("den")
	v := &sayer{p: travel(t, dialFrames(t, edge.tcp), "netease1").program}
	const most = 3 * time.Second // what is promised is one, on a machine that does nothing else
	v.meanwhile(t, "killed", most, func() {
		one.kill()
		begun := time.Now()
		edge.signIn("netease3", "123")
		if took := time.Since(begun); took > most {
			t.Errorf("signing in took %v", took)
		}
		if got, _ := member.ask(`{"id":"m","type":"room.members"}`); !got.OK || got.Data.Room != "den" {
			t.Errorf("the members of its room: %+v", got)
		}
	})
	one = h.services().serving()
	v.meanwhile(t, "stopped", most, func() { two.stops(syscall.SIGTERM) })
	two = h.services().serving()
	clients(all)
	// Until nats has noticed, a frozen copy gets half of the commands, and has half of those that
	// are sent again.
	v.meanwhile(t, "frozen", 12*time.Second, func() {
		two.signal(syscall.SIGSTOP)
		clients(single)
	})
	v.meanwhile(t, "gone", most, func() {
		if got, _ := member.ask(`{"id":"s","type":"room.say","text":"hi"}`); !got.OK {
			t.Errorf("said in the room: %+v", got)
		}
	})
	v.meanwhile(t, "woken", most, func() {
		two.signal(syscall.SIGCONT)
		clients(all)
	})
	for i, text := range h.lobby() {
		if text != fmt.Sprint(i) {
			t.Fatalf("line %d of %d that were acknowledged is %q", i, v.said, text)
		}
	}
	if n := len(h.lobby()); n != v.said {
		t.Errorf("%d lines are stored, and %d were acknowledged", n, v.said)
	}
}

// TestRollingRestart: every process is replaced, one after the other, while people talk: new ones
// come first, old ones are told to stop. Nothing is lost or said twice, nobody waits long, and
// each client has to come back once for its edge.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	h := openCopies(t)
	parts := append(slices.Clone(services), edgeName)
	running := map[string]*process{}
	for _, part := range parts {
		running[part] = h.launch(h.url, part).serving()
	}
	client := travel(t, dialFrames(t, running[edgeName].tcp), "netease1")
	v := &sayer{p: client.program}
	v.meanwhile(t, "replacing the services", 3*time.Second, func() {
		for _, part := range services {
			next := h.launch(h.url, part).serving()
			running[part].stops(syscall.SIGTERM)
			running[part] = next
		}
	})
	next := h.launch(h.url, edgeName).serving()
	running[edgeName].signal(syscall.SIGTERM)
	var last said
	for object, ok := client.next(); ok; object, ok = client.next() {
		last = saidIn(t, object)
	}
	if last.Event != "closing" || last.Reason != "restart" || last.RetryAfter < 500 || last.RetryAfter > 3500 {
		t.Errorf("the last word of an edge that is replaced is %+v", last)
	}
	client.resume(dialFrames(t, next.tcp), "{}")
	v.p = client.program
	v.meanwhile(t, "at another edge", 3*time.Second, func() {
		if <-running[edgeName].ended; running[edgeName].err != nil {
			t.Errorf("an edge that is replaced ends with %v", running[edgeName].err)
		}
	})
	for i, text := range h.lobby() {
		if text != fmt.Sprint(i) {
			t.Fatalf("line %d of %d that were acknowledged is %q", i, v.said, text)
		}
	}
}

// TestClientGoesOn: the edge of a terminal client is killed. It goes on at the next address that
// it was given, as the same session and within 5 s, and has missed nothing.
func TestClientGoesOn(t *testing.T) {
	t.Parallel()
	h := openCopies(t)
	h.services().serving()
	one, two := h.launch(h.url, edgeName).serving(), h.launch(h.url, edgeName).serving()
	watch := two.signIn("netease2", "123")
	client := exec.CommandContext(t.Context(), "hall", "client", one.tcp+","+two.tcp)
	out := &natstest.Output{}
	client.Stdout, client.Stderr = out, out
	in, err := client.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: client, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		p.err = client.Wait()
	}()
	t.Cleanup(func() {
		_ = client.Process.Kill() // fails when it has ended
		<-p.ended
	})
	types := func(line string) {
		t.Helper()
		if _, err := fmt.Fprintln(in, line); err != nil {
			t.Fatal(err)
		}
	}
	types("/SIGNIN netease1 123")
	watch.hears("system: netease1 joined the hall")
	types("here")
	watch.hears("netease1: here")
	one.kill()
	begun := time.Now()
	watch.says("missed?")
	types("there")
	watch.hears("netease2: missed?")
	watch.hears("netease1: there")
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it was back after %v, want 5 s at most", took)
	}
	p.await(out, regexp.MustCompile(`netease2: missed\?(?s:.*)netease1: there|netease1: there(?s:.*)netease2: missed\?`))
	for _, line := range watch.seen {
		if strings.Contains(line, "left the hall") {
			t.Errorf("the hall was told %q", line)
		}
	}
	types("/QUIT")
	if <-p.ended; p.err != nil {
		t.Errorf("it ended with %v:\n%s", p.err, out)
	}
}
