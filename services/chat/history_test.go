package chat

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/name"
	"gamehall/shared/natstest"
	"gamehall/shared/roomapi"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// put stores an event as its service would and gives its sequence.
func put(t *testing.T, ns *natstest.Server, subject string, e any) uint64 {
	t.Helper()
	seq, err := streams.Publish(natstest.Context(t), ns.JetStream(t), subject, bus.NewID(), e)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// ask asks for history in r's name.
func ask(t *testing.T, nc *nats.Conn, r session.Record, req chatapi.HistoryRequest) ([]event.Stored, error) {
	t.Helper()
	resp, err := chatapi.History.Call(natstest.As(natstest.Context(t), r), nc, req)
	return resp.Events, err
}

// sequences of events, whose prev must be the one before.
func sequences(t *testing.T, events []event.Stored, first uint64) []uint64 {
	t.Helper()
	var seqs []uint64
	prev := first
	for _, e := range events {
		if e.Prev != prev {
			t.Errorf("event %d: prev %d, want %d", e.Seq, e.Prev, prev)
		}
		prev = e.Seq
		seqs = append(seqs, e.Seq)
	}
	return seqs
}

func TestHistoryWindows(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	start(t, ns)
	nc := ns.Connect(t)
	ann := ns.SignIn(t, "ann", "edge1")
	if events, err := ask(t, nc, ann, chatapi.HistoryRequest{}); err != nil || len(events) != 0 {
		t.Fatalf("an empty lobby: %v, %v", events, err)
	}
	// Lines of the lobby lie scattered among those of a busy room.
	var lobby []uint64
	for i := range 130 {
		lobby = append(lobby, put(t, ns, string(chatapi.Lobby), event.Event{Kind: event.Chat, From: "bob", Text: fmt.Sprint(i)}))
		for range i % 7 {
			put(t, ns, roomapi.Room.Of("busy"), event.Event{Kind: event.RoomChat, From: "bob", Text: "noise"})
		}
	}
	tests := []struct {
		name string
		req  chatapi.HistoryRequest
		want []uint64
		prev uint64 // of the first
	}{
		{"default", chatapi.HistoryRequest{}, lobby[110:], lobby[109]},
		{"by name", chatapi.HistoryRequest{Channel: "lobby", Limit: 3}, lobby[127:], lobby[126]},
		{"the most", chatapi.HistoryRequest{Limit: 100}, lobby[30:], lobby[29]},
		{"before", chatapi.HistoryRequest{Limit: 5, Before: lobby[50]}, lobby[45:50], lobby[44]},
		{"before what is no line", chatapi.HistoryRequest{Limit: 2, Before: lobby[50] + 1}, lobby[49:51], lobby[48]},
		{"the beginning", chatapi.HistoryRequest{Limit: 10, Before: lobby[4]}, lobby[:4], 0},
		{"exactly all there is", chatapi.HistoryRequest{Limit: 4, Before: lobby[4]}, lobby[:4], 0},
		{"before the first", chatapi.HistoryRequest{Before: lobby[0]}, nil, 0},
		{"before the future", chatapi.HistoryRequest{Limit: 1, Before: 1 << 60}, lobby[129:], lobby[128]},
		{"a silent channel", chatapi.HistoryRequest{Channel: "game21"}, nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			events, err := ask(t, nc, ann, tt.req)
			if err != nil {
				t.Fatal(err)
			}
			if got := sequences(t, events, tt.prev); !slices.Equal(got, tt.want) {
				t.Errorf("sequences %v, want %v", got, tt.want)
			}
			for _, e := range events {
				if e.Channel != "lobby" || e.Kind != event.Chat || e.From != "bob" || e.At.IsZero() {
					t.Errorf("event %+v", e)
				}
			}
		})
	}
}

