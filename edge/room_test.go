package edge_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"

	"gamehall/shared/bus"
	"gamehall/shared/edgeapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/name"
	"gamehall/shared/natstest"
	"gamehall/shared/roomapi"
	"gamehall/shared/streams"
)

// told gives the events that a channel has, oldest first.
func (h *hall) told(t *testing.T, channel string) []event.Stored {
	t.Helper()
	var all []event.Stored
	err := streams.Range(natstest.Context(t), h.js, streams.Subject(channel), 0, 1<<40, func(m streams.Msg) bool {
		e, err := m.Decode(channel, 0)
		if err != nil {
			t.Errorf("an event of %s: %v", channel, err)
		}
		all = append(all, e)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// roomLine tells the room den a line.
func (h *hall) roomLine(t *testing.T, text string) uint64 {
	t.Helper()
	return h.tell(t, roomChannel("den"), event.Event{Kind: event.RoomChat, Room: "den", From: "somebody", Text: text})
}

func TestRoom(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	den := roomChannel("den")
	ann := h.signIn(t, "ann")
	ann.send("/CREATEROOM den", "/CHATROOM hi", "to all")
	ann.want("system: you created and joined den")
	lines := []string{ann.line(), ann.line()} // of two channels, in either order
	slices.Sort(lines)
	if !slices.Equal(lines, []string{"[den] ann: hi", "ann: to all"}) {
		t.Fatalf("got %q", lines)
	}
	bob := h.signIn(t, "bob")
	ann.want("system: bob joined the hall")
	bob.send("/JOINROOM den")
	bob.want("system: you joined den")
	ann.want("[den] system: bob joined")
	bob.send("/CHATROOM me too", "/QUITROOM", "/CHATROOM gone")
	bob.want("[den] bob: me too", "system: you left den", "system: you are not in a room")
	ann.want("[den] bob: me too", "[den] system: bob left")
	h.roomLine(t, "more")
	ann.want("[den] somebody: more")
	bob.quiet()
	if !h.edge.Hears(den) {
		t.Error("the edge does not hear a room that it has a member of")
	}
	ann.send("/SIGNOUT")
	ann.want("system: bye, ann")
	if h.edge.Hears(den) {
		t.Error("the edge hears a room that it has no member of")
	}
}

// A member sees exactly what the room was told between its own join and its own leaving,
// while others speak without a pause.
func TestRoomSlices(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	den := roomChannel("den")
	var talker sync.WaitGroup
	stop := make(chan struct{})
	talker.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := h.store(t.Context(), den, "", event.Event{Kind: event.RoomChat, Room: "den", From: "bob", Text: fmt.Sprint(i)}); err != nil {
				t.Errorf("talk: %v", err)
				return
			}
		}
	})
	const rounds = 10
	seen := map[string][]string{}
	var mu sync.Mutex
	var visitors sync.WaitGroup
	for _, user := range []string{"cat", "dan"} {
		c := h.signIn(t, user)
		visitors.Go(func() {
			var got []string
			for range rounds {
				c.send("/JOINROOM den", "/QUITROOM")
				for line := c.line(); line != "system: you left den"; line = c.line() {
					if strings.HasPrefix(line, "[den] ") {
						got = append(got, line)
					}
				}
			}
			mu.Lock()
			seen[user] = got
			mu.Unlock()
		})
	}
	visitors.Wait()
	close(stop)
	talker.Wait()
	all := h.told(t, den)
	for user, got := range seen {
		var want []string
		in := false
		for _, e := range all {
			line := fmt.Sprintf("[den] %s: %s", e.From, e.Text)
			switch {
			case e.Kind == event.RoomChat:
			case e.User == user:
				in = e.Kind == event.RoomJoined
				continue
			default:
				line = fmt.Sprintf("[den] system: %s %s", e.User, strings.TrimPrefix(e.Kind, "room."))
			}
			if in {
				want = append(want, line)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s saw %d lines, the room was told %d between its joins and leavings\ngot  %.300q\nwant %.300q", user, len(got), len(want), got, want)
		}
	}
}

// enter tells the session of user that it is in den since seq, as the room service does.
func (h *hall) enter(t *testing.T, user string, seq uint64) {
	t.Helper()
	req := edgeapi.EnteredRequest{Session: h.record(t, user).Session, Room: "den", RoomID: name.RoomID("den"), Seq: seq}
	if _, err := edgeapi.Entered.To(h.edge.ID()).Call(bus.WithCommand(natstest.Context(t), bus.NewID()), h.ns.Connect(t), req); err != nil {
		t.Fatalf("entered: %v", err)
	}
}

// member stores that user is in den, or no more.
func (h *hall) member(t *testing.T, user, kind string) uint64 {
	t.Helper()
	r := h.record(t, user)
	return h.tell(t, roomChannel("den"), event.Event{Kind: kind, Room: "den", User: user, UserID: r.UserID, Epoch: r.Epoch()})
}

// Whoever asked for it, a session hears its room from the join on: also what was told before
// its edge knew, and once.
func TestEntered(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	h.roomLine(t, "before")
	seq := h.member(t, "ann", event.RoomJoined)
	h.roomLine(t, "one")
	h.roomLine(t, "two")
	h.enter(t, "ann", seq)
	ann.want("[den] somebody: one", "[den] somebody: two")
	h.enter(t, "ann", seq)
	h.roomLine(t, "three")
	ann.want("[den] somebody: three")
	left := h.member(t, "ann", event.RoomLeft)
	h.roomLine(t, "after")
	natstest.Eventually(t, "the room is left", func() bool { return !h.edge.Hears(roomChannel("den")) })
	// What comes late of the join is over.
	h.enter(t, "ann", seq)
	h.roomLine(t, "after that")
	h.line(t, "the lobby goes on")
	ann.want("somebody: the lobby goes on")
	ann.quiet()
	// A later join is not.
	again := h.member(t, "ann", event.RoomJoined)
	if again <= left {
		t.Fatalf("joined at %d after %d", again, left)
	}
	h.enter(t, "ann", again)
	h.roomLine(t, "welcome back")
	ann.want("[den] somebody: welcome back")
}

// A room that a session entered while it was on its way here is heard from the join on, too: it
// was resumed while the join was stored.
func TestEnteredEarly(t *testing.T) {
	t.Parallel()
	n := &neighbours{}
	h := startWith(t, n, nil)
	n.afterJoined(func(user string) {
		h.enter(t, user, h.member(t, user, event.RoomJoined))
		h.roomLine(t, "one")
	})
	ann := h.signIn(t, "ann")
	ann.want("[den] somebody: one")
	h.roomLine(t, "two")
	ann.want("[den] somebody: two")
}

// A join that was stored and not answered: the player is told that nobody knows, and hears the room
// that it is in all the same.
func TestEnteredUnanswered(t *testing.T) {
	t.Parallel()
	n := &neighbours{}
	h := startWith(t, n, nil)
	n.onJoin = func(ctx context.Context, m roomapi.Membership) error {
		data, err := json.Marshal(m)
		if err != nil {
			return err
		}
		if _, err := n.js.Publish(ctx, roomapi.MemberSubject.Of(bus.Caller(ctx).ID), data); err != nil {
			return err
		}
		return fault.New(fault.Unavailable, "please try again")
	}
	ann := h.signIn(t, "ann")
	ann.send("/JOINROOM den")
	ann.want("system: please try again")
	h.roomLine(t, "you are in")
	ann.want("[den] somebody: you are in")
}

// A session of which the join is told after it left again hears nothing of the room.
func TestEnteredAfterLeaving(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	seq := h.member(t, "ann", event.RoomJoined)
	h.roomLine(t, "while in")
	h.member(t, "ann", event.RoomLeft)
	h.roomLine(t, "when out")
	h.enter(t, "ann", seq)
	ann.want("[den] somebody: while in")
	h.roomLine(t, "long after")
	h.line(t, "the lobby goes on")
	ann.want("somebody: the lobby goes on")
	ann.quiet()
	if h.edge.Hears(roomChannel("den")) {
		t.Error("the edge hears a room that it has no member of")
	}
}
