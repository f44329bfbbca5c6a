package session_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/natstest"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

func TestRecord(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		record session.Record
		live   bool
		epoch  uint64
	}{
		{name: "claimed a moment ago", record: session.Record{Session: "s", State: session.Alive, Revision: 7}, live: true, epoch: 7},
		{name: "written again since", record: session.Record{Session: "s", State: session.Away, Revision: 9, Claimed: 7}, live: true, epoch: 7},
		{name: "ending", record: session.Record{Session: "s", State: session.Ending, Revision: 9, Claimed: 7}, epoch: 7},
		{name: "nothing", record: session.Record{}},
		{name: "without a session", record: session.Record{State: session.Alive}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.record.Live(); got != tt.live {
				t.Errorf("live is %v, want %v", got, tt.live)
			}
			if got := tt.record.Epoch(); got != tt.epoch {
				t.Errorf("epoch is %d, want %d", got, tt.epoch)
			}
		})
	}
}

// What is stored is read back whole, with the revision and the time that the server gave it.
func TestParse(t *testing.T) {
	t.Parallel()
	js := natstest.Run(t).JetStream(t)
	since := time.Date(2026, 11, 20, 15, 24, 24, 100, time.UTC)
	want := session.Record{
		User: "ann", UserID: "id", Session: "s", State: session.Ending, Since: since, Edge: "e", Conn: "c", Command: "k", Claimed: 3,
		Until: since.Add(time.Hour), EdgeLost: true,
		Prev: &session.Previous{Session: "p", Epoch: 2, Edge: "e0", Conn: "c0", Since: since, Until: since.Add(time.Minute), EdgeLost: true},
	}
	want.Revision = write(t, js, want)
	kv, err := js.KeyValue(natstest.Context(t), streams.Sessions)
	if err != nil {
		t.Fatal(err)
	}
	e, err := kv.Get(natstest.Context(t), "id")
	if err != nil {
		t.Fatal(err)
	}
	got, err := session.Parse(e)
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	if got.Written.IsZero() || got.Written.Before(since) {
		t.Errorf("written %v", got.Written)
	}
	got.Written = time.Time{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// A member that a newer version added does not make a record unreadable; what is no record
// is an error.
func TestParseOfOtherVersions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, stored string
		ok           bool
	}{
		{name: "newer", stored: `{"user":"ann","user_id":"id","session":"s","state":"alive","since":"2026-11-20T15:24:24Z","command":"c","mood":"good"}`, ok: true},
		{name: "empty", stored: ``},
		{name: "broken", stored: `{"user":`},
		{name: "another type", stored: `{"user":7}`},
		{name: "of another user", stored: `{"user":"ann","user_id":"other","session":"s","state":"alive"}`},
		{name: "without a session", stored: `{"user":"ann","user_id":"id","state":"alive"}`},
		{name: "of something else", stored: `{"type":"io.nats.micro.v1.ping_response","name":"auth"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := session.Parse(entry{value: []byte(tt.stored)})
			if (err == nil) != tt.ok {
				t.Fatalf("error %v, want ok %v", err, tt.ok)
			}
			if tt.ok && r.User != "ann" {
				t.Errorf("got %+v", r)
			}
		})
	}
}

// entry is a bucket's entry with nothing but a value.
type entry struct {
	jetstream.KeyValueEntry
	value []byte
}

func (e entry) Key() string        { return "id" }
func (e entry) Value() []byte      { return e.value }
func (e entry) Revision() uint64   { return 1 }
func (e entry) Created() time.Time { return time.Time{} }

func TestLease(t *testing.T) {
	t.Parallel()
	want := session.Lease{Edge: "e1", Since: time.Date(2026, 11, 20, 15, 24, 24, 0, time.UTC)}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	const stored = `{"edge":"e1","since":"2026-11-20T15:24:24Z"}`
	if string(data) != stored {
		t.Errorf("stored as %s, want %s", data, stored)
	}
	var got session.Lease
	if err := json.Unmarshal([]byte(stored), &got); err != nil || got != want {
		t.Errorf("read %+v, %v", got, err)
	}
}
