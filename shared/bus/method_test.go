package bus_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
)

// played answers echo by hand, as a service of another make might.
func played(t *testing.T, nc *nats.Conn, answer func(n int, m *nats.Msg) *nats.Msg) {
	t.Helper()
	n := 0
	_, err := nc.Subscribe(string(echo), func(m *nats.Msg) {
		n++
		if r := answer(n, m); r != nil {
			r.Subject = m.Reply
			if err := nc.PublishMsg(r); err != nil {
				t.Errorf("answer: %v", err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}

func TestCallSendsWhoCalls(t *testing.T) {
	t.Parallel()
	nc := natstest.RunBare(t).Connect(t)
	heard := make(chan *nats.Msg, 10)
	played(t, nc, func(_ int, m *nats.Msg) *nats.Msg {
		heard <- m
		return &nats.Msg{Data: []byte(`{"text":"hi"}`)}
	})
	tests := []struct {
		name                   string
		ctx                    func(context.Context) context.Context
		user, session, command string // command "": made up
	}{
		{name: "nobody", ctx: func(ctx context.Context) context.Context { return ctx }},
		{name: "a user", ctx: func(ctx context.Context) context.Context { return bus.As(ctx, "ann") }, user: "ann"},
		{name: "a session", ctx: func(ctx context.Context) context.Context { return bus.AsSession(ctx, "ann", "s1") }, user: "ann", session: "s1"},
		{
			name: "a command", ctx: func(ctx context.Context) context.Context { return bus.WithCommand(bus.As(ctx, "ann"), "c1") },
			user: "ann", command: "c1",
		},
		{
			name: "the other way round", ctx: func(ctx context.Context) context.Context { return bus.As(bus.WithCommand(ctx, "c1"), "ann") },
			user: "ann", command: "c1",
		},
		{
			name: "another user of an inner context", ctx: func(ctx context.Context) context.Context { return bus.As(bus.AsSession(ctx, "bob", "s2"), "ann") },
			user: "ann",
		},
	}
	for _, tt := range tests {
		if _, err := echo.Call(tt.ctx(natstest.Context(t)), nc, echoRequest{Text: "hi"}); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		h := (<-heard).Header
		if h.Get(bus.HeaderUser) != tt.user || h.Get(bus.HeaderSession) != tt.session {
			t.Errorf("%s: headers %v", tt.name, h)
		}
		if id := h.Get(bus.HeaderCommandID); tt.command != "" && id != tt.command || len(id) != 32 && tt.command == "" {
			t.Errorf("%s: command %q, want %q", tt.name, id, tt.command)
		}
		if h.Get("traceparent") == "" {
			t.Errorf("%s: no traceparent in %v", tt.name, h)
		}
	}
}

// A handler's own calls carry its command's id and its caller.
func TestCallWithinAHandler(t *testing.T) {
	t.Parallel()
	ns := natstest.RunBare(t)
	nc := ns.Connect(t)
	heard := make(chan nats.Header, 1)
	const inner bus.Method[echoRequest, echoResponse] = "hall.inner.*.echo"
	if _, err := nc.Subscribe("hall.inner.7.echo", func(m *nats.Msg) {
		heard <- m.Header
		_ = m.Respond([]byte(`{"text":"inner"}`)) // the call would fail
	}); err != nil {
		t.Fatal(err)
	}
	serve(t, ns, bus.Config{}, func(ctx context.Context, r echoRequest) (echoResponse, error) {
		return inner.To("7").Call(ctx, nc, r)
	})
	resp, err := echo.Call(bus.WithCommand(bus.AsSession(natstest.Context(t), "Ann", "s1"), "c1"), nc, echoRequest{Text: "hi"})
	if err != nil || resp.Text != "inner" {
		t.Fatalf("%+v, %v", resp, err)
	}
	h := <-heard
	if h.Get(bus.HeaderUser) != "ann" || h.Get(bus.HeaderSession) != "s1" || h.Get(bus.HeaderCommandID) != "c1" {
		t.Errorf("the inner call has %v", h)
	}
}

// Every fault arrives as it was sent; one that this version does not know is internal.
func TestCallFaults(t *testing.T) {
	t.Parallel()
	nc := natstest.RunBare(t).Connect(t)
	var code string
	played(t, nc, func(int, *nats.Msg) *nats.Msg {
		return &nats.Msg{Header: nats.Header{micro.ErrorCodeHeader: {code}, micro.ErrorHeader: {"a sentence"}}}
	})
	for _, c := range append(fault.Codes(), "from_the_future") {
		code = string(c)
		_, err := echo.Call(natstest.Context(t), nc, echoRequest{Text: "hi"})
		want := c
		if !c.Known() {
			want = fault.Internal
		}
		if fault.CodeOf(err) != want || err.Error() != "a sentence" {
			t.Errorf("%s arrives as %q %v", c, fault.CodeOf(err), err)
		}
	}
}

// A call goes on until a service that starts late answers, with the same command id.
func TestCallWaitsForAService(t *testing.T) {
	t.Parallel()
	ns := natstest.RunBare(t)
	nc := ns.Connect(t)
	type result struct {
		resp echoResponse
		err  error
	}
	done := make(chan result)
	ctx := bus.WithCommand(bus.AsSession(natstest.Context(t), "ann", "s1"), "c1")
	go func() {
		resp, err := echo.Call(ctx, nc, echoRequest{Text: "hi"})
		done <- result{resp, err}
	}()
	// The call has been refused at least twice: its messages, not their answers, are counted.
	natstest.Eventually(t, "the call was sent and sent again", func() bool { return nc.Stats().OutMsgs >= 2 })
	serve(t, ns, bus.Config{}, repeat)
	if r := within(t, "the answer", done); r.err != nil || r.resp.Text != "hi" || r.resp.Command != "c1" {
		t.Errorf("got %+v, %v", r.resp, r.err)
	}
}

// An answer that is lost is asked for again under the same id, with the time that is left.
func TestCallAsksAgain(t *testing.T) {
	t.Parallel()
	nc := natstest.RunBare(t).Connect(t)
	heard := make(chan *nats.Msg, 10)
	played(t, nc, func(n int, m *nats.Msg) *nats.Msg {
		heard <- m
		switch n {
		case 1:
			return nil
		case 2:
			return &nats.Msg{Header: nats.Header{micro.ErrorCodeHeader: {"unavailable"}, "Hall-Pending": {"1"}}}
		}
		return &nats.Msg{Data: []byte(`{"text":"at last"}`)}
	})
	resp, err := echo.Call(natstest.Context(t), nc, echoRequest{Text: "hi"}, bus.Patience(600*time.Millisecond))
	if err != nil || resp.Text != "at last" {
		t.Fatalf("got %+v, %v", resp, err)
	}
	first, second, third := <-heard, <-heard, <-heard
	for _, m := range []*nats.Msg{second, third} {
		if m.Header.Get(bus.HeaderCommandID) != first.Header.Get(bus.HeaderCommandID) || !bytes.Equal(m.Data, first.Data) {
			t.Errorf("asked %v, then %v", first.Header, m.Header)
		}
	}
	if a, b := first.Header.Get(bus.HeaderTimeout), third.Header.Get(bus.HeaderTimeout); a == "" || a == b {
		t.Errorf("time left: %s, then %s", a, b)
	}
}

// A refusal is final only when nobody else has the command: a copy that is slow may carry it
// out once things are otherwise. One that always holds is told as it is.
func TestCallRefusedByAnother(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		silent int // attempts that are not answered
		code   fault.Code
		opts   []bus.CallOption
		want   fault.Code
	}{
		{"at once", 0, fault.UserOffline, nil, fault.UserOffline},
		{"by another copy", 1, fault.UserOffline, nil, fault.Unavailable},
		{"by one that thinks the session over", 1, fault.NotSignedIn, nil, fault.Unavailable},
		{"by another round's numbers", 1, fault.WrongNumbers, nil, fault.Unavailable},
		{"for this round", 1, fault.AlreadyAnswered, nil, fault.Unavailable},
		{"for good", 1, fault.BadExpression, nil, fault.BadExpression},
		{"what only asks", 1, fault.NotInRoom, []bus.CallOption{bus.Patience(10 * time.Second)}, fault.NotInRoom},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			nc := natstest.RunBare(t).Connect(t)
			played(t, nc, func(n int, _ *nats.Msg) *nats.Msg {
				if n <= tt.silent {
					return nil
				}
				return &nats.Msg{Header: nats.Header{
					micro.ErrorCodeHeader: {string(tt.code)}, micro.ErrorHeader: {"no"},
				}}
			})
			ctx, cancel := context.WithTimeout(natstest.Context(t), 3*time.Second)
			defer cancel()
			_, err := echo.Call(ctx, nc, echoRequest{Text: "hi"}, tt.opts...)
			if got := fault.CodeOf(err); got != tt.want {
				t.Errorf("the call ended with %v, want %s", err, tt.want)
			}
		})
	}
}

// A copy that was slow has the last word, not the one that refused meanwhile.
func TestCallWaitsForTheSlow(t *testing.T) {
	t.Parallel()
	refusal := nats.Header{micro.ErrorCodeHeader: {string(fault.UserOffline)}, micro.ErrorHeader: {"no"}}
	tests := []struct {
		name string
		late *nats.Msg
		want fault.Code
	}{
		{"it was carried out", &nats.Msg{Data: []byte(`{"text":"hi"}`)}, ""},
		{"it was refused, too", &nats.Msg{Header: refusal}, fault.UserOffline},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			nc := natstest.RunBare(t).Connect(t)
			first := ""
			played(t, nc, func(n int, m *nats.Msg) *nats.Msg {
				if n == 1 {
					first = m.Reply
					return nil
				}
				time.AfterFunc(50*time.Millisecond, func() {
					_ = nc.PublishMsg(&nats.Msg{Subject: first, Header: tt.late.Header, Data: tt.late.Data}) // the call would fail
				})
				return &nats.Msg{Header: refusal}
			})
			_, err := echo.Call(natstest.Context(t), nc, echoRequest{Text: "hi"})
			if got := fault.CodeOf(err); got != tt.want || tt.want == "" && err != nil {
				t.Errorf("the call ended with %v, want %q", err, tt.want)
			}
		})
	}
}

