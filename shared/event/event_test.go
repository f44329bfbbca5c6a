package event_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"gamehall/shared/event"
)

var at = time.Date(2026, 11, 20, 15, 24, 24, 0, time.UTC)

// The names of the members are the protocol's: each kind has those of its kind and no other.
func TestEventAsStored(t *testing.T) {
	t.Parallel()
	tests := []struct {
		event  event.Event
		stored string
	}{
		{event: event.Event{Kind: event.Chat, From: "ann", Text: "hi"}, stored: `{"event":"chat","from":"ann","text":"hi"}`},
		{
			event:  event.Event{Kind: event.Joined, User: "ann", UserID: "id", Epoch: 7, Edge: "e1", Since: at},
			stored: `{"event":"joined","user":"ann","user_id":"id","epoch":7,"edge":"e1","since":"2026-11-20T15:24:24Z"}`,
		},
		{
			event:  event.Event{Kind: event.Left, User: "ann", UserID: "id", Epoch: 7, Since: at, Until: at, EdgeLost: true},
			stored: `{"event":"left","user":"ann","user_id":"id","epoch":7,"since":"2026-11-20T15:24:24Z","until":"2026-11-20T15:24:24Z","edge_lost":true}`,
		},
		{
			event:  event.Event{Kind: event.RoomChat, From: "ann", Text: "hi", Room: "room1"},
			stored: `{"event":"room.chat","from":"ann","text":"hi","room":"room1"}`,
		},
		{
			event:  event.Event{Kind: event.Game21Started, Round: 7, Numbers: []int{2, 3, 5, 10}, EndsAt: at},
			stored: `{"event":"game21.started","round":7,"numbers":[2,3,5,10],"ends_at":"2026-11-20T15:24:24Z"}`,
		},
		{
			event: event.Event{
				Kind: event.Game21Ended, Round: 7, Answers: 2, Winner: "ann", Expression: "(10-3)*(5-2)", Value: "21",
				Best: &event.Solution{Expression: "(10-3)*(5-2)", Value: "21"},
			},
			stored: `{"event":"game21.ended","round":7,"answers":2,"winner":"ann","expression":"(10-3)*(5-2)","value":"21","best":{"expression":"(10-3)*(5-2)","value":"21"}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.event.Kind, func(t *testing.T) {
			t.Parallel()
			data, err := json.Marshal(tt.event)
			if err != nil {
				t.Fatal(err)
			}
			if string(data) != tt.stored {
				t.Errorf("stored as %s\nwant      %s", data, tt.stored)
			}
			var back event.Event
			if err := json.Unmarshal(data, &back); err != nil {
				t.Fatal(err)
			}
			again, err := json.Marshal(back)
			if err != nil || string(again) != tt.stored {
				t.Errorf("read and stored again: %s, %v", again, err)
			}
		})
	}
}

// A reader of this version reads what a newer one stored.
func TestEventOfANewerVersion(t *testing.T) {
	t.Parallel()
	var e event.Event
	if err := json.Unmarshal([]byte(`{"event":"dance","user":"ann","steps":["left","right"]}`), &e); err != nil {
		t.Fatalf("a newer event cannot be read: %v", err)
	}
	if e.Kind != "dance" || e.User != "ann" {
		t.Errorf("got %+v", e)
	}
}

// Of what is stored only lines of the lobby are taken for such.
func TestIsChat(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{event.Chat, event.Joined, event.Left, event.RoomChat, event.Game21Ended, "chatter", ""} {
		data, err := json.Marshal(event.Event{Kind: kind, From: "chat", Text: `{"event":"chat",`, User: event.Chat})
		if err != nil {
			t.Fatal(err)
		}
		if got := event.IsChat(data); got != (kind == event.Chat) {
			t.Errorf("%s: %v", data, got)
		}
	}
}

func ExampleEvent() {
	line, err := json.Marshal(event.Event{Kind: event.Chat, From: "netease1", Text: "hi"})
	fmt.Println(string(line), err)
	// Output: {"event":"chat","from":"netease1","text":"hi"} <nil>
}
