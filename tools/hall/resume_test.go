package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/edge"
	"gamehall/services/account"
	"gamehall/services/auth"
	"gamehall/services/chat"
	"gamehall/services/room"
	"gamehall/shared/event"
	"gamehall/shared/name"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// twoEdges is a hall of real services with two edges.
type twoEdges struct {
	ns    *natstest.Server
	js    jetstream.JetStream
	edges [2]*edge.Edge
	at    [2]hallAt
	chat  *chat.Service
}

func openTwoEdges(t *testing.T) *twoEdges {
	t.Helper()
	h := &twoEdges{ns: natstest.Run(t)}
	h.js = h.ns.JetStream(t)
	ctx, dialer, log, data := natstest.Context(t), h.ns.Dialer(), natstest.Quiet(), t.TempDir()
	add := func(r running, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), natstest.Wait)
			defer cancel()
			if err := r.Stop(ctx); err != nil {
				t.Errorf("stop: %v", err)
			}
		})
	}
	add(started(auth.Start(ctx, auth.Config{NATS: dialer, Data: data, Log: log, PasswordHash: "m=8,t=1,p=1", DemoAccounts: auth.DemoAccounts()})))
	add(started(account.Start(ctx, account.Config{NATS: dialer, Data: data, Log: log})))
	talk, err := chat.Start(ctx, chat.Config{NATS: dialer, Log: log})
	add(started(talk, err))
	h.chat = talk
	add(started(room.Start(ctx, room.Config{NATS: dialer, Log: log})))
	for i := range h.edges {
		e, err := edge.Start(ctx, edge.Config{NATS: dialer, Log: log, TrustedNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
		add(started(e, err))
		h.edges[i], h.at[i] = e, hallAt{tcp: e.TCPAddr().String(), http: e.HTTPAddr().String()}
	}
	return h
}

// tell stores events in a channel, as a service does; the texts say which they are. It gives
// the sequence of the last.
func (h *twoEdges) tell(t *testing.T, channel, room string, from, to int) (last uint64) {
	t.Helper()
	kind := event.Chat
	if room != "" {
		kind = event.RoomChat
	}
	for i := from; i < to; i++ {
		e := event.Event{Kind: kind, Room: room, From: "netease4", Text: fmt.Sprint(i)}
		if channel == streams.GameChannel {
			e = event.Event{Kind: event.Game21Answered, Round: i, User: "netease4"}
		}
		var err error
		if last, err = streams.Publish(natstest.Context(t), h.js, streams.Subject(channel), "", e); err != nil {
			t.Fatal(err)
		}
	}
	return last
}

// tellMany is tell for very many, of the lobby.
func (h *twoEdges) tellMany(t *testing.T, from, to int) {
	t.Helper()
	js, err := jetstream.New(h.ns.Connect(t), jetstream.WithPublishAsyncMaxPending(1000))
	if err != nil {
		t.Fatal(err)
	}
	for i := from; i < to; i++ {
		data := fmt.Sprintf(`{"event":"chat","from":"netease4","text":"%d"}`, i)
		if _, err := js.PublishAsync(streams.Subject(streams.LobbyChannel), []byte(data), jetstream.WithStallWait(natstest.Wait)); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-natstest.Context(t).Done():
		t.Fatal("the lines are not stored")
	}
}

// roomChannel is where the room of that name is told.
func roomChannel(t *testing.T, shown string) string {
	t.Helper()
	_, key, err := name.Room(shown)
	if err != nil {
		t.Fatal(err)
	}
	return "room." + name.RoomID(key)
}

// traveller is a program that keeps what the protocol says, and comes back by it.
type traveller struct {
	*program
	t     *testing.T
	user  string
	token string
	room  string
	since map[string]uint64
	heard map[string][]string // by channel, what was told
}

func travel(t *testing.T, p *program, user string) *traveller {
	t.Helper()
	v := &traveller{program: p, t: t, user: user, since: map[string]uint64{}, heard: map[string][]string{}}
	in := p.asks(`{"id":"in","type":"signin","username":"` + user + `","password":"123"}`)
	v.token = in.Data.Token
	v.since["lobby"], v.since["game21"] = in.Data.Seq, in.Data.Seq
	return v
}

// enterRoom makes a room.
func (v *traveller) enterRoom(room string) {
	v.t.Helper()
	v.room = room
	v.since["room:"+room] = v.asks(`{"id":"r","type":"room.create","room":"` + room + `"}`).Data.Seq
}

// take takes an event, which has to be the next of its channel.
func (v *traveller) take(s said) {
	v.t.Helper()
	if s.Type != "event" || s.Seq == 0 {
		v.t.Fatalf("%s was told %+v", v.user, s)
	}
	last, known := v.since[s.Channel]
	if !known || s.Seq <= last || s.Prev > last {
		v.t.Fatalf("%s has had %d of %s, and is told %+v", v.user, last, s.Channel, s)
	}
	v.since[s.Channel] = s.Seq
	what := s.Text
	if s.Event == event.Game21Answered {
		what = fmt.Sprint(s.Round)
	}
	if s.Event == event.Joined || s.Event == event.Left {
		return
	}
	v.heard[s.Channel] = append(v.heard[s.Channel], what)
}

// until reads on until so many were heard in each of the channels.
func (v *traveller) until(n int, channels ...string) {
	v.t.Helper()
	for {
		left := false
		for _, c := range channels {
			left = left || len(v.heard[c]) < n
		}
		if !left {
			return
		}
		v.take(v.want())
	}
}

// inOrder asserts that every channel was heard whole, once, in order: 0, 1, 2 …
func (v *traveller) inOrder(n int, channels ...string) {
	v.t.Helper()
	for _, c := range channels {
		if len(v.heard[c]) != n {
			v.t.Fatalf("%s heard %d of %s, want %d", v.user, len(v.heard[c]), c, n)
		}
		for i, what := range v.heard[c] {
			if what != fmt.Sprint(i) {
				v.t.Fatalf("%s heard %q in place of %d in %s", v.user, what, i, c)
			}
		}
	}
}

// sinceJSON is since as it is sent.
func (v *traveller) sinceJSON() string {
	var all []string
	for c, seq := range v.since {
		all = append(all, fmt.Sprintf("%q:%d", c, seq))
	}
	return "{" + strings.Join(all, ",") + "}"
}

// resume comes back on p, with what was had; refusals to be repeated are repeated.
func (v *traveller) resume(p *program, since string) said {
	v.t.Helper()
	v.program = p
	for {
		reply, before := p.ask(fmt.Sprintf(`{"id":"back","type":"resume","token":%q,"since":%s}`, v.token, since))
		if len(before) > 0 {
			v.t.Fatalf("before its resume it was told %+v", before)
		}
		if reply.Error.Retry {
			continue
		}
		if !reply.OK || reply.Data.User != v.user || reply.Data.Token == v.token || reply.Data.Room != v.room {
			v.t.Fatalf("resume as %s, in room %q: %+v", v.user, v.room, reply)
		}
		v.token = reply.Data.Token
		return reply
	}
}

// person is a line client in the hall, so that its edge hears and remembers the lobby.
func (h *twoEdges) person(t *testing.T, i int, user string) {
	t.Helper()
	p := dialTerminal(t, h.at[i].tcp)
	p.send("/SIGNIN " + user + " 123")
	if got := p.line(); got != "system: welcome, "+user {
		t.Fatalf("got %q", got)
	}
}

// Wherever a client comes back, and however its old connection went: it is in its room, and
// was told everything once.
func TestResume(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what    string
		stands  bool // the old connection does
		another bool // edge
		people  bool // line clients on the edge that it comes back on
	}{
		{"the same edge, gone", false, false, false},
		{"the same edge, still standing", true, false, false},
		{"another edge, gone", false, true, false},
		{"another edge, still standing", true, true, false},
		{"another edge, where only lines were spoken", false, true, true},
	} {
		for door, dial := range doors {
			t.Run(tt.what+" by "+door, func(t *testing.T) {
				t.Parallel()
				h := openTwoEdges(t)
				to := 0
				if tt.another {
					to = 1
				}
				if tt.people {
					h.person(t, 1, "netease3")
				}
				v := travel(t, dial(t, h.at[0]), "netease1")
				v.enterRoom("den")
				den := roomChannel(t, "den")
				tell := func(from, n int) {
					h.tell(t, streams.LobbyChannel, "", from, n)
					h.tell(t, den, "den", from, n)
					h.tell(t, streams.GameChannel, "", from, n)
				}
				all := []string{"lobby", "room:den", "game21"}
				tell(0, 5)
				v.until(5, all...)
				old := v.program
				if !tt.stands {
					old.lose()
				}
				tell(5, 10)
				v.resume(dial(t, h.at[to]), v.sinceJSON())
				tell(10, 15)
				v.until(15, all...)
				v.inOrder(15, all...)
				if tt.stands {
					for { // it is closed, whatever it was told until then
						if s, ok := old.next(); !ok {
							break
						} else if strings.Contains(string(s), `"closing"`) {
							t.Errorf("the old connection is told %s, though its client has moved on", s)
						}
					}
				}
				if got := v.asks(`{"id":"m","type":"room.members"}`); !got.OK {
					t.Errorf("it is not in its room: %+v", got)
				}
			})
		}
	}
}

