package chat

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"

	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/edgeapi"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// edge plays one: it delivers to the sessions that it holds, and remembers what it got.
type edge struct {
	mu   sync.Mutex
	hold map[string]bool // session ids
	got  []edgeapi.WhisperRequest
}

func newEdge(t *testing.T, ns *natstest.Server, id string, holds ...session.Record) *edge {
	t.Helper()
	e := &edge{hold: map[string]bool{}}
	for _, r := range holds {
		e.hold[r.Session] = true
	}
	natstest.Answer(t, ns, edgeapi.Whisper.To(id), func(_ context.Context, r edgeapi.WhisperRequest) (edgeapi.WhisperResponse, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.hold[r.Session] {
			e.got = append(e.got, r)
		}
		return edgeapi.WhisperResponse{Delivered: e.hold[r.Session]}, nil
	})
	return e
}

func (e *edge) delivered() []edgeapi.WhisperRequest {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.got
}

// lease gives an edge a lease, as it would itself.
func lease(t *testing.T, ns *natstest.Server, id string) {
	t.Helper()
	kv, err := ns.JetStream(t).KeyValue(natstest.Context(t), streams.Edges)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(session.Lease{Edge: id, Since: time.Now().UTC()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(natstest.Context(t), id, data); err != nil {
		t.Fatal(err)
	}
}

func unlease(t *testing.T, ns *natstest.Server, id string) {
	t.Helper()
	kv, err := ns.JetStream(t).KeyValue(natstest.Context(t), streams.Edges)
	if err != nil {
		t.Fatal(err)
	}
	if err := kv.Delete(natstest.Context(t), id); err != nil {
		t.Fatal(err)
	}
}

// subscribe hears what is published at subject from now on.
func subscribe(t *testing.T, ns *natstest.Server, subject string) *nats.Subscription {
	t.Helper()
	nc := ns.Connect(t)
	sub, err := nc.SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.FlushWithContext(natstest.Context(t)); err != nil {
		t.Fatal(err)
	}
	return sub
}

// whisper sends one in r's name, within d.
func whisper(t *testing.T, nc *nats.Conn, from session.Record, to, text string, d time.Duration) (chatapi.WhisperResponse, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(natstest.As(t.Context(), from), d)
	defer cancel()
	return chatapi.Whisper.Call(ctx, nc, chatapi.WhisperRequest{To: to, Text: text})
}

func TestWhisper(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	start(t, ns)
	nc := ns.Connect(t)
	ann := ns.SignIn(t, "ann", "edge1")
	bob := ns.SignIn(t, "bob", "edge2")
	ns.SignIn(t, "gone", "edge2")  // edge2 does not hold it: detached
	cli := ns.SignIn(t, "cli", "") // signed in with the nats CLI
	newEdge(t, ns, "edge1", ann, cli)
	edge2 := newEdge(t, ns, "edge2", bob)

	tests := []struct {
		name, to, text string
		code           fault.Code
		message        string
	}{
		{name: "delivered", to: "bob", text: "hi"},
		{name: "in any case, trimmed", to: "BoB", text: "  hi "},
		{name: "full-width", to: "ＢＯＢ", text: "hi"},
		{name: "a command is text", to: "bob", text: "/QUIT"},
		{name: "detached", to: "Gone", text: "hi", code: fault.UserOffline, message: "gone is offline"},
		{name: "no edge", to: "cli", text: "hi", code: fault.UserOffline, message: "cli is offline"},
		{name: "unknown", to: "Carl", text: "hi", code: fault.UserOffline, message: "carl is offline"},
		{name: "no name", to: "a*", text: "hi", code: fault.UserOffline, message: "a* is offline"},
		{name: "hostile name", to: "\x1b[2J\nsystem:\u202e you won", text: "hi", code: fault.UserOffline, message: "[2Jsystem: you won is offline"},
		{name: "nothing to show", to: "\x01\u200b", text: "hi", code: fault.UserOffline, message: "that user is offline"},
		{name: "long name", to: strings.Repeat("ü", 100), text: "hi", code: fault.UserOffline, message: strings.Repeat("ü", 32) + " is offline"},
		{name: "oneself", to: "ANN", text: "hi", code: fault.BadRequest, message: "you can't whisper to yourself"},
		{name: "no text", to: "bob", text: "", code: fault.BadRequest},
		{name: "control character", to: "bob", text: "a\x07b", code: fault.BadRequest},
		{name: "too long", to: "bob", text: strings.Repeat("x", 2001), code: fault.TooLong},
	}
	// One after the other: what is delivered is compared with what was sent.
	for _, tt := range tests {
		before := len(edge2.delivered())
		resp, err := whisper(t, nc, ann, tt.to, tt.text, natstest.Wait)
		if got := fault.CodeOf(err); got != tt.code || err != nil && tt.message != "" && err.Error() != tt.message {
			t.Errorf("%s: code %q, want %q; error %v, want %q", tt.name, got, tt.code, err, tt.message)
			continue
		}
		got := edge2.delivered()[before:]
		if tt.code != "" {
			if len(got) != 0 {
				t.Errorf("%s: refused, and delivered: %+v", tt.name, got)
			}
			continue
		}
		text := strings.TrimSpace(tt.text)
		if resp != (chatapi.WhisperResponse{To: "bob", Text: text}) {
			t.Errorf("%s: answer %+v", tt.name, resp)
		}
		if want := (edgeapi.WhisperRequest{Session: bob.Session, From: "ann", To: "bob", Text: text}); len(got) != 1 || got[0] != want {
			t.Errorf("%s: delivered %+v, want %+v", tt.name, got, want)
		}
	}
}

// Only the edge of the target hears a whisper, and it does not learn the sender's session.
// Nothing is stored.
func TestWhisperIsForOneEdge(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	start(t, ns)
	nc := ns.Connect(t)
	ann := ns.SignIn(t, "ann", "edge1")
	bob := ns.SignIn(t, "bob", "edge2")
	newEdge(t, ns, "edge1", ann)
	newEdge(t, ns, "edge2", bob)
	newEdge(t, ns, "edge3")
	spy := subscribe(t, ns, "hall.>")
	if _, err := whisper(t, nc, ann, "bob", "a secret", natstest.Wait); err != nil {
		t.Fatal(err)
	}
	if err := nc.Publish("hall.spy.end", nil); err != nil {
		t.Fatal(err)
	}
	toEdge := 0
	for {
		m, err := spy.NextMsg(natstest.Wait)
		if err != nil {
			t.Fatal(err)
		}
		if m.Subject == "hall.spy.end" {
			break
		}
		switch m.Subject {
		case string(chatapi.Whisper):
		case string(edgeapi.Whisper.To("edge2")):
			toEdge++
			if got := m.Header.Get(bus.HeaderSession); got != "" || strings.Contains(string(m.Data), ann.Session) {
				t.Error("the edge of the target was given the sender's session")
			}
			if got := m.Header.Get(bus.HeaderUser); got != "ann" {
				t.Errorf("in the name of %q, want ann", got)
			}
		default:
			t.Errorf("heard at %s: %s", m.Subject, m.Data)
		}
	}
	if toEdge == 0 {
		t.Error("the spy did not hear the whisper")
	}
	if n := len(stored(t, ns)); n != 0 {
		t.Errorf("%d messages stored", n)
	}
}

// The edge of the target is gone: with a lease it may come back, without one its users are
// offline.
func TestWhisperToADeadEdge(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	start(t, ns)
	nc := ns.Connect(t)
	ann := ns.SignIn(t, "ann", "edge1")
	bob := ns.SignIn(t, "bob", "edge2")
	lease(t, ns, "edge2")
	natstest.Eventually(t, "with a lease it is unavailable, and is told whom", func() bool {
		_, err := whisper(t, nc, ann, "bob", "hi", 3*askFor) // on a busy machine the answer may be too late
		if fault.CodeOf(err) != fault.Unavailable {
			t.Fatalf("with a lease: %v, want it unavailable", err)
		}
		return strings.Contains(err.Error(), "bob cannot be reached")
	})
	back := make(chan error, 1)
	go func() {
		_, err := whisper(t, nc, ann, "bob", "hi again", natstest.Wait)
		back <- err
	}()
	edge2 := newEdge(t, ns, "edge2", bob)
	if err := <-back; err != nil {
		t.Errorf("the edge came back: %v", err)
	}
	if got := edge2.delivered(); len(got) != 1 || got[0].Text != "hi again" {
		t.Errorf("delivered %+v, want the second one once", got)
	}
	ns.SignIn(t, "carl", "edge4")
	if _, err := whisper(t, nc, ann, "carl", "hi", natstest.Wait); fault.CodeOf(err) != fault.UserOffline {
		t.Errorf("without a lease: %v, want user_offline", err)
	}
	lease(t, ns, "edge5")
	ns.SignIn(t, "dora", "edge5")
	lost := make(chan error, 1)
	go func() {
		_, err := whisper(t, nc, ann, "dora", "hi", natstest.Wait)
		lost <- err
	}()
	unlease(t, ns, "edge5")
	if err := <-lost; fault.CodeOf(err) != fault.UserOffline {
		t.Errorf("the lease ran out: %v, want user_offline", err)
	}
}

// A retry carries the same id, so an edge that answers late delivers once.
func TestWhisperToASlowEdge(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	start(t, ns)
	nc := ns.Connect(t)
	ann := ns.SignIn(t, "ann", "edge1")
	ns.SignIn(t, "bob", "edge2")
	requests := subscribe(t, ns, string(edgeapi.Whisper.To("edge2")))
	whispered := make(chan error, 1)
	go func() {
		_, err := whisper(t, nc, ann, "bob", "hi", natstest.Wait)
		whispered <- err
	}()
	ids := map[string]bool{}
	var last *nats.Msg
	for range 3 { // the first two are not answered
		var err error
		if last, err = requests.NextMsg(natstest.Wait); err != nil {
			t.Fatal(err)
		}
		ids[last.Header.Get(bus.HeaderCommandID)] = true
	}
	if err := last.Respond([]byte(`{"delivered":true}`)); err != nil {
		t.Fatal(err)
	}
	if err := <-whispered; err != nil {
		t.Error(err)
	}
	if len(ids) != 1 {
		t.Errorf("%d ids, want the same one: %v", len(ids), ids)
	}
}

// An edge has the whisper and says nothing: it may have been delivered, so it is not said
// that the user is offline, also when the edge is gone for good, and nobody else gets it.
func TestWhisperOfUnknownOutcome(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	start(t, ns)
	nc := ns.Connect(t)
	ann := ns.SignIn(t, "ann", "edge1")
	ns.SignIn(t, "bob", "edge2")
	silent := subscribe(t, ns, string(edgeapi.Whisper.To("edge2")))
	whispered := make(chan error, 1)
	go func() {
		_, err := whisper(t, nc, ann, "bob", "hi", 5*askFor)
		whispered <- err
	}()
	for range 2 { // the second one is after the first was given up
		if _, err := silent.NextMsg(natstest.Wait); err != nil {
			t.Fatal(err)
		}
	}
	if err := silent.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	bob := ns.SignIn(t, "bob", "edge3")
	edge3 := newEdge(t, ns, "edge3", bob)
	if err := <-whispered; fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("%v, want unavailable", err)
	}
	if got := edge3.delivered(); len(got) != 0 {
		t.Errorf("delivered once more: %+v", got)
	}
}

// The target moves while it is whispered to: the new session gets it, once.
func TestWhisperFollowsTheTarget(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"edge2", "edge3"} { // another session at the same edge, and at another one
		t.Run("to "+to, func(t *testing.T) {
			t.Parallel()
			ns := natstest.Run(t)
			start(t, ns)
			nc := ns.Connect(t)
			ann := ns.SignIn(t, "ann", "edge1")
			bob := ns.SignIn(t, "bob", "edge2")
			asked, moved := make(chan bool), make(chan session.Record)
			var now session.Record
			var mu sync.Mutex
			delivered := 0
			deliver := func(_ context.Context, r edgeapi.WhisperRequest) (edgeapi.WhisperResponse, error) {
				if r.Session == bob.Session { // it is just being taken over
					asked <- true
					moved := <-moved
					mu.Lock()
					now = moved
					mu.Unlock()
					return edgeapi.WhisperResponse{}, nil
				}
				mu.Lock()
				defer mu.Unlock()
				if r.Session == now.Session {
					delivered++
				}
				return edgeapi.WhisperResponse{Delivered: r.Session == now.Session}, nil
			}
			natstest.Answer(t, ns, edgeapi.Whisper.To("edge2"), deliver)
			natstest.Answer(t, ns, edgeapi.Whisper.To("edge3"), deliver)
			whispered := make(chan error, 1)
			go func() {
				_, err := whisper(t, nc, ann, "bob", "hi", natstest.Wait)
				whispered <- err
			}()
			<-asked
			moved <- ns.SignIn(t, "bob", to)
			if err := <-whispered; err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if delivered != 1 {
				t.Errorf("delivered %d times, want once", delivered)
			}
		})
	}
}

// A retry of the command at another copy asks the edge with the same id.
func TestWhisperRetriedAtAnotherCopy(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	first := start(t, ns)
	nc := ns.Connect(t)
	ann := ns.SignIn(t, "ann", "edge1")
	bob := ns.SignIn(t, "bob", "edge2")
	edge2 := newEdge(t, ns, "edge2", bob)
	ctx := bus.WithCommand(natstest.As(natstest.Context(t), ann), "c1")
	req := chatapi.WhisperRequest{To: "bob", Text: "hi"}
	if _, err := chatapi.Whisper.Call(ctx, nc, req); err != nil {
		t.Fatal(err)
	}
	start(t, ns)
	stop(t, first)
	if _, err := chatapi.Whisper.Call(ctx, nc, req); err != nil {
		t.Fatal(err)
	}
	if got := edge2.delivered(); len(got) != 1 {
		t.Errorf("delivered %d times, want once", len(got))
	}
}
