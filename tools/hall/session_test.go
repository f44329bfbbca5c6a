package main

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"gamehall/shared/natstest"
)

// cheapHash is for tests that hash much: the defaults cost 33 ms each.
var cheapHash = []string{"--password-hash", "m=64,t=1,p=1"}

// TestSession is two people and the hall, as README shows it.
func TestSession(t *testing.T) {
	t.Parallel()
	p := startHall(t, t.TempDir())
	one := p.signIn("netease1", "123")
	two := p.signIn("netease2", "123")
	one.hears("system: netease2 joined the hall")

	one.says("hi")
	one.hearsNext("netease1: hi")
	two.hearsNext("netease1: hi")
	two.says("hello, netease1")
	one.hearsNext("netease2: hello, netease1")
	two.hearsNext("netease2: hello, netease1")

	one.says("/W netease2 a word")
	one.hearsNext("(to netease2) a word")
	two.hearsNext("(whisper) netease1: a word")
	one.says("/W netease4 are you there")
	one.hearsNext("system: netease4 is offline")

	two.says("/WHO")
	two.hearsNext("system: 2 online")
	two.hearsMatch(`^system: netease1, alive, since `)
	two.hearsMatch(`^system: netease2, alive, since `)
	two.says("/GETONLINETIME")
	two.hearsMatch(`^system: your online time is \d+ seconds$`)

	again := p.connect()
	again.says("/SIGNIN netease1 123")
	again.hearsNext("system: can't sign in repeatedly")
	again.says("/SIGNIN netease3 wrong")
	again.hearsNext("system: wrong account or password")
	again.says("who are you?")
	again.hearsNext("system: please sign in first")
	again.says("/SIGNUP Ann secret")
	again.hearsNext("system: registered, you can sign in now")
	again.says("/SIGNUP ann secret")
	again.hearsNext("system: the username exists, please choose another one")

	two.says("/HISTORY 3")
	two.hearsNext("system: netease2 joined the hall")
	two.hearsNext("netease1: hi")
	two.hearsNext("netease2: hello, netease1")

	two.says("/SIGNOUT")
	two.hears("system: bye, netease2")
	one.hears("system: netease2 left the hall")
	two.says("/SIGNIN netease2 123")
	two.hears("system: welcome, netease2")
	p.stops(os.Interrupt)
	one.closed()
	if left := files(t, p.data); slices.Contains(left, "pid") {
		t.Errorf("the pid is still written in %v", left)
	}
}

// TestSessionRooms: a room's lines are its members', the lobby hears nothing of it.
func TestSessionRooms(t *testing.T) {
	t.Parallel()
	p := startHall(t, t.TempDir())
	one, two, three := p.signIn("netease1", "123"), p.signIn("netease2", "123"), p.signIn("netease3", "123")
	two.hears("system: netease3 joined the hall")
	one.says("/CREATEROOM room1")
	one.hears("system: you created and joined room1")
	three.says("/JOINROOM nowhere")
	three.hearsNext("system: no such room: nowhere")
	three.says("/JOINROOM room1")
	three.hears("system: you joined room1")
	one.hears("[room1] system: netease3 joined")
	one.says("/CHATROOM hi")
	one.hearsNext("[room1] netease1: hi")
	three.hears("[room1] netease1: hi")
	three.says("/QUITROOM")
	three.hears("system: you left room1")
	one.hears("[room1] system: netease3 left")
	one.says("to the lobby")
	two.hearsNext("netease1: to the lobby")
	two.says("/ROOMS")
	two.hearsNext("system: room1, 1 here")
}

