package edge_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"gamehall/edge"
	"gamehall/shared/event"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// A line whose telling was lost is read from the stream before the next one is shown.
func TestLostLineInTheMiddle(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	h.line(t, "one")
	ann.want("somebody: one")
	hear := h.edge.Deafen(t, streams.LobbyChannel)
	h.line(t, "two")
	h.line(t, "three")
	hear()
	h.line(t, "four")
	ann.want("somebody: two", "somebody: three", "somebody: four")
	ann.quiet()
	if got := h.metric(t, "hall_edge_holes_total"); got == 0 {
		t.Error("no hole was counted")
	}
}

// When no other line follows, the lost one is found by looking at the stream's end, and soon.
func TestLostLastLine(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	h.edge.Deafen(t, streams.LobbyChannel)
	for i := range 3 {
		said := time.Now()
		h.line(t, fmt.Sprint("line ", i))
		ann.want(fmt.Sprint("somebody: line ", i))
		if late := time.Since(said); late > 3*time.Second {
			t.Errorf("the line came after %v", late)
		}
	}
}

// A room that is opened after another channel went far ahead is looked at, too.
func TestLostLastLineOfAQuietRoom(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	ann.send("/JOINROOM den")
	ann.want("system: you joined den")
	den := roomChannel("den")
	h.edge.Deafen(t, den)
	h.tell(t, den, event.Event{Kind: event.RoomChat, Room: "den", From: "bob", Text: "psst"})
	for i := range 20 {
		h.line(t, fmt.Sprint("noise ", i))
	}
	found := false
	for range 21 {
		found = ann.line() == "[den] bob: psst" || found
	}
	if !found {
		t.Error("the room's line was not shown")
	}
}

// An edge that does not keep up with NATS drops what finds no room, counts it, and shows it
// all the same.
func TestSlowConsumerOfNATS(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	nc := h.ns.Connect(t)
	sub, err := nc.SubscribeSync(streams.Live(streams.LobbyChannel))
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	h.line(t, "one")
	had, err := sub.NextMsgWithContext(natstest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	ann.want("somebody: one")
	h.edge.Hold(t, func() {
		for range edge.LiveMost { // what it had, again
			if err := nc.PublishMsg(&nats.Msg{Subject: had.Subject, Header: had.Header, Data: had.Data}); err != nil {
				t.Fatal(err)
			}
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		h.edge.Full(t)
		h.line(t, "two")
		h.line(t, "three")
		h.edge.Dropped(t, streams.LobbyChannel, 2)
	})
	ann.want("somebody: two", "somebody: three")
	h.line(t, "four")
	ann.want("somebody: four")
	ann.quiet()
	natstest.Eventually(t, "what was dropped is counted", func() bool { return h.metric(t, "hall_edge_dropped_live_events_total") >= 2 })
}

// A live message that comes again, or late, is not shown again.
func TestRepeatedLiveMessage(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	nc := h.ns.Connect(t)
	sub, err := nc.SubscribeSync(streams.Live(streams.LobbyChannel))
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	var told []*nats.Msg
	for i := range 3 {
		h.line(t, fmt.Sprint("line ", i))
		m, err := sub.NextMsgWithContext(natstest.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, m)
		ann.want(fmt.Sprint("somebody: line ", i))
	}
	for _, m := range append(told, told...) {
		if err := nc.PublishMsg(&nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	h.line(t, "last")
	ann.want("somebody: last")
	ann.quiet()
}

// What cannot be read is skipped, and so is what is told without its sequence.
func TestPoison(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	program := framesTo(t, h.edge)
	enter(t, program, "bob")
	ann.want("system: bob joined the hall")
	before := h.line(t, "before it")
	nc := h.ns.Connect(t)
	if _, err := h.js.Publish(natstest.Context(t), streams.Subject(streams.LobbyChannel), []byte("no JSON")); err != nil {
		t.Fatal(err)
	}
	for _, header := range []nats.Header{
		nil,
		{"Nats-Sequence": {"x"}},
		{"Nats-Sequence": {"99"}},
	} {
		m := &nats.Msg{Subject: streams.Live(streams.LobbyChannel), Header: header, Data: []byte(`{"event":"chat","from":"eve","text":"boo"}`)}
		if err := nc.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	h.tell(t, streams.LobbyChannel, event.Event{Kind: "of.a.later.version", Text: "?"})
	after := h.line(t, "after it")
	ann.want("somebody: before it", "somebody: after it")
	ann.quiet()
	// To a client there is nothing between the two that it could have missed.
	chain := fmt.Sprintf(`"seq":%d,"prev":%d`, after, before)
	for object := program.next(); !strings.Contains(object, chain); object = program.next() {
		if strings.Contains(object, "after it") {
			t.Fatalf("told %s, want %s", object, chain)
		}
	}
	if got := h.metric(t, "hall_edge_poison_events_total"); got != 1 {
		t.Errorf("%d events could not be read, want 1", got)
	}
}

// keepOnly lets the stream keep the newest message of each channel alone.
func (h *hall) keepOnly(t *testing.T) {
	t.Helper()
	ctx := natstest.Context(t)
	stream, err := h.js.Stream(ctx, streams.Events)
	if err != nil {
		t.Fatal(err)
	}
	cfg := stream.CachedInfo().Config
	cfg.MaxMsgsPerSubject = 1
	if _, err := h.js.UpdateStream(ctx, cfg); err != nil {
		t.Fatal(err)
	}
}

// What was lost and is no longer kept is told as a gap, also when the end of a hole is kept
// and only its beginning is not.
func TestGap(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		more bool // a line follows that is heard
		want []string
	}{
		{name: "the beginning", want: []string{"system: up to 2 lines before this are no longer kept", "somebody: three"}},
		{name: "all", more: true, want: []string{"system: up to 3 lines before this are no longer kept", "somebody: four"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := start(t, nil)
			ann := h.signIn(t, "ann")
			hear := h.edge.Deafen(t, streams.LobbyChannel)
			// Nothing may be looked for before it is gone: NATS is asked by the edge once a second.
			h.edge.Hold(t, func() {
				h.line(t, "one")
				h.line(t, "two")
				h.line(t, "three")
				h.keepOnly(t)
				if tt.more {
					hear()
					h.line(t, "four")
				}
			})
			ann.want(tt.want...)
			ann.quiet()
			if got := h.metric(t, "hall_edge_gaps_total"); got != 1 {
				t.Errorf("%d gaps were counted, want 1", got)
			}
			// The hall goes on after it.
			if !tt.more {
				hear()
			}
			h.line(t, "five")
			ann.want("somebody: five")
		})
	}
}

// NATS is restarted under the players: no connection is closed, and every line comes to
// everybody once and in one order.
func TestNATSRestarts(t *testing.T) {
	t.Parallel()
	const lines = 60
	h := start(t, nil)
	ann, bob := h.signIn(t, "ann"), h.signIn(t, "bob")
	ann.want("system: bob joined the hall")
	var sender sync.WaitGroup
	defer sender.Wait()
	sender.Go(func() {
		for i := range lines {
			if _, err := fmt.Fprintf(ann.nc, "line %d\n", i); err != nil {
				t.Errorf("say: %v", err)
			}
		}
	})
	for _, c := range []*client{ann, bob} {
		for i := 0; i < lines; {
			switch got := c.line(); got {
			case fmt.Sprint("ann: line ", i):
				if i++; c == ann && (i == lines/3 || i == 2*lines/3) {
					h.ns.Restart(t)
				}
			case "system: the hall is slow, still trying":
			default:
				t.Fatalf("got %q, want line %d", got, i)
			}
		}
		c.quiet()
	}
}
