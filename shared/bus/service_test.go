package bus_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type echoRequest struct {
	Text string `json:"text"`
}

func (r echoRequest) Validate() error {
	if r.Text == "" {
		return fault.New(fault.BadRequest, "text is missing")
	}
	return nil
}

type echoResponse struct {
	Text    string `json:"text"`
	User    string `json:"user,omitzero"`
	Command string `json:"command,omitzero"`
}

const (
	echo  bus.Method[echoRequest, echoResponse] = "hall.test.echo"
	look  bus.Method[echoRequest, echoResponse] = "hall.test.look"
	greet bus.Method[echoRequest, echoResponse] = "hall.test.greet"
)

// handler is what the tests put behind a method.
type handler func(context.Context, echoRequest) (echoResponse, error)

func repeat(ctx context.Context, r echoRequest) (echoResponse, error) {
	return echoResponse{Text: r.Text, User: bus.Caller(ctx).User, Command: bus.Command(ctx)}, nil
}

// known is an Authorize that knows ann (session "s1", later "s2") and bob, with any session
// but "wrong".
func known(_ context.Context, user, session string) (bus.Identity, error) {
	user = strings.ToLower(user)
	if !slices.Contains([]string{"ann", "bob"}, user) || session == "wrong" {
		return bus.Identity{}, fault.New(fault.NotSignedIn, "please sign in first")
	}
	return bus.Identity{User: user, ID: "id-" + user, Session: session, Epoch: 7, Edge: "e1"}, nil
}

// part is a service under test: echo and look for who is known, greet for anyone.
type part struct {
	*bus.Service
	ns  *natstest.Server
	log *logbook
}

// logbook is a log that is read while it is written.
type logbook struct{ natstest.Output }

func (l *logbook) lines(level, text string) []string {
	var found []string
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, "level="+level) && strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// serve starts a service; stop it yourself, or the end of the test does.
func serve(t testing.TB, ns *natstest.Server, cfg bus.Config, h handler) *part {
	t.Helper()
	book := &logbook{}
	cfg.Name, cfg.Description, cfg.Dialer, cfg.Authorize = "test", "what the tests call", ns.Dialer(), known
	cfg.Log = slog.New(slog.NewTextHandler(book, &slog.HandlerOptions{Level: slog.LevelDebug}))
	svc, err := bus.NewService(natstest.Context(t), cfg)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second) //nolint:usetesting // the test's context has ended
		defer cancel()
		_ = svc.Stop(ctx) // a test that cares has stopped it
	})
	err = errors.Join(bus.Handle(svc, echo, h), bus.Handle(svc, look, h, bus.Reads()), bus.Handle(svc, greet, h, bus.Anyone()))
	if err != nil {
		t.Fatalf("serve: %v", err)
	}
	if err := svc.Ready(natstest.Context(t)); err != nil {
		t.Fatalf("ready: %v", err)
	}
	return &part{Service: svc, ns: ns, log: book}
}

// message is a command as the nats CLI would send it.
func message(subject, body string, headers ...string) *nats.Msg {
	m := &nats.Msg{Subject: subject, Header: nats.Header{bus.HeaderUser: {"ann"}, bus.HeaderSession: {"s1"}}, Data: []byte(body)}
	for h := range slices.Chunk(headers, 2) {
		m.Header.Set(h[0], h[1])
	}
	return m
}

// ask sends m and gives the answer and its code.
func ask(t testing.TB, nc *nats.Conn, m *nats.Msg) (*nats.Msg, fault.Code) {
	t.Helper()
	answer, err := nc.RequestMsgWithContext(natstest.Context(t), m)
	if err != nil {
		t.Fatalf("ask %s: %v", m.Subject, err)
	}
	return answer, fault.Code(answer.Header.Get(micro.ErrorCodeHeader))
}

// within gives what c sends, or fails the test.
func within[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(natstest.Wait):
		t.Fatalf("%s: not within %v", what, natstest.Wait)
		panic("not reached")
	}
}