// TestSessionGame plays rounds until somebody wins one: the numbers can make 21.
func TestSessionGame(t *testing.T) {
	t.Parallel()
	p := startHall(t, t.TempDir(), "--game21-first", "2s", "--game21-duration", "4s", "--game21-period", "8s", "--game21-solvable")
	one, two := p.signIn("netease1", "123"), p.signIn("netease2", "123")
	round := one.hearsMatch(`^system: round (\d+): make 21 of (\d+ \d+ \d+ \d+), [1-4] seconds$`)
	two.hearsMatch(`^system: round ` + round[1] + `: make 21 of ` + round[2] + `, [1-4] seconds$`)
	n := strings.Fields(round[2])
	two.says("/21GAME " + n[0] + "+" + n[1])
	two.hearsMatch(`^system: `)
	two.says("/ROUND")
	two.hearsMatch(`^system: round ` + round[1] + `: make 21 of ` + round[2] + `, [0-4] seconds$`)
	// Lower than 21 whatever the numbers are, as all are at most 10.
	two.says("/21GAME " + n[0] + "-" + n[1] + "-" + n[2] + "-" + n[3])
	one.hears("system: round " + round[1] + ": netease2 has answered")
	one.hearsMatch(`^system: round ` + round[1] + `: netease2 wins with .* = -?\d+$`)
	one.hearsMatch(`^system: round ` + round[1] + `: a best solution is .* = 21$`)
	two.says("/SCORES")
	two.hearsMatch(`^system: 1\. netease2, 1 won of 1$`)
}

// TestSessionKilled: kill -9 of everything loses nothing that was told.
func TestSessionKilled(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := startHall(t, data, cheapHash...)
	one := p.signIn("netease1", "123")
	ann := p.connect()
	ann.says("/SIGNUP ann secret")
	ann.hearsNext("system: registered, you can sign in now")
	ann.says("/SIGNIN ann secret")
	ann.hears("system: welcome, ann")
	one.says("before")
	one.hears("netease1: before")
	seconds := onlineTime(t, ann, 8) // more than may be lost, so that it shows
	p.kill()
	one.closed()

	// Whoever was in the hall may come back at once: that session is over.
	p = startHall(t, data, cheapHash...)
	one = p.signIn("netease1", "123")
	ann = p.signIn("ann", "secret")
	ann.says("/HISTORY")
	ann.hears("netease1: before")
	ann.hears("system: ann left the hall")
	if after := onlineTime(t, ann, 0); after < seconds-5 {
		t.Errorf("online time is %d s, was %d s before the kill, and 5 s may be lost", after, seconds)
	}
	one.says("after")
	ann.hears("netease1: after")
	p.stops(syscall.SIGTERM)

	p = startHall(t, data, cheapHash...)
	ann = p.signIn("ann", "secret")
	ann.says("/HISTORY")
	ann.hears("netease1: before")
	ann.hears("netease1: after")
}

// onlineTime asks until at least so many seconds are told.
func onlineTime(t *testing.T, v *visitor, least int) int {
	t.Helper()
	for deadline := time.Now().Add(natstest.Wait); ; {
		v.says("/GETONLINETIME")
		n, err := strconv.Atoi(v.hearsMatch(`^system: your online time is (\d+) seconds$`)[1])
		if err != nil {
			t.Fatal(err)
		}
		if n >= least {
			return n
		}
		if time.Now().After(deadline) {
			t.Fatalf("online time is %d s, want at least %d", n, least)
		}
		// The answer of a command is the clock here: one command after the other is at most
		// as fast as --rate, so this asks a few times a second.
	}
}

// TestSessionNATS is what README does with the nats CLI.
func TestSessionNATS(t *testing.T) {
	t.Parallel()
	p := startHall(t, t.TempDir(), cheapHash...)
	one, two := p.signIn("netease1", "123"), p.signIn("netease2", "123")
	one.hears("system: netease2 joined the hall")
	nc := connectTo(t, p.nats)
	servicesListed(t, nc)
	servicesDescribed(t, nc)
	signUpByRequest(t, nc)
	sayByPublish(t, nc, one, two)
	roomAndGameByRequest(t, nc, one, two)
	othersRefused(t, p)
	adminMayAll(t, p)
}

