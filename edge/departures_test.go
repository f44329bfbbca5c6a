package edge

import (
	"fmt"
	"strings"
	"testing"

	"gamehall/shared/event"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// A session whose leaving passed before it began to hear a channel hears what there was between
// its joining and that, and nothing behind it; one that left the hall is closed.
func TestLeftBeforeItHears(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		channel string
		slot    int
		epoch   uint64 // of the leaving, the session's is 9
		after   uint64 // where it goes on
		hears   bool   // the line before its leaving
		all     bool   // what is behind it, too
	}{
		{name: "the lobby", channel: streams.LobbyChannel, slot: slotLobby, epoch: 9, after: 1, hears: true},
		{name: "the lobby, from behind its leaving", channel: streams.LobbyChannel, slot: slotLobby, epoch: 9, after: 3},
		{name: "the lobby, and a later session has left, too", channel: streams.LobbyChannel, slot: slotLobby, epoch: 10, after: 1},
		{name: "the lobby, and an earlier session left", channel: streams.LobbyChannel, slot: slotLobby, epoch: 8, after: 1, hears: true, all: true},
		{name: "a room", channel: "room.x", slot: slotRoom, epoch: 9, after: 1, hears: true},
		{name: "a room, from behind its leaving", channel: "room.x", slot: slotRoom, epoch: 9, after: 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, ch := quietEdge(t, tt.channel)
			kinds := [2]string{event.Chat, event.Left}
			if tt.slot == slotRoom {
				kinds = [2]string{event.RoomChat, event.RoomLeft}
			}
			for i, ev := range []event.Event{
				{Kind: kinds[0], From: "bob", Text: "before"},
				{Kind: kinds[0], From: "bob", Text: "while in"},
				{Kind: kinds[1], User: "ann", UserID: "u1", Epoch: tt.epoch},
				{Kind: kinds[0], From: "bob", Text: "behind"},
			} {
				if _, err := streams.Publish(natstest.Context(t), e.hub.js, streams.Subject(tt.channel), fmt.Sprint(i), ev); err != nil {
					t.Fatal(err)
				}
				stored := event.Stored{Channel: tt.channel, Seq: uint64(i) + 1, Event: ev}
				e.leaving(ch, stored)
				ch.add(stored, onlyLines)
			}
			c, s := signedIn(e)
			s.userID, s.epoch, s.seq = "u1", 9, 1
			s.lobby, s.game = e.hub.need("other"), e.hub.need(streams.GameChannel)
			if tt.slot == slotLobby {
				s.lobby = ch
			} else {
				s.room = &room{ch: ch, seq: 1}
			}
			e.sessions.add(c, s)
			if err := c.hear(natstest.Context(t), s, ch, tt.slot, tt.channel, tt.after); err != nil {
				t.Fatal(err)
			}
			got := unsent(c)
			if strings.Contains(got, "while in") != tt.hears || strings.Contains(got, "behind") != tt.all || strings.Contains(got, "before") {
				t.Errorf("heard %q", got)
			}
			if over := tt.slot == slotLobby && !tt.all; strings.Contains(got, "signed in elsewhere") != over || (c.current() == nil) != over {
				t.Errorf("told %q, the session is over: %v, want %v", got, c.current() == nil, over)
			}
			ch.add(said(5, "long after"), onlyLines)
			if got := unsent(c); (got != "") != tt.all {
				t.Errorf("then heard %q", got)
			}
		})
	}
}

// quietEdge is an edge that nobody connects to, with one channel, on a hall of its own.
func quietEdge(t *testing.T, name string) (*Edge, *channel) {
	t.Helper()
	e := &Edge{stats: newStats(), log: natstest.Quiet(), sessions: newRegistry(), tasks: newTasks()}
	e.hub = newHub(t.Context(), e, natstest.Run(t).JetStream(t))
	t.Cleanup(func() {
		<-e.tasks.wait()
		<-e.hub.tasks.wait()
	})
	ch := newChannel(name, 1)
	ch.begin(0)
	return e, ch
}

// Only the last leavings are remembered, and of each user the last one.
func TestDepartures(t *testing.T) {
	t.Parallel()
	var d departures
	note := func(user string, epoch, seq uint64) {
		d.note(event.Stored{Seq: seq, Event: event.Event{UserID: user, Epoch: epoch}})
	}
	left := func(user string, epoch, since uint64) bool {
		_, is := d.of(&session{userID: user, epoch: epoch}, since)
		return is
	}
	note("ann", 3, 10)
	note("ann", 2, 8) // read again
	for _, tt := range []struct {
		epoch, since uint64
		want         bool
	}{{2, 7, true}, {3, 9, true}, {3, 11, false}, {4, 9, false}} {
		if got := left("ann", tt.epoch, tt.since); got != tt.want {
			t.Errorf("epoch %d, joined at %d: left is %v", tt.epoch, tt.since, got)
		}
	}
	for i := range uint64(departuresMost - 2) {
		note(fmt.Sprint(i), 1, 11+i)
	}
	note("ann", 4, 20_000)
	if len(d.users) != departuresMost-1 || !left("ann", 4, 0) {
		t.Errorf("%d are remembered", len(d.users))
	}
	for i := range uint64(departuresMost) {
		if !left("ann", 4, 0) {
			t.Fatalf("forgotten after %d", i)
		}
		if i < departuresMost-1 {
			note(fmt.Sprint("more", i), 1, 30_000+i)
		}
	}
	note("last", 1, 90_000)
	if left("ann", 4, 0) || len(d.users) != departuresMost || len(d.recent) != departuresMost {
		t.Errorf("%d of %d are remembered", len(d.users), len(d.recent))
	}
}