// A handler sees good input from a caller who is known, and nothing else; and whatever it
// does, the answer is one of the closed list and the process lives.
func TestHandle(t *testing.T) {
	t.Parallel()
	var nowhere map[string]int
	handlers := map[string]handler{
		"fault": func(context.Context, echoRequest) (echoResponse, error) {
			return echoResponse{}, fmt.Errorf("say: %w", fault.New(fault.RoomExists, "room %q exists", "röom\r\nX: y"))
		},
		"error": func(context.Context, echoRequest) (echoResponse, error) {
			return echoResponse{}, errors.New("disk /secret is on fire")
		},
		"panic": func(context.Context, echoRequest) (echoResponse, error) {
			nowhere["/secret"] = 1
			return echoResponse{}, nil
		},
		"long": func(context.Context, echoRequest) (echoResponse, error) {
			return echoResponse{Text: strings.Repeat("x", 2<<20)}, nil
		},
		"late": func(ctx context.Context, _ echoRequest) (echoResponse, error) {
			<-ctx.Done()
			return echoResponse{}, fmt.Errorf("wait: %w", ctx.Err())
		},
	}
	tests := []struct {
		name     string
		subject  string // default echo
		body     string // default {"text":"hi"}
		headers  []string
		code     fault.Code
		says     string
		internal bool // logged as an error, once
		unseen   bool // the handler must not be called
	}{
		{name: "good", says: `"user":"ann"`},
		{name: "any case of the user", headers: []string{bus.HeaderUser, "ANN"}, says: `"user":"ann"`},
		{name: "anyone", subject: "hall.test.greet", headers: []string{bus.HeaderUser, ""}, says: `"text":"hi"`},
		{name: "anyone is nobody", subject: "hall.test.greet", says: `{"text":"hi","command":`},
		{name: "id of one's own", headers: []string{bus.HeaderCommandID, "a-B_9."}, says: `"command":"a-B_9."`},
		{name: "unknown user", headers: []string{bus.HeaderUser, "eve"}, code: fault.NotSignedIn, unseen: true},
		{name: "wrong session", headers: []string{bus.HeaderSession, "wrong"}, code: fault.NotSignedIn, unseen: true},
		{name: "id with a space", headers: []string{bus.HeaderCommandID, "a b"}, code: fault.BadRequest, unseen: true},
		{name: "id with a wildcard", headers: []string{bus.HeaderCommandID, "a*"}, code: fault.BadRequest, unseen: true},
		{name: "id too long", headers: []string{bus.HeaderCommandID, strings.Repeat("a", 65)}, code: fault.BadRequest, unseen: true},
		{name: "broken JSON", body: `{"text":`, code: fault.BadRequest, unseen: true},
		{name: "unknown member", body: `{"text":"hi","x":1}`, code: fault.BadRequest, unseen: true},
		{name: "no body", body: " ", code: fault.BadRequest, unseen: true},
		{name: "not valid", body: `{"text":""}`, code: fault.BadRequest, says: "text is missing", unseen: true},
		{name: "too long", body: `{"text":"` + strings.Repeat("x", bus.MaxRequest) + `"}`, code: fault.TooLong, unseen: true},
		{name: "timeout that is no number", headers: []string{bus.HeaderTimeout, "soon"}, says: `"text":"hi"`},
		{name: "timeout below zero", headers: []string{bus.HeaderTimeout, "-5"}, says: `"text":"hi"`},
		{name: "timeout beyond any", headers: []string{bus.HeaderTimeout, "9223372036854775807"}, says: `"text":"hi"`},
		{name: "a fault", body: `{"text":"fault"}`, code: fault.RoomExists, says: `room "röom`},
		{name: "an error", body: `{"text":"error"}`, code: fault.Internal, internal: true},
		{name: "a panic", body: `{"text":"panic"}`, code: fault.Internal, internal: true},
		{name: "an answer too long to send", body: `{"text":"long"}`, code: fault.Internal},
		{name: "out of time", body: `{"text":"late"}`, headers: []string{bus.HeaderTimeout, "20"}, code: fault.Unavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			p := serve(t, natstest.RunBare(t), bus.Config{}, func(ctx context.Context, r echoRequest) (echoResponse, error) {
				calls.Add(1)
				if h := handlers[r.Text]; h != nil {
					return h(ctx, r)
				}
				return repeat(ctx, r)
			})
			nc := p.ns.Connect(t)
			if tt.subject == "" {
				tt.subject = string(echo)
			}
			if tt.body == "" {
				tt.body = `{"text":"hi"}`
			}
			answer, code := ask(t, nc, message(tt.subject, tt.body, tt.headers...))
			text := string(answer.Data)
			if code != "" {
				text = answer.Header.Get(micro.ErrorHeader)
			}
			if code != tt.code || !strings.Contains(text, tt.says) {
				t.Errorf("answer %q %q, want %q with %q in it", code, text, tt.code, tt.says)
			}
			if (calls.Load() == 0) != tt.unseen {
				t.Errorf("the handler was called %d times", calls.Load())
			}
			if strings.Contains(text, "secret") {
				t.Errorf("the answer shows what is ours: %q", text)
			}
			if answer.Header.Get("X") != "" {
				t.Error("a sentence with a line break became a header")
			}
			want := 0
			if tt.internal {
				want = 1
			}
			if got := p.log.lines("ERROR", "/secret"); tt.internal && len(got) != want && len(p.log.lines("ERROR", "nil map")) != want {
				t.Errorf("logged %d times, want %d: %v", len(got), want, got)
			}
			if got := p.log.lines("ERROR", ""); len(got) != want {
				t.Errorf("%d errors in the log, want %d: %v", len(got), want, got)
			}
			if _, code := ask(t, nc, message(string(echo), `{"text":"hi"}`)); code != "" {
				t.Errorf("the next command: %s", code)
			}
		})
	}
}

