package history_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"gamehall/tools/check/history"
)

// What was written is read, and saved again it is the same.
func TestFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	f, err := history.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	w, err := f.Client("c1")
	if err != nil {
		t.Fatal(err)
	}
	events := []history.Event{
		{T: 1, Client: "c1", Conn: 1, Type: history.Conn, Edge: "edge-1", Door: "frames"},
		{T: 2, Client: "c1", Conn: 1, Type: history.Invoke, F: history.Resume, Req: 1, Since: map[string]uint64{"lobby": 7}},
		{T: 3, Client: "c1", Conn: 1, Type: history.Fail, F: history.Resume, Req: 1, Code: "bad_token"},
		{T: 4, Client: "c1", Conn: 1, Type: history.Disc, Reason: "eof", By: history.ByServer},
	}
	for _, e := range events {
		w.Write(e)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	messages := []history.Message{{
		Stream: "HALL_EVENTS", Seq: 1, Subject: "hall.events.lobby", ID: "joined.u.1",
		Time: time.Unix(1, 2).UTC(), Data: jsontext.Value(`{"event":"joined","user":"ann"}`),
	}}
	err = f.WriteStream("nats-1", func(yield func(history.Message, error) bool) { yield(messages[0], nil) })
	if err != nil {
		t.Fatal(err)
	}
	run := history.Run{
		Name: "r", Seed: 7, Wall: time.Unix(1, 0).UTC(), Start: 1, End: 9,
		Settings: history.Settings{RoundPeriod: history.Duration(90 * time.Second)},
		Faults:   []history.Fault{{From: 2, To: 3, Kind: history.Kill, Target: "edge-1"}},
	}
	if err := f.Finish(run); err != nil {
		t.Fatal(err)
	}

	check := func(dir string) *history.History {
		h, err := history.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if h.Run.Name != "r" || h.Run.Settings.RoundPeriod != run.Settings.RoundPeriod || len(h.Run.Faults) != 1 {
			t.Errorf("run is %+v", h.Run)
		}
		if got, err := h.Events("c1"); err != nil || !reflect.DeepEqual(got, events) {
			t.Errorf("events %+v, %v", got, err)
		}
		if got, err := h.Stream("nats-1"); err != nil || !reflect.DeepEqual(got, messages) {
			t.Errorf("stream %+v, %v", got, err)
		}
		if fmt.Sprint(h.Clients(), h.Nodes()) != "[c1] [nats-1]" {
			t.Errorf("clients %v, nodes %v", h.Clients(), h.Nodes())
		}
		return h
	}
	again := filepath.Join(t.TempDir(), "again")
	if err := check(dir).Save(again); err != nil {
		t.Fatal(err)
	}
	check(again)
	if _, err := history.Create(again); err == nil {
		t.Error("a run was written over")
	}
}

// A broken line is named.
func TestOpenBroken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := history.Open(dir); err == nil {
		t.Error("an empty folder is a run")
	}
	f, err := history.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Finish(history.Run{}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "clients", "c1.jsonl"), []byte("{}\n{"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := history.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Events("c1"); err == nil {
		t.Error("half a line is an event")
	}
}

// Events of a client never go back in time.
func TestWriterOrder(t *testing.T) {
	t.Parallel()
	f, err := history.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w, err := f.Client("c1")
	if err != nil {
		t.Fatal(err)
	}
	w.Write(history.Event{T: 5, Type: history.Recv})
	w.Write(history.Event{T: 4, Type: history.Recv})
	w.Write(history.Event{Type: history.Recv}) // now
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if history.Now() <= 5 {
		t.Error("the clock stands")
	}
}