// A few events among very many others are found.
func TestHistoryOfASparseChannel(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	start(t, ns)
	nc, js := ns.Connect(t), ns.JetStream(t)
	ann := ns.SignIn(t, "ann", "edge1")
	want := []uint64{put(t, ns, streams.Subject("game21"), event.Event{Kind: event.Game21Started, Round: 1, Numbers: []int{2, 3, 5, 10}})}
	for range 5000 {
		if _, err := js.PublishAsync(string(chatapi.Lobby), []byte(`{"event":"chat","from":"bob","text":"hi"}`), jetstream.WithStallWait(natstest.Wait)); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-natstest.Context(t).Done():
		t.Fatal("the noise is not stored")
	}
	want = append(want, put(t, ns, streams.Subject("game21"), event.Event{Kind: event.Game21Ended, Round: 1, Best: &event.Solution{Expression: "2*3+10+5", Value: "21"}}))
	events, err := ask(t, nc, ann, chatapi.HistoryRequest{Channel: "game21"})
	if err != nil {
		t.Fatal(err)
	}
	if got := sequences(t, events, 0); !slices.Equal(got, want) {
		t.Fatalf("sequences %v, want %v", got, want)
	}
	if events[0].Channel != "game21" || len(events[0].Numbers) != 4 || events[1].Best == nil || events[1].Best.Value != "21" {
		t.Errorf("events %+v", events)
	}
}

func TestHistoryRefuses(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	start(t, ns)
	nc := ns.Connect(t)
	ann := ns.SignIn(t, "ann", "edge1")
	for _, tt := range []struct {
		req  chatapi.HistoryRequest
		code fault.Code
	}{
		{chatapi.HistoryRequest{Limit: -1}, fault.BadRequest},
		{chatapi.HistoryRequest{Limit: 101}, fault.BadRequest},
		{chatapi.HistoryRequest{Channel: "kitchen"}, fault.BadRequest},
		{chatapi.HistoryRequest{Channel: "room.x"}, fault.BadRequest},
		{chatapi.HistoryRequest{Channel: ">"}, fault.BadRequest},
		{chatapi.HistoryRequest{Channel: "user"}, fault.BadRequest},
		{chatapi.HistoryRequest{Channel: "room:"}, fault.NotInRoom},
		{chatapi.HistoryRequest{Channel: "room:x"}, fault.NotInRoom},
		{chatapi.HistoryRequest{Channel: "room:[x]"}, fault.NotInRoom},
	} {
		if _, err := ask(t, nc, ann, tt.req); fault.CodeOf(err) != tt.code {
			t.Errorf("%+v: %v, want %s", tt.req, err, tt.code)
		}
	}
	if _, err := chatapi.History.Call(bus.As(natstest.Context(t), "bob"), nc, chatapi.HistoryRequest{}); fault.CodeOf(err) != fault.NotSignedIn {
		t.Errorf("not signed in: %v", err)
	}
}