// How a call ends without an answer, and when at the latest.
func TestCallEnds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		there  bool // somebody hears and is silent
		opts   []bus.CallOption
		ctx    time.Duration // 0: natstest.Wait
		nobody bool
	}{
		{name: "nobody, patience", opts: []bus.CallOption{bus.Patience(100 * time.Millisecond)}, nobody: true},
		{name: "nobody, one attempt", opts: []bus.CallOption{bus.Attempt(100 * time.Millisecond)}, nobody: true},
		{name: "nobody, deadline", ctx: 100 * time.Millisecond, nobody: true},
		{name: "silence, patience", there: true, opts: []bus.CallOption{bus.Patience(100 * time.Millisecond)}},
		{name: "silence, one attempt", there: true, opts: []bus.CallOption{bus.Attempt(100 * time.Millisecond)}},
		{name: "silence, deadline", there: true, ctx: 100 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			nc := natstest.RunBare(t).Connect(t)
			if tt.there {
				played(t, nc, func(int, *nats.Msg) *nats.Msg { return nil })
			}
			ctx := natstest.Context(t)
			if tt.ctx > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tt.ctx)
				defer cancel()
			}
			begun := time.Now()
			_, err := echo.Call(ctx, nc, echoRequest{Text: "hi"}, tt.opts...)
			// On a busy machine the last attempt may be cut off before the server says that nobody
			// is there; then that is not known.
			known := !tt.nobody || errors.Is(err, bus.ErrNobody) || time.Since(begun) > 200*time.Millisecond
			if fault.CodeOf(err) != fault.Unavailable || !known || errors.Is(err, bus.ErrNobody) && !tt.nobody {
				t.Errorf("error %v, want unavailable, nobody there: %v", err, tt.nobody)
			}
			// A last attempt too short for an answer is not made. Far more than 100 ms, for a busy machine; far less than a call without limits.
			if took := time.Since(begun); took < 90*time.Millisecond || took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestCallIsCancelled(t *testing.T) {
	t.Parallel()
	nc := natstest.RunBare(t).Connect(t)
	ctx, cancel := context.WithCancel(t.Context())
	played(t, nc, func(int, *nats.Msg) *nats.Msg { cancel(); return nil })
	if _, err := echo.Call(ctx, nc, echoRequest{Text: "hi"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// What no retry can mend ends a call at once.
func TestCallFailsForGood(t *testing.T) {
	t.Parallel()
	nc := natstest.RunBare(t).Connect(t)
	closed := natstest.RunBare(t).Connect(t)
	closed.Close()
	const bad bus.Method[echoRequest, echoResponse] = "hall.edge.*.echo"
	played(t, nc, func(int, *nats.Msg) *nats.Msg { return &nats.Msg{Data: []byte(`{"text":1}`)} })
	tests := []struct {
		name string
		nc   *nats.Conn
		call bus.Method[echoRequest, echoResponse]
		text string
		code fault.Code
	}{
		{name: "closed connection", nc: closed, call: echo, code: fault.Unavailable},
		{name: "no subject", nc: nc, call: bad.To("a b"), code: fault.Internal},
		{name: "far too long", nc: nc, call: echo, text: string(make([]byte, 2<<20)), code: fault.Internal},
		{name: "an answer of another type", nc: nc, call: echo, code: fault.Internal},
	}
	for _, tt := range tests {
		begun := time.Now()
		if _, err := tt.call.Call(natstest.Context(t), tt.nc, echoRequest{Text: tt.text}); fault.CodeOf(err) != tt.code {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.code)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s took %v", tt.name, took)
		}
	}
}

func TestSubjectsOfOne(t *testing.T) {
	t.Parallel()
	const m bus.Method[echoRequest, echoResponse] = "hall.edge.*.whisper"
	const e bus.Event[echoRequest] = "hall.events.room.*"
	if got := m.To("e1"); got != "hall.edge.e1.whisper" {
		t.Errorf("method of e1: %s", got)
	}
	if got := e.Of("r1"); got != "hall.events.room.r1" {
		t.Errorf("event of r1: %s", got)
	}
	if got := echo.To("e1"); got != echo {
		t.Errorf("method of all: %s", got)
	}
}

func TestNewID(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		id := bus.NewID()
		if len(id) != 32 || seen[id] {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
	}
}

func BenchmarkCall(b *testing.B) {
	for _, bb := range []struct {
		name   string
		method bus.Method[echoRequest, echoResponse]
	}{{"command", echo}, {"read", look}} {
		b.Run(bb.name, func(b *testing.B) {
			ns := natstest.RunBare(b)
			serve(b, ns, bus.Config{}, repeat)
			nc := ns.Connect(b)
			ctx := bus.AsSession(b.Context(), "ann", "s1")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bb.method.Call(ctx, nc, echoRequest{Text: "hi"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCallParallel(b *testing.B) {
	ns := natstest.RunBare(b)
	serve(b, ns, bus.Config{}, repeat)
	nc := ns.Connect(b)
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		ctx := bus.AsSession(b.Context(), "ann", "s1")
		for pb.Next() {
			if _, err := look.Call(ctx, nc, echoRequest{Text: "hi"}); err != nil {
				b.Error(err)
			}
		}
	})
}