// A panic of Authorize is as good as one of the handler.
func TestAuthorizePanics(t *testing.T) {
	t.Parallel()
	ns := natstest.RunBare(t)
	svc, err := bus.NewService(natstest.Context(t), bus.Config{
		Name: "test", Dialer: ns.Dialer(), Log: natstest.Quiet(),
		Authorize: func(context.Context, string, string) (bus.Identity, error) { panic("no") },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = svc.Stop(natstest.Context(t)) }()
	if err := errors.Join(bus.Handle(svc, echo, repeat), svc.Ready(natstest.Context(t))); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, code := ask(t, ns.Connect(t), message(string(echo), `{"text":"hi"}`)); code != fault.Internal {
			t.Errorf("code %q, want internal", code)
		}
	}
}

// A method that needs a caller cannot be served without an Authorize.
func TestHandleNeedsAuthorize(t *testing.T) {
	t.Parallel()
	ns := natstest.RunBare(t)
	svc, err := bus.NewService(natstest.Context(t), bus.Config{Name: "test", Dialer: ns.Dialer(), Log: natstest.Quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = svc.Stop(natstest.Context(t)) }()
	if err := bus.Handle(svc, echo, repeat); err == nil {
		t.Error("served without an Authorize")
	}
}

// The same command id is the same state change: for the same user, and nobody else.
func TestRepeatedCommand(t *testing.T) {
	t.Parallel()
	id := []string{bus.HeaderCommandID, "c1"}
	first := message(string(echo), `{"text":"one"}`, id...)
	tests := []struct {
		name   string
		first  *nats.Msg // default the above
		second *nats.Msg
		again  bool // the second gets the first one's answer
	}{
		{name: "the same", second: first, again: true},
		{name: "the same user in another case", second: message(string(echo), `{"text":"two"}`, append(id, bus.HeaderUser, "ANN")...), again: true},
		{name: "the same user, resumed", second: message(string(echo), `{"text":"two"}`, append(id, bus.HeaderSession, "s2")...), again: true},
		{name: "another user", second: message(string(echo), `{"text":"two"}`, append(id, bus.HeaderUser, "bob")...)},
		{name: "another id", second: message(string(echo), `{"text":"two"}`, bus.HeaderCommandID, "c2")},
		{name: "another method", second: message(string(greet), `{"text":"two"}`, id...)},
		{name: "a read", first: message(string(look), `{"text":"one"}`, id...), second: message(string(look), `{"text":"two"}`, id...)},
		{name: "no id", first: message(string(echo), `{"text":"one"}`), second: message(string(echo), `{"text":"two"}`)},
		{name: "of anyone", first: message(string(greet), `{"text":"one"}`, id...), second: message(string(greet), `{"text":"one"}`, id...), again: true},
		{name: "of anyone with another request", first: message(string(greet), `{"text":"one"}`, id...), second: message(string(greet), `{"text":"two"}`, id...)},
		{name: "a refusal", first: message(string(echo), `{"text":"refuse"}`, id...), second: message(string(echo), `{"text":"two"}`, id...), again: true},
		{name: "a refusal of the input", first: message(string(echo), `{"text":""}`, id...), second: message(string(echo), `{"text":"two"}`, id...), again: true},
		{name: "unavailable", first: message(string(echo), `{"text":"busy"}`, id...), second: message(string(echo), `{"text":"two"}`, id...)},
		{name: "internal", first: message(string(echo), `{"text":"error"}`, id...), second: message(string(echo), `{"text":"two"}`, id...)},
		{name: "not signed in", first: message(string(echo), `{"text":"one"}`, append(id, bus.HeaderUser, "eve")...), second: message(string(echo), `{"text":"two"}`, id...)},
		{name: "not signed in, after", second: message(string(echo), `{"text":"two"}`, append(id, bus.HeaderSession, "wrong")...)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			p := serve(t, natstest.RunBare(t), bus.Config{Workers: 1}, func(_ context.Context, r echoRequest) (echoResponse, error) {
				switch calls++; r.Text {
				case "refuse":
					return echoResponse{}, fault.New(fault.RoomFull, "call %d", calls)
				case "busy":
					return echoResponse{}, fault.New(fault.Unavailable, "call %d", calls)
				case "error":
					return echoResponse{}, errors.New("unforeseen")
				}
				return echoResponse{Text: strconv.Itoa(calls)}, nil
			})
			nc := p.ns.Connect(t)
			if tt.first == nil {
				tt.first = first
			}
			a, codeA := ask(t, nc, tt.first)
			b, codeB := ask(t, nc, tt.second)
			same := codeA == codeB && bytes.Equal(a.Data, b.Data) && a.Header.Get(micro.ErrorHeader) == b.Header.Get(micro.ErrorHeader)
			if same != tt.again {
				t.Errorf("first %q %q, second %q %q; the same: %v, want %v", codeA, a.Data, codeB, b.Data, same, tt.again)
			}
		})
	}
}

