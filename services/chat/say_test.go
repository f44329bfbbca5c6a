package chat

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

func TestSay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       string     // as stored
		code       fault.Code // empty if it is stored
	}{
		{name: "a line", text: "hi", want: "hi"},
		{name: "spaces around it", text: "  hi there ", want: "hi there"},
		{name: "a command is text", text: "/SIGNOUT", want: "/SIGNOUT"},
		{name: "two slashes are text", text: "//w bob psst", want: "//w bob psst"},
		{name: "imitates the hall", text: "system: ann left the hall", want: "system: ann left the hall"},
		{name: "quotes and markup", text: `"\<script>`, want: `"\<script>`},
		{name: "the longest", text: strings.Repeat("x", 2000), want: strings.Repeat("x", 2000)},
		{name: "too long", text: strings.Repeat("x", 2001), code: fault.TooLong},
		{name: "empty", text: "", code: fault.BadRequest},
		{name: "only spaces", text: "   ", code: fault.BadRequest},
		{name: "escape", text: "\x1b[2Jgone", code: fault.BadRequest},
		{name: "a second line", text: "hi\nsystem: you won", code: fault.BadRequest},
		{name: "carriage return", text: "hi\rsystem: you won", code: fault.BadRequest},
		{name: "bidi override", text: "abc\u202edef", code: fault.BadRequest},
		{name: "line separator", text: "a\u2028b", code: fault.BadRequest},
		{name: "C1", text: "a\u009bb", code: fault.BadRequest},
	}
	ns := natstest.Run(t)
	start(t, ns)
	nc := ns.Connect(t)
	ann := ns.SignIn(t, "ann", "edge1")
	// One after the other: what is stored is compared with what was sent.
	for _, tt := range tests {
		before := len(stored(t, ns))
		resp, err := chatapi.Say.Call(natstest.As(natstest.Context(t), ann), nc, chatapi.SayRequest{Text: tt.text})
		if got := fault.CodeOf(err); got != tt.code {
			t.Errorf("%s: code %q, want %q (error: %v)", tt.name, got, tt.code, err)
			continue
		}
		lines := stored(t, ns)
		if tt.code != "" {
			if len(lines) != before {
				t.Errorf("%s: refused, and stored", tt.name)
			}
			continue
		}
		last := lines[len(lines)-1]
		e, err := last.Decode("lobby", 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) != before+1 || last.Seq != resp.Seq || e.Kind != event.Chat || e.From != "ann" || e.Text != tt.want {
			t.Errorf("%s: answered %d, stored %d: %+v; want %q", tt.name, resp.Seq, last.Seq, e.Event, tt.want)
		}
	}
}

// A text that is not UTF-8 is refused before it is decoded, and not repaired.
func TestSayRefusesWhatIsNoUTF8(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	start(t, ns)
	ann := ns.SignIn(t, "ann", "edge1")
	msg := nats.NewMsg(string(chatapi.Say))
	msg.Header.Set(bus.HeaderUser, ann.User)
	msg.Header.Set(bus.HeaderSession, ann.Session)
	msg.Data = []byte("{\"text\":\"a\xffb\"}")
	answer, err := ns.Connect(t).RequestMsgWithContext(natstest.Context(t), msg)
	if err != nil {
		t.Fatal(err)
	}
	if code := answer.Header.Get("Nats-Service-Error-Code"); code != string(fault.BadRequest) {
		t.Errorf("code %q, want bad_request", code)
	}
	if n := len(stored(t, ns)); n != 0 {
		t.Errorf("%d lines stored", n)
	}
}

func TestSayNeedsALiveSession(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	start(t, ns)
	nc := ns.Connect(t)
	ann := ns.SignIn(t, "ann", "edge1")
	old := ann
	ns.SignOut(t, ann)
	ann = ns.SignIn(t, "ann", "edge2")
	natstest.Eventually(t, "the mirror of the sessions, which is some milliseconds behind", func() bool {
		_, err := chatapi.History.Call(bus.AsSession(natstest.Context(t), "ann", old.Session), nc, chatapi.HistoryRequest{})
		return fault.CodeOf(err) == fault.NotSignedIn
	})
	for who, ctx := range map[string]struct{ user, session string }{
		"nobody":                {"", ""},
		"never signed in":       {"bob", ann.Session},
		"without a session":     {"ann", ""},
		"a made-up session":     {"ann", bus.NewID()},
		"an older session":      {"ann", old.Session},
		"no name that could be": {"a b", ann.Session},
	} {
		_, err := chatapi.Say.Call(bus.AsSession(natstest.Context(t), ctx.user, ctx.session), nc, chatapi.SayRequest{Text: "hi"})
		if fault.CodeOf(err) != fault.NotSignedIn {
			t.Errorf("%s: %v, want not_signed_in", who, err)
		}
	}
	if n := len(stored(t, ns)); n != 0 {
		t.Errorf("%d lines stored", n)
	}
}