func TestHistoryOfARoom(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	start(t, ns)
	nc := ns.Connect(t)
	ann := ns.SignIn(t, "ann", "edge1")
	_, key, err := name.Room("Kitchen 1")
	if err != nil {
		t.Fatal(err)
	}
	id := name.RoomID(key)
	line := func(text string) uint64 {
		return put(t, ns, roomapi.Room.Of(id), event.Event{Kind: event.RoomChat, From: "bob", Room: "Kitchen 1", Text: text})
	}
	line("before her time")
	// As the room service writes a join: her record, which cannot tell its own sequence, the
	// room's, and the event.
	put(t, ns, roomapi.MemberSubject.Of(ann.UserID), roomapi.Membership{User: "ann", Room: "Kitchen 1", RoomID: id, Epoch: ann.Epoch()})
	put(t, ns, "hall.state.room."+id, map[string]string{"room": "Kitchen 1"})
	joined := put(t, ns, roomapi.Room.Of(id), event.Event{Kind: event.RoomJoined, User: "ann", Room: "Kitchen 1"})
	want := []uint64{line("one"), line("two"), line("three")}

	events, err := ask(t, nc, ann, chatapi.HistoryRequest{Channel: "room:KITCHEN 1", Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	if got := sequences(t, events, joined); !slices.Equal(got, want) {
		t.Errorf("sequences %v, want %v", got, want)
	}
	if events[0].Channel != "room:Kitchen 1" || events[0].Text != "one" {
		t.Errorf("event %+v", events[0])
	}
	events, err = ask(t, nc, ann, chatapi.HistoryRequest{Channel: "room:Kitchen 1", Limit: 1, Before: want[2]})
	if err != nil {
		t.Fatal(err)
	}
	if got := sequences(t, events, want[0]); !slices.Equal(got, want[1:2]) {
		t.Errorf("before: sequences %v, want %v", got, want[1:2])
	}
	// Others do not see it, and she does not see other rooms.
	if _, err := ask(t, nc, ns.SignIn(t, "bob", "edge1"), chatapi.HistoryRequest{Channel: "room:Kitchen 1"}); fault.CodeOf(err) != fault.NotInRoom {
		t.Errorf("no member: %v", err)
	}
	if _, err := ask(t, nc, ann, chatapi.HistoryRequest{Channel: "room:Cellar"}); fault.CodeOf(err) != fault.NotInRoom {
		t.Errorf("another room: %v", err)
	}
	// Nor this one after she left.
	put(t, ns, roomapi.MemberSubject.Of(ann.UserID), roomapi.Membership{User: "ann"})
	if _, err := ask(t, nc, ann, chatapi.HistoryRequest{Channel: "room:Kitchen 1"}); fault.CodeOf(err) != fault.NotInRoom {
		t.Errorf("after leaving: %v", err)
	}
}

// What clients get holds nothing that is for services; what cannot be read is left out and
// told once; what this version does not know is there.
func TestHistoryShowsWhatIsForClients(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	log := &natstest.Output{}
	startWith(t, ns, Config{Log: slog.New(slog.NewTextHandler(log, nil))})
	nc := ns.Connect(t)
	ann := ns.SignIn(t, "ann", "edge1")
	now := time.Now().UTC()
	put(t, ns, string(chatapi.Lobby), event.Event{
		Kind: event.Left, User: "bob", UserID: "u1", Epoch: 7, Edge: "edge1", Since: now, Until: now, EdgeLost: true,
	})
	if _, err := ns.JetStream(t).Publish(natstest.Context(t), string(chatapi.Lobby), []byte("{broken")); err != nil {
		t.Fatal(err)
	}
	put(t, ns, string(chatapi.Lobby), map[string]any{"event": "fireworks", "text": "boom", "colour": "red"})
	for range 2 {
		answer := request(t, nc, ann)
		for _, secret := range []string{"u1", "epoch", "edge", "since", "until"} {
			if strings.Contains(answer, secret) {
				t.Errorf("answer shows %q: %s", secret, answer)
			}
		}
		for _, want := range []string{`"event":"left"`, `"user":"bob"`, `"event":"fireworks"`, `"text":"boom"`} {
			if !strings.Contains(answer, want) {
				t.Errorf("answer lacks %s: %s", want, answer)
			}
		}
	}
	if got := log.Count("cannot be read"); got != 1 {
		t.Errorf("told %d times, want once", got)
	}
}

// The largest answer there can be comes through.
func TestHistoryFitsNATS(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	start(t, ns)
	nc := ns.Connect(t)
	ann := ns.SignIn(t, "ann", "edge1")
	text := strings.Repeat(`"`, name.TextMax)
	for range chatapi.HistoryMost {
		put(t, ns, string(chatapi.Lobby), event.Event{Kind: event.Chat, From: "ann", Text: text})
	}
	events, err := ask(t, nc, ann, chatapi.HistoryRequest{Limit: chatapi.HistoryMost})
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != chatapi.HistoryMost || events[0].Text != text {
		t.Errorf("%d events", len(events))
	}
}

// request asks for the lobby's history and gives the answer as it is on the wire.
func request(t *testing.T, nc *nats.Conn, r session.Record) string {
	t.Helper()
	msg := nats.NewMsg(string(chatapi.History))
	msg.Header.Set(bus.HeaderUser, r.User)
	msg.Header.Set(bus.HeaderSession, r.Session)
	answer, err := nc.RequestMsgWithContext(natstest.Context(t), msg)
	if err != nil {
		t.Fatal(err)
	}
	if code := answer.Header.Get("Nats-Service-Error-Code"); code != "" {
		t.Fatalf("history: %s", code)
	}
	return string(answer.Data)
}