// A client whose connection is cut anywhere, again and again, at any edge and door, hears
// everything once and in order.
func TestResumeCutAnywhere(t *testing.T) {
	t.Parallel()
	const rounds, each = 25, 20
	h := openTwoEdges(t)
	h.person(t, 0, "netease2")
	h.person(t, 1, "netease3")
	random := rand.New(rand.NewPCG(7, 21))
	open := func() *program {
		dial := doors[[]string{"frames", "websocket"}[random.IntN(2)]]
		return dial(t, h.at[random.IntN(2)])
	}
	v := travel(t, open(), "netease1")
	v.enterRoom("den")
	den := roomChannel(t, "den")
	all := []string{"lobby", "room:den", "game21"}
	for r := range rounds {
		var teller sync.WaitGroup
		teller.Go(func() {
			for i := r * each; i < (r+1)*each; i++ {
				h.tell(t, streams.LobbyChannel, "", i, i+1)
				h.tell(t, den, "den", i, i+1)
				h.tell(t, streams.GameChannel, "", i, i+1)
			}
		})
		for range random.IntN(3*each - 2) {
			v.take(v.want())
		}
		switch random.IntN(3) {
		case 0: // it still stands
		case 1:
			v.lose()
		default:
			_ = v.nc.Close()
		}
		v.resume(open(), v.sinceJSON())
		if random.IntN(2) == 0 { // before it sent anything
			v.resume(open(), v.sinceJSON())
		}
		teller.Wait()
		v.until((r+1)*each, all...)
	}
	v.inOrder(rounds*each, all...)
}