// A retry is the same line: at the same copy, at another, after a restart.
func TestSayOnceWhateverIsRetried(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	nc := ns.Connect(t)
	ann := ns.SignIn(t, "ann", "edge1")
	ctx := bus.WithCommand(natstest.As(natstest.Context(t), ann), "c1")
	say := func() uint64 {
		t.Helper()
		resp, err := chatapi.Say.Call(ctx, nc, chatapi.SayRequest{Text: "once"})
		if err != nil {
			t.Fatal(err)
		}
		return resp.Seq
	}
	first := start(t, ns)
	seq := say()
	if again := say(); again != seq {
		t.Errorf("the same copy: sequence %d, want %d", again, seq)
	}
	second := start(t, ns)
	for range 10 { // the two share the work by chance
		if again := say(); again != seq {
			t.Errorf("two copies: sequence %d, want %d", again, seq)
		}
	}
	stop(t, first)
	if again := say(); again != seq {
		t.Errorf("the other copy alone: sequence %d, want %d", again, seq)
	}
	stop(t, second)
	start(t, ns)
	if again := say(); again != seq {
		t.Errorf("after a restart: sequence %d, want %d", again, seq)
	}
	if n := len(stored(t, ns)); n != 1 {
		t.Errorf("%d lines stored, want 1", n)
	}
	// Another user's command of the same id is another line.
	bob := ns.SignIn(t, "bob", "edge1")
	if _, err := chatapi.Say.Call(bus.WithCommand(natstest.As(natstest.Context(t), bob), "c1"), nc, chatapi.SayRequest{Text: "mine"}); err != nil {
		t.Fatal(err)
	}
	if n := len(stored(t, ns)); n != 2 {
		t.Errorf("%d lines stored, want 2", n)
	}
}

// Many at once, at two copies, with commands that are sent twice: each line is stored once, at
// the place that its sender is told, and each one's lines are in order. On one replica they
// share batches, on three they do not.
func TestSayTogether(t *testing.T) {
	t.Parallel()
	for _, replicas := range []int{1, 3} {
		t.Run(fmt.Sprintf("R%d", replicas), func(t *testing.T) {
			t.Parallel()
			sayTogether(t, replicas)
		})
	}
}