// servicesListed is nats service ls: all five are there, with a version.
func servicesListed(t *testing.T, nc *nats.Conn) {
	t.Helper()
	found := map[string]micro.Ping{}
	for _, data := range answers(t, nc, "$SRV.PING", len(services)) {
		var ping micro.Ping
		if err := json.Unmarshal(data, &ping); err != nil {
			t.Fatal(err)
		}
		found[ping.Name] = ping
	}
	for _, name := range services {
		if found[name].Version == "" {
			t.Errorf("service %s is not there with a version: %+v", name, found[name])
		}
	}
}

// servicesDescribed is nats service info: endpoints with their schemas.
func servicesDescribed(t *testing.T, nc *nats.Conn) {
	t.Helper()
	for _, name := range services {
		var info micro.Info
		if err := json.Unmarshal(answers(t, nc, "$SRV.INFO."+name, 1)[0], &info); err != nil {
			t.Fatal(err)
		}
		if info.Description == "" || len(info.Endpoints) == 0 {
			t.Errorf("service %s: %+v, want a description and endpoints", name, info)
		}
		for _, e := range info.Endpoints {
			if !strings.HasPrefix(e.Subject, "hall."+name+".") {
				t.Errorf("service %s serves %s", name, e.Subject)
			}
			for _, key := range []string{"request_schema", "response_schema"} {
				var schema map[string]any
				if err := json.Unmarshal([]byte(e.Metadata[key]), &schema); err != nil || schema["type"] != "object" {
					t.Errorf("%s: %s is %q (%v), want a JSON Schema of an object", e.Subject, key, e.Metadata[key], err)
				}
			}
		}
	}
}

// signUpByRequest is nats req hall.auth.signup.
func signUpByRequest(t *testing.T, nc *nats.Conn) {
	t.Helper()
	const ann = `{"username":"ann","password":"secret1"}`
	if code, data := request(t, nc, "hall.auth.signup", ann, ""); code != "" || !strings.Contains(data, `"ann"`) {
		t.Errorf("signup: %s %s", code, data)
	}
	if code, _ := request(t, nc, "hall.auth.signup", ann, ""); code != "username_taken" {
		t.Errorf("signup again: %q, want username_taken", code)
	}
	if code, _ := request(t, nc, "hall.auth.signup", `{"username":`, ""); code != "bad_request" {
		t.Errorf("broken JSON: %q, want bad_request", code)
	}
}

// sayByPublish is nats pub hall.chat.say, and nats sub 'hall.live.>' meanwhile.
func sayByPublish(t *testing.T, nc *nats.Conn, one, two *visitor) {
	t.Helper()
	heard, err := nc.SubscribeSync("hall.live.>")
	if err != nil {
		t.Fatal(err)
	}
	msg := nats.NewMsg("hall.chat.say")
	msg.Header.Set("Hall-User", "netease1")
	msg.Data = []byte(`{"text":"hi from the cli"}`)
	if err := nc.PublishMsg(msg); err != nil {
		t.Fatal(err)
	}
	one.hears("netease1: hi from the cli")
	two.hears("netease1: hi from the cli")
	live, err := heard.NextMsg(natstest.Wait)
	if err != nil {
		t.Fatal(err)
	}
	var said struct{ Event, From, Text string }
	if err := json.Unmarshal(live.Data, &said); err != nil {
		t.Fatal(err)
	}
	if live.Subject != "hall.live.lobby" || said.Event != "chat" || said.From != "netease1" || said.Text != "hi from the cli" {
		t.Errorf("%s: %s", live.Subject, live.Data)
	}
	if code, _ := request(t, nc, "hall.chat.say", `{"text":"who am I"}`, "netease3"); code != "not_signed_in" {
		t.Errorf("say of somebody who is not signed in: %q, want not_signed_in", code)
	}
}