// What was missed may be more than an edge remembers: then it is read from the stream, however
// slowly the client reads it.
func TestResumeFromTheStream(t *testing.T) {
	t.Parallel()
	const many = 6000 // an edge remembers 4096
	h := openTwoEdges(t)
	h.person(t, 0, "netease2")
	for door, dial := range doors {
		for i, edge := range []string{"that remembers the last", "that remembers nothing"} {
			v := travel(t, dial(t, h.at[0]), "netease1")
			v.lose()
			h.tellMany(t, 0, many)
			v.resume(dial(t, h.at[i]), v.sinceJSON())
			h.tellMany(t, many, many+10)
			v.until(many+10, "lobby")
			v.inOrder(many+10, "lobby")
			if got := v.asks(`{"id":"out","type":"signout"}`); !got.OK {
				t.Errorf("%s, an edge %s: %+v", door, edge, got)
			}
		}
	}
}

// What is no longer kept is told as a gap, and the rest follows.
func TestResumeGap(t *testing.T) {
	t.Parallel()
	h := openTwoEdges(t)
	v := travel(t, dialFrames(t, h.at[0].tcp), "netease1")
	first := h.tell(t, streams.LobbyChannel, "", 0, 3)
	v.until(3, "lobby")
	v.lose()
	last := h.tell(t, streams.LobbyChannel, "", 3, 10)
	ctx := natstest.Context(t)
	stream, err := h.js.Stream(ctx, streams.Events)
	if err != nil {
		t.Fatal(err)
	}
	cfg := stream.CachedInfo().Config
	cfg.MaxMsgsPerSubject = 2
	if _, err := h.js.UpdateStream(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	v.resume(dialFrames(t, h.at[1].tcp), v.sinceJSON())
	if got := v.want(); got.Event != "gap" || got.Channel != "lobby" || got.Missed != int(last-1-first-1) {
		t.Errorf("told %+v, want a gap of %d", got, last-1-first-1)
	}
	for _, want := range []string{"8", "9"} {
		if got := v.want(); got.Text != want {
			t.Errorf("told %+v, want %s", got, want)
		}
	}
	h.tell(t, streams.LobbyChannel, "", 10, 11)
	if got := v.want(); got.Text != "10" || got.Prev != last {
		t.Errorf("told %+v, want 10", got)
	}
}

// since as clients may send it.
func TestResumeSince(t *testing.T) {
	t.Parallel()
	h := openTwoEdges(t)
	before := h.tell(t, streams.LobbyChannel, "", 0, 3)
	for _, tt := range []struct {
		what  string
		since func(join, third, last uint64) string
		want  []string // of the lobby and the game, then live
	}{
		{"a number is the lobby's", func(_, third, _ uint64) string { return fmt.Sprint(third) }, []string{"3", "4", "103", "104"}},
		{
			"by channel", func(join, third, _ uint64) string { return fmt.Sprintf(`{"lobby":%d,"game21":%d}`, third, join) },
			[]string{"3", "4", "100", "101", "102", "103", "104"},
		},
		{"a channel that is not named", func(_, third, _ uint64) string { return fmt.Sprintf(`{"lobby":%d}`, third) }, []string{"3", "4", "103", "104"}},
		{"a channel that is not the client's", func(_, _, last uint64) string { return fmt.Sprintf(`{"lobby":%d,"room:elsewhere":%d}`, last, last) }, nil},
		{"before its own join", func(uint64, uint64, uint64) string { return fmt.Sprint(before - 1) }, []string{"0", "1", "2", "3", "4", "100", "101", "102", "103", "104"}},
		{"zero", func(uint64, uint64, uint64) string { return `{"lobby":0,"game21":0}` }, []string{"0", "1", "2", "3", "4", "100", "101", "102", "103", "104"}},
		{"none", func(uint64, uint64, uint64) string { return `{}` }, nil},
		{"never given out", func(uint64, uint64, uint64) string { return fmt.Sprint(uint64(1) << 60) }, nil},
		{"never given out, by channel", func(uint64, uint64, uint64) string {
			return `{"lobby":18446744073709551615,"game21":18446744073709551615}`
		}, nil},
		{"the last", func(_, _, last uint64) string { return fmt.Sprint(last) }, nil},
	} {
		v := travel(t, dialFrames(t, h.at[0].tcp), "netease1")
		join := v.since["lobby"]
		var third, last uint64
		for i := range 5 { // lobby and game in turn
			s := h.tell(t, streams.LobbyChannel, "", i, i+1)
			last = h.tell(t, streams.GameChannel, "", 100+i, 101+i)
			if i == 2 {
				third = last
			}
			_ = s
		}
		v.lose()
		reply := v.resume(dialFrames(t, h.at[1].tcp), tt.since(join, third, last))
		live := h.tell(t, streams.LobbyChannel, "", 50, 51)
		game := h.tell(t, streams.GameChannel, "", 150, 151)
		var got []string
		for lobbyDone, gameDone := false, false; !lobbyDone || !gameDone; {
			s := v.want()
			lobbyDone, gameDone = lobbyDone || s.Seq == live, gameDone || s.Seq == game
			if s.Seq != live && s.Seq != game {
				got = append(got, strings.TrimPrefix(fmt.Sprint(s.Text, s.Round), "0"))
			}
		}
		for i, g := range got { // a line has no round, an answer no text
			if s, ok := strings.CutSuffix(g, "0"); ok && len(g) == 2 {
				got[i] = s
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: told %v, want %v", tt.what, got, tt.want)
		}
		if reply.Data.Seq < join || reply.Data.Seq > last {
			t.Errorf("%s: the lobby goes on after %d, of %d to %d", tt.what, reply.Data.Seq, join, last)
		}
		v.asks(`{"id":"out","type":"signout"}`)
	}
}

// A command with a key that is sent again after a resume, at another edge, is the same command.
func TestResumeKey(t *testing.T) {
	t.Parallel()
	h := openTwoEdges(t)
	v := travel(t, dialFrames(t, h.at[0].tcp), "netease1")
	other := travel(t, dialSocket(t, h.at[1].http), "netease2")
	v.take(v.want()) // the other joined
	v.enterRoom("den")
	for i, command := range []string{
		`{"id":"k","type":"say","text":"hi","key":"one"}`,
		`{"id":"k","type":"room.say","text":"hi","key":"two"}`,
		`{"id":"k","type":"whisper","to":"netease2","text":"hi","key":"three"}`,
	} {
		if !v.send([]byte(command)) {
			t.Fatal("not sent")
		}
		var first said
		for { // the reply is lost with the connection
			if s := v.want(); s.Type == "reply" {
				first = s
				break
			}
		}
		v.lose()
		v.resume(dialSocket(t, h.at[(i+1)%2].http), fmt.Sprint(1<<60))
		again, _ := v.ask(command) // what it is told before that was said at another time
		if !again.OK || again.Data.Seq != first.Data.Seq {
			t.Errorf("%s again: %+v, first %+v", command, again, first)
		}
	}
	if got := other.want(); got.Text != "hi" || got.Event != "chat" {
		t.Errorf("the other was told %+v", got)
	}
	if got := other.want(); got.Text != "hi" || got.Event != "whisper" {
		t.Errorf("the other was told %+v", got)
	}
	other.asks(`{"id":"p","type":"ping"}`)
}

// A whisper that is repeated when its target has come back at another edge, and at another copy of
// chat since the first one is gone with its answers, is shown once.
func TestWhisperAfterAMove(t *testing.T) {
	t.Parallel()
	h := openTwoEdges(t)
	ann := travel(t, dialFrames(t, h.at[0].tcp), "netease1")
	bob := travel(t, dialFrames(t, h.at[0].tcp), "netease2")
	ann.take(ann.want()) // bob joined
	const whisper = `{"id":"w","type":"whisper","to":"netease2","text":"psst","key":"once"}`
	ann.asks(whisper)
	if got := bob.want(); got.Text != "psst" {
		t.Fatalf("told %+v", got)
	}
	another, err := chat.Start(natstest.Context(t), chat.Config{NATS: h.ns.Dialer(), Log: natstest.Quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = another.Stop(context.WithoutCancel(t.Context())) })
	if err := h.chat.Stop(natstest.Context(t)); err != nil {
		t.Fatal(err)
	}
	bob.lose()
	bob.resume(dialFrames(t, h.at[1].tcp), bob.sinceJSON())
	ann.asks(whisper)
	bob.asks(`{"id":"p","type":"ping"}`)
	// Signed out and in again it is the same user, too.
	bob.asks(`{"id":"out","type":"signout"}`)
	bob = travel(t, bob.program, "netease2")
	again, _ := ann.ask(whisper)
	if !again.OK {
		t.Errorf("the same whisper: %+v", again)
	}
	bob.asks(`{"id":"p","type":"ping"}`)
}

// The hall is not told of a connection that was lost and came back; of one that did not, once.
func TestResumeIsQuiet(t *testing.T) {
	t.Parallel()
	h := openTwoEdges(t)
	watch := travel(t, dialFrames(t, h.at[1].tcp), "netease2")
	v := travel(t, dialFrames(t, h.at[0].tcp), "netease1")
	watch.take(watch.want())
	v.lose()
	if got, _ := watch.ask(`{"id":"w","type":"whisper","to":"netease1","text":"psst"}`); got.Error.Code != "user_offline" {
		t.Errorf("a whisper to who is not there: %+v", got)
	}
	v.resume(dialSocket(t, h.at[1].http), "{}")
	watch.asks(`{"id":"w","type":"whisper","to":"netease1","text":"psst"}`)
	if got := v.want(); got.Event != "whisper" || got.Text != "psst" {
		t.Errorf("told %+v", got)
	}
	// Somebody signs in over the session while it has no connection: that wins.
	v.lose()
	again := travel(t, dialFrames(t, h.at[0].tcp), "netease1")
	for _, want := range []string{"left", "joined"} {
		if got := watch.want(); got.Event != want || got.User != "netease1" {
			t.Errorf("told %+v, want %s", got, want)
		}
	}
	if got, _ := dialFrames(t, h.at[1].tcp).ask(fmt.Sprintf(`{"id":"b","type":"resume","token":%q}`, v.token)); got.Error.Code != "bad_token" {
		t.Errorf("the session that was taken over resumes: %+v", got)
	}
	again.asks(`{"id":"p","type":"ping"}`)
	watch.asks(`{"id":"p","type":"ping"}`)
}

// An edge that stops tells its clients to come back, lets the sessions of those that can wait
// for them, and ends the others.
func TestEdgeStops(t *testing.T) {
	t.Parallel()
	h := openTwoEdges(t)
	watch := travel(t, dialFrames(t, h.at[1].tcp), "netease4")
	person := dialTerminal(t, h.at[0].tcp)
	person.send("/SIGNIN netease3 123")
	if got := person.line(); got != "system: welcome, netease3" {
		t.Fatal(got)
	}
	clients := map[string]*traveller{}
	for door, dial := range doors {
		clients[door] = travel(t, dial(t, h.at[0]), map[string]string{"frames": "netease1", "websocket": "netease2"}[door])
	}
	for range 3 {
		if got := watch.want(); got.Event != "joined" {
			t.Fatalf("told %+v", got)
		}
	}
	if err := h.edges[0].Stop(natstest.Context(t)); err != nil {
		t.Error(err)
	}
	for door, v := range clients {
		for {
			s := v.want()
			if s.Event != "closing" {
				v.take(s)
				continue
			}
			if s.Reason != "restart" || s.RetryAfter < 500 || s.RetryAfter > 3500 {
				t.Errorf("%s: told %+v", door, s)
			}
			break
		}
		v.resume(doors[door](t, h.at[1]), v.sinceJSON())
	}
	// The one who cannot come back has left, and nobody else.
	if got := watch.want(); got.Event != "left" || got.User != "netease3" {
		t.Errorf("told %+v, want that netease3 left", got)
	}
	h.tell(t, streams.LobbyChannel, "", 0, 1)
	if got := watch.want(); got.Text != "0" {
		t.Errorf("told %+v", got)
	}
	for _, v := range clients {
		v.until(1, "lobby")
	}
}

// A hall that is stopped and started again has its sessions wait for their clients.
func TestHallRestarts(t *testing.T) {
	t.Parallel()
	for what, end := range map[string]func(p *process){
		"stopped": func(p *process) { p.stops(syscall.SIGTERM) },
		"killed":  func(p *process) { p.kill() },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			p := startHall(t, data, cheapHash...)
			v := travel(t, dialFrames(t, p.tcp), "netease1")
			v.enterRoom("den")
			if !v.send([]byte(`{"id":"1","type":"say","text":"0"}`)) {
				t.Fatal("not sent")
			}
			for replied := false; !replied; {
				if s := v.want(); s.Type == "reply" {
					replied = s.OK
				} else {
					v.take(s)
				}
			}
			end(p)
			for { // what it was told up to the end
				object, ok := v.next()
				if !ok {
					break
				}
				if strings.Contains(string(object), `"chat"`) {
					v.since["lobby"] = saidIn(t, object).Seq
					v.heard["lobby"] = append(v.heard["lobby"], saidIn(t, object).Text)
				}
			}
			p = startHall(t, data, cheapHash...)
			v.resume(dialFrames(t, p.tcp), v.sinceJSON())
			if !v.send([]byte(`{"id":"2","type":"say","text":"1"}`)) {
				t.Fatal("not sent")
			}
			for len(v.heard["lobby"]) < 2 {
				if s := v.want(); s.Type != "reply" {
					v.take(s)
				}
			}
			v.inOrder(2, "lobby")
		})
	}
}