// A sign-out that is repeated finds no live session, and its answer all the same.
func TestRepeatedAfterTheSessionEnded(t *testing.T) {
	t.Parallel()
	ns := natstest.RunBare(t)
	var over atomic.Bool
	svc, err := bus.NewService(natstest.Context(t), bus.Config{
		Name: "test", Dialer: ns.Dialer(), Log: natstest.Quiet(),
		Authorize: func(ctx context.Context, user, session string) (bus.Identity, error) {
			if over.Load() {
				return bus.Identity{}, fault.New(fault.NotSignedIn, "please sign in first")
			}
			return known(ctx, user, session)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = svc.Stop(natstest.Context(t)) }()
	err = bus.Handle(svc, echo, func(ctx context.Context, r echoRequest) (echoResponse, error) {
		over.Store(true)
		return repeat(ctx, r)
	})
	if err = errors.Join(err, svc.Ready(natstest.Context(t))); err != nil {
		t.Fatal(err)
	}
	nc := ns.Connect(t)
	out := message(string(echo), `{"text":"bye"}`, bus.HeaderCommandID, "c1")
	for i := range 2 {
		if _, code := ask(t, nc, out); code != "" {
			t.Errorf("sign-out %d: %s", i, code)
		}
	}
	if _, code := ask(t, nc, message(string(echo), `{"text":"bye"}`, bus.HeaderCommandID, "c2")); code != fault.NotSignedIn {
		t.Errorf("another command: %q, want not_signed_in", code)
	}
	if _, code := ask(t, nc, message(string(echo), `{"text":"bye"}`, bus.HeaderCommandID, "c1", bus.HeaderSession, "s2")); code != fault.NotSignedIn {
		t.Errorf("the same id without the session: %q, want not_signed_in", code)
	}
}

// Who repeats a command that is under way or queued is told so at once; the work is done
// once, and Call gets its answer however little patience it has.
func TestRepeatedWhileUnderWay(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	begun, hold := make(chan struct{}, 10), make(chan struct{})
	p := serve(t, natstest.RunBare(t), bus.Config{}, func(ctx context.Context, r echoRequest) (echoResponse, error) {
		calls.Add(1)
		begun <- struct{}{}
		<-hold
		return repeat(ctx, r)
	})
	nc := p.ns.Connect(t)
	type result struct {
		resp echoResponse
		err  error
	}
	results := make(chan result)
	for _, user := range []string{"ann", ""} {
		method := echo
		if user == "" {
			method = greet
		}
		ctx := bus.WithCommand(bus.AsSession(natstest.Context(t), user, "s1"), "c1")
		go func() {
			resp, err := method.Call(ctx, nc, echoRequest{Text: "slow"}, bus.Patience(300*time.Millisecond))
			results <- result{resp, err}
		}()
	}
	within(t, "the first begins", begun)
	within(t, "the second begins", begun)
	// Behind ann's first: it must be told, too, before its turn comes.
	queued := message(string(echo), `{"text":"later"}`, bus.HeaderCommandID, "c2")
	if err := nc.PublishMsg(queued); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*nats.Msg{
		message(string(echo), `{"text":"slow"}`, bus.HeaderCommandID, "c1"),
		message(string(greet), `{"text":"slow"}`, bus.HeaderCommandID, "c1", bus.HeaderUser, ""),
		queued,
	} {
		answer, code := ask(t, nc, m)
		if code != fault.Unavailable || answer.Header.Get("Hall-Pending") == "" {
			t.Errorf("%s under way: %q, header %v", m.Subject, code, answer.Header)
		}
	}
	// Long enough that impatience would have shown: more pending answers than fit 300 ms.
	repeated := func() uint64 { return stat(t, nc, "echo", "repeated") + stat(t, nc, "greet", "repeated") }
	natstest.Eventually(t, "both callers have asked again and again", func() bool { return repeated() >= 8 })
	close(hold)
	for range 2 {
		if r := within(t, "an answer", results); r.err != nil || r.resp.Text != "slow" {
			t.Errorf("the caller got %+v, %v", r.resp, r.err)
		}
	}
	if err := p.Stop(natstest.Context(t)); err != nil {
		t.Errorf("stop: %v", err)
	}
	if calls.Load() != 3 {
		t.Errorf("the work was done %d times, want once for each of three", calls.Load())
	}
}

// stat gives one of our own figures of an endpoint, as nats service stats shows it.
func stat(t testing.TB, nc *nats.Conn, endpoint, figure string) uint64 {
	t.Helper()
	answer, err := nc.RequestWithContext(natstest.Context(t), "$SRV.STATS.test", nil)
	if err != nil {
		t.Fatalf("stats: %v", err)
	}
	var stats micro.Stats
	if err := json.Unmarshal(answer.Data, &stats); err != nil {
		t.Fatalf("stats: %v", err)
	}
	for _, e := range stats.Endpoints {
		if e.Name == endpoint {
			var own map[string]uint64
			if err := json.Unmarshal(e.Data, &own); err != nil {
				t.Fatalf("stats of %s: %v", endpoint, err)
			}
			return own[figure]
		}
	}
	t.Fatalf("no endpoint %s in %s", endpoint, answer.Data)
	return 0
}

// nats pub does the whole work; its outcome is only logged.
func TestPublishWithoutReply(t *testing.T) {
	t.Parallel()
	done := make(chan string, 10)
	p := serve(t, natstest.RunBare(t), bus.Config{}, func(ctx context.Context, r echoRequest) (echoResponse, error) {
		done <- r.Text
		if r.Text == "no" {
			return echoResponse{}, fault.New(fault.RoomFull, "the room is full")
		}
		return repeat(ctx, r)
	})
	nc := p.ns.Connect(t)
	for _, text := range []string{"hi", "no"} {
		if err := nc.PublishMsg(message(string(echo), `{"text":"`+text+`"}`)); err != nil {
			t.Fatal(err)
		}
		if got := within(t, "the work", done); got != text {
			t.Errorf("did %q, want %q", got, text)
		}
	}
	natstest.Eventually(t, "the refusal is logged", func() bool { return len(p.log.lines("INFO", "room_full")) == 1 })
}

// The caller chooses the reply subject, and must not choose one of the hall's.
func TestReplyGoesToInboxesOnly(t *testing.T) {
	t.Parallel()
	p := serve(t, natstest.RunBare(t), bus.Config{}, repeat)
	nc := p.ns.Connect(t)
	forged, err := nc.SubscribeSync("hall.events.>")
	if err != nil {
		t.Fatal(err)
	}
	m := message(string(echo), `{"text":"hi"}`)
	m.Reply = "hall.events.lobby"
	if err := nc.PublishMsg(m); err != nil {
		t.Fatal(err)
	}
	natstest.Eventually(t, "it is logged", func() bool { return len(p.log.lines("WARN", "hall.events.lobby")) == 1 })
	ask(t, nc, message(string(echo), `{"text":"hi"}`)) // what was sent before is here by now
	if n, _, err := forged.Pending(); err != nil || n != 0 {
		t.Errorf("%d answers became events (%v)", n, err)
	}
}

// One user's commands run one at a time in the order they were sent; other users' do not
// wait for them.
func TestOrder(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	done := map[string][]string{}
	busy := map[string]bool{}
	blocked := make(chan struct{})
	p := serve(t, natstest.RunBare(t), bus.Config{Workers: 8}, func(ctx context.Context, r echoRequest) (echoResponse, error) {
		user := bus.Caller(ctx).User
		mu.Lock()
		if busy[user] {
			t.Errorf("two commands of %s at once", user)
		}
		busy[user] = true
		mu.Unlock()
		if user == "bob" && r.Text == "0" {
			<-blocked
		}
		mu.Lock()
		busy[user] = false
		done[user] = append(done[user], r.Text)
		mu.Unlock()
		return repeat(ctx, r)
	})
	nc := p.ns.Connect(t)
	const each = 500
	var want []string
	for i := range each {
		want = append(want, strconv.Itoa(i))
		for _, user := range []string{"bob", "Ann"} {
			if err := nc.PublishMsg(message(string(echo), `{"text":"`+want[i]+`"}`, bus.HeaderUser, user)); err != nil {
				t.Fatal(err)
			}
		}
	}
	count := func(user string) int {
		mu.Lock()
		defer mu.Unlock()
		return len(done[user])
	}
	natstest.Eventually(t, "ann is served while bob's command is stuck", func() bool { return count("ann") == each })
	if count("bob") != 0 {
		t.Error("bob's second command overtook the first")
	}
	close(blocked)
	natstest.Eventually(t, "bob is served", func() bool { return count("bob") == each })
	for user, got := range done {
		if !slices.Equal(got, want) {
			t.Errorf("%s's commands ran as %v", user, got)
		}
	}
}

// What does not fit is told so at once, and what fits is done.
func TestBusy(t *testing.T) {
	t.Parallel()
	begun, hold := make(chan struct{}, 10), make(chan struct{})
	p := serve(t, natstest.RunBare(t), bus.Config{Workers: 1, Pending: 2}, func(ctx context.Context, r echoRequest) (echoResponse, error) {
		begun <- struct{}{}
		<-hold
		return repeat(ctx, r)
	})
	nc := p.ns.Connect(t)
	inbox, err := nc.SubscribeSync(nc.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		m := message(string(look), `{"text":"hi"}`)
		m.Reply = inbox.Subject
		if err := nc.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	within(t, "the first begins", begun)
	// One method's commands arrive in order, so the two are there before this one.
	if _, code := ask(t, nc, message(string(look), `{"text":"hi"}`)); code != fault.Unavailable {
		t.Errorf("one too many: %q, want unavailable", code)
	}
	id := []string{bus.HeaderCommandID, "c1"}
	if _, code := ask(t, nc, message(string(echo), `{"text":"hi"}`, id...)); code != fault.Unavailable {
		t.Errorf("one too many: %q, want unavailable", code)
	}
	close(hold)
	for range 2 {
		answer, err := inbox.NextMsgWithContext(natstest.Context(t))
		if err != nil || answer.Header.Get(micro.ErrorCodeHeader) != "" {
			t.Errorf("one that was taken: %v, %v", answer, err)
		}
	}
	// It is not remembered as under way, nor as refused.
	natstest.Eventually(t, "the refused one is done when it is repeated", func() bool {
		_, code := ask(t, nc, message(string(echo), `{"text":"hi"}`, id...))
		return code == ""
	})
}

// A command whose caller's time is over before a worker is free is not begun.
func TestDeadlineInTheQueue(t *testing.T) {
	t.Parallel()
	begun, hold := make(chan string, 10), make(chan struct{})
	p := serve(t, natstest.RunBare(t), bus.Config{Workers: 1}, func(ctx context.Context, r echoRequest) (echoResponse, error) {
		begun <- r.Text
		<-hold
		return repeat(ctx, r)
	})
	nc := p.ns.Connect(t)
	if err := nc.PublishMsg(message(string(echo), `{"text":"first"}`)); err != nil {
		t.Fatal(err)
	}
	within(t, "the first begins", begun)
	short := message(string(echo), `{"text":"short"}`, bus.HeaderTimeout, "20", bus.HeaderCommandID, "c1")
	expired := time.Now().Add(20 * time.Millisecond)
	answers, err := nc.SubscribeSync(nc.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	short.Reply = answers.Subject
	if err := nc.PublishMsg(short); err != nil {
		t.Fatal(err)
	}
	// The same id is told that it waits, so the service has it by now.
	natstest.Eventually(t, "it is queued and its time is over", func() bool {
		_, code := ask(t, nc, message(string(echo), `{"text":"short"}`, bus.HeaderCommandID, "c1"))
		return code == fault.Unavailable && time.Now().After(expired.Add(20*time.Millisecond))
	})
	close(hold)
	answer, err := answers.NextMsgWithContext(natstest.Context(t))
	if err != nil || answer.Header.Get(micro.ErrorCodeHeader) != string(fault.Unavailable) {
		t.Errorf("it is told %v, %v; want unavailable", answer, err)
	}
	if _, code := ask(t, nc, message(string(echo), `{"text":"long"}`, bus.HeaderCommandID, "c1")); code != "" {
		t.Errorf("the same command with more time: %s", code)
	}
	if got := within(t, "the next one", begun); got != "long" {
		t.Errorf("began %q after the first", got)
	}
}

// The handler's time ends with the caller's.
func TestDeadlineOfTheHandler(t *testing.T) {
	t.Parallel()
	left := make(chan time.Duration, 1)
	p := serve(t, natstest.RunBare(t), bus.Config{}, func(ctx context.Context, r echoRequest) (echoResponse, error) {
		until, ok := ctx.Deadline()
		if !ok {
			t.Error("the handler may take for ever")
		}
		left <- time.Until(until)
		return repeat(ctx, r)
	})
	nc := p.ns.Connect(t)
	tests := []struct {
		name     string
		ctx      time.Duration
		opts     []bus.CallOption
		min, max time.Duration
	}{
		{name: "the context's", ctx: 5 * time.Second, min: 3 * time.Second, max: 5 * time.Second},
		{name: "no deadline", min: 13 * time.Second, max: bus.CallFor},
		{name: "an attempt's", ctx: 5 * time.Second, opts: []bus.CallOption{bus.Attempt(2 * time.Second)}, max: 2 * time.Second},
	}
	for _, tt := range tests {
		ctx := bus.AsSession(t.Context(), "ann", "s1")
		if tt.ctx > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, tt.ctx)
			t.Cleanup(cancel)
		}
		if _, err := echo.Call(ctx, nc, echoRequest{Text: "hi"}, tt.opts...); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := <-left; got < tt.min || got > tt.max {
			t.Errorf("%s: the handler had %v, want %v to %v", tt.name, got, tt.min, tt.max)
		}
	}
}

// Stop answers what was accepted, queued or under way, and takes no more.
func TestStopAnswers(t *testing.T) {
	t.Parallel()
	begun, hold := make(chan struct{}, 10), make(chan struct{})
	p := serve(t, natstest.RunBare(t), bus.Config{Workers: 1}, func(ctx context.Context, r echoRequest) (echoResponse, error) {
		begun <- struct{}{}
		<-hold
		return repeat(ctx, r)
	})
	nc := p.ns.Connect(t)
	inbox, err := nc.SubscribeSync(nc.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	const commands = 20
	for range commands {
		m := message(string(echo), `{"text":"hi"}`)
		m.Reply = inbox.Subject
		if err := nc.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	within(t, "the first begins", begun)
	if err := nc.Flush(); err != nil { // the server has handed on all of them
		t.Fatal(err)
	}
	stopped := make(chan error, 1)
	ctx := natstest.Context(t)
	go func() { stopped <- p.Stop(ctx) }()
	natstest.Eventually(t, "it takes no more", func() bool {
		_, err := nc.Request(string(echo), nil, 50*time.Millisecond)
		return errors.Is(err, nats.ErrNoResponders)
	})
	go func() {
		for range commands - 1 {
			<-begun
		}
	}()
	close(hold)
	if err := within(t, "it has stopped", stopped); err != nil {
		t.Errorf("stop: %v", err)
	}
	for i := range commands {
		answer, err := inbox.NextMsgWithContext(ctx)
		if err != nil || answer.Header.Get(micro.ErrorCodeHeader) != "" {
			t.Fatalf("answer %d: %v, %v", i, answer, err)
		}
	}
	if err := p.Stop(ctx); err != nil {
		t.Errorf("stop twice: %v", err)
	}
}

// What is not done in time is cut off and told; a handler that does not heed its context
// does not keep the process.
func TestStopCutsOff(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	tests := []struct {
		name string
		wait func(context.Context)
		says string
	}{
		{name: "a handler that waits", wait: func(ctx context.Context) { <-ctx.Done() }, says: "1 commands were cut off"},
		{name: "one that heeds nothing", wait: func(context.Context) { <-release }, says: "1 handlers do not heed their context"},
	}
	for _, tt := range tests {
		begun := make(chan struct{}, 1)
		p := serve(t, natstest.RunBare(t), bus.Config{}, func(ctx context.Context, _ echoRequest) (echoResponse, error) {
			begun <- struct{}{}
			tt.wait(ctx)
			return echoResponse{}, ctx.Err()
		})
		nc := p.ns.Connect(t)
		inbox, err := nc.SubscribeSync(nc.NewInbox())
		if err != nil {
			t.Fatal(err)
		}
		m := message(string(echo), `{"text":"hi"}`)
		m.Reply = inbox.Subject
		if err := nc.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
		within(t, "it begins", begun)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		t.Cleanup(cancel)
		if err := p.Stop(ctx); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: stop says %v, want %q", tt.name, err, tt.says)
		}
		if strings.Contains(tt.says, "cut") {
			answer, err := inbox.NextMsgWithContext(natstest.Context(t))
			if err != nil || answer.Header.Get(micro.ErrorCodeHeader) != string(fault.Unavailable) {
				t.Errorf("%s: its caller is told %v, %v; want unavailable", tt.name, answer, err)
			}
		}
	}
}

// A service stops while NATS is away, and what it had taken is done.
func TestStopWhileNATSIsAway(t *testing.T) {
	t.Parallel()
	begun, hold, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	p := serve(t, natstest.RunBare(t), bus.Config{}, func(ctx context.Context, r echoRequest) (echoResponse, error) {
		close(begun)
		<-hold
		close(done)
		return repeat(ctx, r)
	})
	if err := p.ns.Connect(t).PublishMsg(message(string(echo), `{"text":"hi"}`)); err != nil {
		t.Fatal(err)
	}
	within(t, "it begins", begun)
	p.ns.Stop(t)
	stopped := make(chan error)
	ctx := natstest.Context(t)
	go func() { stopped <- p.Stop(ctx) }()
	close(hold)
	if err := within(t, "it has stopped", stopped); err != nil {
		t.Errorf("stop: %v", err)
	}
	within(t, "the work is done", done)
}

// A service answers again after NATS was away, without being started again.
func TestServiceOutlivesNATS(t *testing.T) {
	t.Parallel()
	p := serve(t, natstest.RunBare(t), bus.Config{}, repeat)
	nc := p.ns.Connect(t)
	for range 3 {
		p.ns.Restart(t)
		r, err := echo.Call(bus.AsSession(natstest.Context(t), "ann", "s1"), nc, echoRequest{Text: "hi"})
		if err != nil || r.Text != "hi" {
			t.Fatalf("after a restart: %+v, %v", r, err)
		}
	}
}

// Whoever starts before NATS waits for it, and gives up with its context.
func TestServiceWaitsForNATS(t *testing.T) {
	t.Parallel()
	ns := natstest.Absent(t)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	cfg := bus.Config{Name: "test", Dialer: ns.Dialer(), Authorize: known, Log: natstest.Quiet()}
	if _, err := bus.NewService(short, cfg); fault.CodeOf(err) != fault.Unavailable {
		t.Fatalf("while nats is away: %v, want unavailable", err)
	}
	type result struct {
		svc *bus.Service
		err error
	}
	started := make(chan result)
	go func() {
		svc, err := bus.NewService(t.Context(), cfg)
		started <- result{svc, err}
	}()
	ns.Start(t)
	r := within(t, "it has started", started)
	if r.err != nil {
		t.Fatal(r.err)
	}
	if err := errors.Join(bus.Handle(r.svc, echo, repeat), r.svc.Ready(t.Context())); err != nil { // a context without a deadline
		t.Fatal(err)
	}
	if _, code := ask(t, ns.Connect(t), message(string(echo), `{"text":"hi"}`)); code != "" {
		t.Errorf("a command: %s", code)
	}
	if err := r.svc.Stop(t.Context()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// nats service ls, info and stats see what there is.
func TestServiceIsFound(t *testing.T) {
	t.Parallel()
	p := serve(t, natstest.RunBare(t), bus.Config{}, repeat)
	nc := p.ns.Connect(t)
	ask(t, nc, message(string(echo), `{"text":"hi"}`))
	ask(t, nc, message(string(echo), `{}`))

	get := func(subject string, v any) {
		t.Helper()
		answer, err := nc.RequestWithContext(natstest.Context(t), subject, nil)
		if err != nil {
			t.Fatalf("%s: %v", subject, err)
		}
		if err := json.Unmarshal(answer.Data, v); err != nil {
			t.Fatalf("%s: %v", subject, err)
		}
	}
	var ping micro.Ping
	get("$SRV.PING.test", &ping)
	if ping.Name != "test" || ping.Version != bus.Version {
		t.Errorf("ping: %+v", ping)
	}
	var info micro.Info
	get("$SRV.INFO.test", &info)
	if info.Description != "what the tests call" || len(info.Endpoints) != 3 {
		t.Fatalf("info: %+v", info)
	}
	for _, e := range info.Endpoints {
		if e.Subject != "hall.test."+e.Name {
			t.Errorf("endpoint %s is served at %s", e.Name, e.Subject)
		}
		for _, schema := range []string{"request_schema", "response_schema"} {
			var s struct {
				Type       string         `json:"type"`
				Properties map[string]any `json:"properties"`
				Required   []string       `json:"required"`
			}
			if err := json.Unmarshal([]byte(e.Metadata[schema]), &s); err != nil {
				t.Errorf("%s of %s: %v", schema, e.Name, err)
			}
			if _, ok := s.Properties["text"]; !ok || s.Type != "object" || !slices.Equal(s.Required, []string{"text"}) {
				t.Errorf("%s of %s: %s", schema, e.Name, e.Metadata[schema])
			}
		}
	}
	if answered, faults := stat(t, nc, "echo", "answered"), stat(t, nc, "echo", "faults"); answered != 2 || faults != 1 {
		t.Errorf("stats: %d answered, %d faults; want 2 and 1", answered, faults)
	}
}

// A hidden service answers and is no micro service.
func TestHidden(t *testing.T) {
	t.Parallel()
	p := serve(t, natstest.RunBare(t), bus.Config{Hidden: true}, repeat)
	nc := p.ns.Connect(t)
	if _, code := ask(t, nc, message(string(echo), `{"text":"hi"}`)); code != "" {
		t.Errorf("a command: %s", code)
	}
	if _, err := nc.Request("$SRV.PING", nil, natstest.Wait); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("ping: %v, want no responders", err)
	}
}

// Two copies share the commands.
func TestCopies(t *testing.T) {
	t.Parallel()
	ns := natstest.RunBare(t)
	var calls [2]atomic.Int32
	for i := range calls {
		serve(t, ns, bus.Config{}, func(ctx context.Context, r echoRequest) (echoResponse, error) {
			calls[i].Add(1)
			return repeat(ctx, r)
		})
	}
	nc := ns.Connect(t)
	const commands = 100
	for range commands {
		ask(t, nc, message(string(echo), `{"text":"hi"}`))
	}
	a, b := calls[0].Load(), calls[1].Load()
	if a+b != commands || a == 0 || b == 0 {
		t.Errorf("the copies did %d and %d of %d", a, b, commands)
	}
}

// Every call is part of a trace: the caller's, or one of its own; a handler's calls carry
// it on.
func TestTrace(t *testing.T) {
	t.Parallel()
	traces := make(chan string, 10)
	p := serve(t, natstest.RunBare(t), bus.Config{}, func(ctx context.Context, r echoRequest) (echoResponse, error) {
		traces <- trace.SpanContextFromContext(ctx).TraceID().String()
		return repeat(ctx, r)
	})
	nc := p.ns.Connect(t)
	const id = "0af7651916cd43dd8448eb211c80319c"
	ask(t, nc, message(string(echo), `{"text":"hi"}`, "traceparent", "00-"+id+"-b7ad6b7169203331-01"))
	if got := within(t, "the handler", traces); got != id {
		t.Errorf("the handler's trace is %s, want the header's", got)
	}
	heard, err := nc.SubscribeSync(string(echo))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 3 {
		if _, err := echo.Call(bus.AsSession(natstest.Context(t), "ann", "s1"), nc, echoRequest{Text: "hi"}); err != nil {
			t.Fatal(err)
		}
		m, err := heard.NextMsgWithContext(natstest.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		parent := m.Header.Get("traceparent")
		if len(parent) != 55 || seen[parent] {
			t.Errorf("traceparent %q", parent)
		}
		seen[parent] = true
		if got := within(t, "the handler", traces); got != parent[3:35] {
			t.Errorf("the handler's trace is %s, the header's %s", got, parent)
		}
	}
}

// Nothing is left behind: TestMain looks for goroutines, this for what holds them.
func TestStoppedServiceIsGone(t *testing.T) {
	t.Parallel()
	ns := natstest.RunBare(t)
	p := serve(t, ns, bus.Config{}, repeat)
	if err := p.Stop(natstest.Context(t)); err != nil {
		t.Fatal(err)
	}
	if !p.Conn().IsClosed() {
		t.Error("its connection is open")
	}
	natstest.Eventually(t, "nobody answers", func() bool {
		_, err := ns.Connect(t).Request("$SRV.PING.test", nil, natstest.Wait)
		return errors.Is(err, nats.ErrNoResponders)
	})
	runtime.KeepAlive(p)
}