// roomAndGameByRequest plays on by nats req.
func roomAndGameByRequest(t *testing.T, nc *nats.Conn, one, two *visitor) {
	t.Helper()
	if code, data := request(t, nc, "hall.room.create", `{"room":"den"}`, "netease2"); code != "" {
		t.Errorf("create: %s %s", code, data)
	}
	if code, data := request(t, nc, "hall.room.list", `{}`, "netease1"); code != "" || !strings.Contains(data, `"den"`) {
		t.Errorf("list: %s %s", code, data)
	}
	// Whoever asked for it, the terminal is in the room now.
	if code, data := request(t, nc, "hall.room.join", `{"room":"den"}`, "netease1"); code != "" {
		t.Errorf("join: %s %s", code, data)
	}
	two.hears("[den] system: netease1 joined")
	one.says("/CHATROOM here I am")
	one.hears("[den] netease1: here I am")
	two.hears("[den] netease1: here I am")
	if code, data := request(t, nc, "hall.game21.status", `{}`, "netease1"); code != "" || !strings.Contains(data, `"next_at"`) {
		t.Errorf("status: %s %s", code, data)
	}
}

// othersRefused asserts that up serves with the permissions that TestPermissions has in full.
func othersRefused(t *testing.T, p *process) {
	t.Helper()
	for _, subject := range []string{"hall.live.lobby", "hall.events.lobby", "hall.edge.x.takeover", "$JS.API.STREAM.LIST", "$KV.sessions.x"} {
		if c := connectTo(t, p.nats); permitted(t, c, func() error { return c.Publish(subject, nil) }) {
			t.Errorf("without credentials %s may be published", subject)
		}
	}
}

// adminMayAll asserts that nats-admin.txt opens what is closed to others.
func adminMayAll(t *testing.T, p *process) {
	t.Helper()
	admin := connectTo(t, adminURL(t, p.data))
	msg, err := admin.Request("$JS.API.STREAM.INFO.HALL_EVENTS", nil, natstest.Wait)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(msg.Data), `"name":"HALL_EVENTS"`) {
		t.Errorf("the administrator sees %s", msg.Data)
	}
}

// answers collects n answers to a request.
func answers(t *testing.T, nc *nats.Conn, subject string, n int) [][]byte {
	t.Helper()
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.PublishRequest(subject, inbox, nil); err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for len(all) < n {
		msg, err := sub.NextMsg(natstest.Wait)
		if err != nil {
			t.Fatalf("%s: %d answers of %d: %v", subject, len(all), n, err)
		}
		all = append(all, msg.Data)
	}
	return all
}

// request asks as nats req does, and gives the error's code and the answer.
func request(t *testing.T, nc *nats.Conn, subject, body, user string) (code, answer string) {
	t.Helper()
	msg := nats.NewMsg(subject)
	msg.Data = []byte(body)
	if user != "" {
		msg.Header.Set("Hall-User", user)
	}
	got, err := nc.RequestMsg(msg, natstest.Wait)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	return got.Header.Get("Nats-Service-Error-Code"), string(got.Data)
}

// TestSessionTwice: a second hall on the same data, or on the same port, is told why not.
// testdata has the rest of what goes wrong at the start.
func TestSessionTwice(t *testing.T) {
	t.Parallel()
	p := startHall(t, t.TempDir(), cheapHash...)
	for _, tt := range []struct {
		args []string
		says []string
	}{
		{[]string{"--data", p.data}, []string{"in use by another hall", "pid " + strconv.Itoa(p.cmd.Process.Pid), "--data"}},
		{[]string{"--tcp", p.tcp}, []string{p.tcp, "--tcp"}},
		{[]string{"--http", p.tcp}, []string{p.tcp, "--http"}},
		{[]string{"--nats-listen", strings.TrimPrefix(p.nats, "nats://")}, []string{p.nats[len("nats://"):], "--nats-listen"}},
	} {
		// The last of a flag counts.
		code, out := runHall(t, append([]string{
			"up", "--data", t.TempDir(), "--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0",
		}, tt.args...)...)
		if code != exitFailed {
			t.Errorf("hall up %q: exit code %d, want %d:\n%s", tt.args, code, exitFailed, out)
		}
		last := out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:]
		for _, says := range tt.says {
			if !strings.Contains(last, says) {
				t.Errorf("hall up %q: it ends with %q, want %q in it", tt.args, last, says)
			}
		}
	}
}