// The edge of a client dies by kill -9: the client goes on at another one, and nobody is told
// that it was away.
func TestEdgeKilled(t *testing.T) {
	t.Parallel()
	p := startHall(t, t.TempDir(), cheapHash...)
	e := launch(t, "run", "edge", "--nats", adminURL(t, p.data), "--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0")
	watch := travel(t, dialFrames(t, p.tcp), "netease2")
	v := travel(t, dialFrames(t, e.await(e.log, openLine)[1]), "netease1")
	v.enterRoom("den")
	watch.take(watch.want())
	e.kill()
	if _, ok := v.next(); ok {
		t.Error("something was said by the dead")
	}
	reply, before := watch.ask(`{"id":"1","type":"say","text":"0"}`)
	for _, s := range before { // the line may come before the reply
		watch.take(s)
	}
	begun := time.Now()
	v.resume(dialFrames(t, p.tcp), v.sinceJSON())
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it was back after %v, want 5 s at most", took)
	}
	v.until(1, "lobby")
	v.inOrder(1, "lobby")
	if v.since["lobby"] != reply.Data.Seq {
		t.Errorf("it has had %d, said was %d", v.since["lobby"], reply.Data.Seq)
	}
	watch.until(1, "lobby")
	watch.asks(`{"id":"2","type":"ping"}`)
}