func sayTogether(t *testing.T, replicas int) {
	t.Helper()
	const senders, each = 100, 5
	var ns hall
	var first *natstest.Server
	if replicas == 1 {
		first = natstest.Run(t)
		ns = first
	} else {
		c := natstest.RunCluster(t, replicas)
		ns, first = c, c.Nodes[0]
	}
	for range 2 {
		s, err := Start(natstest.Context(t), Config{NATS: ns.Dialer(), Log: natstest.Quiet(), Replicas: replicas})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stop(t, s) })
	}
	who := make([]session.Record, senders)
	for i := range who {
		who[i] = first.SignIn(t, fmt.Sprintf("user%d", i), "edge1")
	}
	nc := ns.Connect(t)
	told := make([][each]uint64, senders)
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for n := range each {
				ctx := bus.WithCommand(natstest.As(natstest.Context(t), who[i]), fmt.Sprintf("c%d", n))
				for again := range 1 + (i+n)%2 {
					resp, err := chatapi.Say.Call(ctx, nc, chatapi.SayRequest{Text: fmt.Sprintf("%d.%d", i, n)})
					if err != nil || again > 0 && resp.Seq != told[i][n] {
						t.Errorf("line %d.%d: told %d, before that %d, error %v", i, n, resp.Seq, told[i][n], err)
						return
					}
					told[i][n] = resp.Seq
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	msgs, err := streams.History(natstest.Context(t), ns.JetStream(t), string(chatapi.Lobby), 0, 0, 10_000)
	if err != nil || len(msgs) != senders*each {
		t.Fatalf("%d lines are stored, error %v; want %d", len(msgs), err, senders*each)
	}
	texts := map[uint64]string{}
	for _, m := range msgs {
		e, err := m.Decode("lobby", 0)
		if err != nil {
			t.Fatal(err)
		}
		texts[m.Seq] = e.Text
	}
	for i, seqs := range told {
		for n, seq := range seqs {
			if want := fmt.Sprintf("%d.%d", i, n); texts[seq] != want || n > 0 && seq <= seqs[n-1] {
				t.Errorf("line %s was told the sequences %v, where %q stands", want, seqs, texts[seq])
			}
		}
	}
}

// nats pub does the whole work: the line is stored, and told at hall.live.lobby.
func TestPublishedLineIsStored(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	startWith(t, ns, Config{Bare: true})
	nc := ns.Connect(t)
	live := subscribe(t, ns, streams.Live(streams.LobbyChannel))
	ns.SignIn(t, "netease1", "edge1")
	msg := nats.NewMsg(string(chatapi.Say))
	msg.Header.Set(bus.HeaderUser, "NetEase1")
	msg.Data = []byte(`{"text":"hi"}`)
	if err := nc.PublishMsg(msg); err != nil {
		t.Fatal(err)
	}
	told, err := live.NextMsg(natstest.Wait)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"event":"chat","from":"netease1","text":"hi"}`; string(told.Data) != want {
		t.Errorf("told %s, want %s", told.Data, want)
	}
	if n := len(stored(t, ns)); n != 1 {
		t.Errorf("%d lines stored, want 1", n)
	}
}

// While the stream cannot store, a line waits; when its session is over meanwhile, it must
// not enter the lobby later.
func TestSayOfASessionThatEndedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, over := range []bool{false, true} {
		t.Run(map[bool]string{false: "it lives on", true: "taken over"}[over], func(t *testing.T) {
			t.Parallel()
			ns := natstest.Run(t)
			startWith(t, ns, Config{trust: 20 * time.Millisecond})
			nc, js := ns.Connect(t), ns.JetStream(t)
			ann := ns.SignIn(t, "ann", "edge1")
			if err := js.DeleteStream(natstest.Context(t), streams.Events); err != nil {
				t.Fatal(err)
			}
			tried := subscribe(t, ns, string(chatapi.Lobby))
			said := make(chan error, 1)
			go func() {
				_, err := chatapi.Say.Call(natstest.As(natstest.Context(t), ann), nc, chatapi.SayRequest{Text: "hi"}, bus.Attempt(natstest.Wait))
				said <- err
			}()
			for range 2 { // the second one is after a look at the session
				if _, err := tried.NextMsg(natstest.Wait); err != nil {
					t.Fatal(err)
				}
			}
			if over {
				ns.SignIn(t, "ann", "edge2")
				if err := <-said; fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "your session ended") {
					t.Errorf("%v, want unavailable because the session ended", err)
				}
			}
			if err := streams.Ensure(natstest.Context(t), js, streams.Options{}); err != nil {
				t.Fatal(err)
			}
			if over {
				if n := len(stored(t, ns)); n != 0 {
					t.Errorf("%d lines stored, want none", n)
				}
				return
			}
			if err := <-said; err != nil {
				t.Error(err)
			}
			if n := len(stored(t, ns)); n != 1 {
				t.Errorf("%d lines stored, want 1", n)
			}
		})
	}
}

// Several lines in one request are stored in their order, each once: whoever sends the request
// again, or one of its lines by itself, is told the same. One that is not good has nothing stored.
func TestSaySeveral(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 6, chatapi.SayMost} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			ns := natstest.Run(t)
			start(t, ns)
			other, err := Start(natstest.Context(t), Config{NATS: ns.Dialer(), Log: natstest.Quiet()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { stop(t, other) })
			nc := ns.Connect(t)
			ctx := natstest.As(natstest.Context(t), ns.SignIn(t, "ann", "edge1"))
			req := chatapi.SayRequest{Text: " line 0 "}
			for i := 1; i < n; i++ {
				req.More = append(req.More, fmt.Sprintf("line %d", i))
			}
			var first []uint64
			for range 5 { // at either copy
				got, err := chatapi.Say.Call(bus.WithCommand(ctx, "c"), nc, req)
				if err != nil {
					t.Fatal(err)
				}
				told := append([]uint64{got.Seq}, got.More...)
				if first == nil {
					first = told
				}
				if !slices.Equal(told, first) || len(told) != n || !slices.IsSorted(told) {
					t.Errorf("told %v, before that %v", told, first)
				}
			}
			again, err := chatapi.Say.Call(bus.WithCommand(ctx, req.LineID("c", n-1)), nc, chatapi.SayRequest{Text: fmt.Sprintf("line %d", n-1)})
			if err != nil || again.Seq != first[n-1] {
				t.Errorf("the last one by itself: %d, %v; want %d", again.Seq, err, first[n-1])
			}
			bad := chatapi.SayRequest{Text: "good", More: []string{"good too", "b\x07d"}}
			if _, err := chatapi.Say.Call(ctx, nc, bad); fault.CodeOf(err) != fault.BadRequest {
				t.Errorf("with one that is not good: %v", err)
			}
			lines := stored(t, ns)
			if len(lines) != n {
				t.Fatalf("%d lines stored, want %d", len(lines), n)
			}
			for i, m := range lines {
				e, err := m.Decode("lobby", 0)
				if err != nil || m.Seq != first[i] || e.Text != fmt.Sprintf("line %d", i) {
					t.Errorf("%d: %q at %d, want at %d (%v)", i, e.Text, m.Seq, first[i], err)
				}
			}
		})
	}
	if err := (chatapi.SayRequest{Text: "a", More: make([]string, chatapi.SayMost)}).Validate(); fault.CodeOf(err) != fault.BadRequest {
		t.Errorf("too many lines: %v", err)
	}
}
