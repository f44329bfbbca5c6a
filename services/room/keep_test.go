package room_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"gamehall/services/room"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/roomapi"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

func TestEmptyRoomIsRemoved(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	h, c := enter(t, ns), newClock()
	h.start(room.Config{Now: c.Now})
	h.start(room.Config{Now: c.Now})
	ann, bob := ns.SignIn(t, "ann", ""), ns.SignIn(t, "bob", "")
	first := h.create(ann, "room1")
	must(h, bob, roomapi.Create, roomapi.CreateRequest{Room: "room2", Max: 3})
	c.pass(time.Hour) // nothing happens to a room with members
	h.quit(ann)
	c.pass(room.EmptyAfter - time.Second)
	h.join(ann, "room1") // in time: it is not empty any more
	c.pass(time.Hour)
	h.quit(ann)
	c.pass(room.EmptyAfter - time.Second)
	// The keeper looks once a second, so only what is written can tell that it waited.
	natstest.Eventually(t, "room1 is gone", func() bool {
		if r, _ := h.record(first.RoomID); r.Exists() {
			c.pass(10 * time.Millisecond)
			return false
		}
		return true
	})
	natstest.Eventually(t, "the lists know it", func() bool { return slices.Equal(h.rooms(ann), []string{"room2 1/3"}) })
	refused(h, ann, roomapi.Join, roomapi.JoinRequest{Room: "room1"}, fault.NoSuchRoom, "no such room: room1")
	again := must(h, ann, roomapi.Create, roomapi.CreateRequest{Room: "ROOM1", Max: 2})
	if again.RoomID != first.RoomID || again.Room != "ROOM1" {
		t.Errorf("created again: %+v", again)
	}
	if m := h.membership(ann); m.JoinSeq != again.Seq || m.Room != "ROOM1" {
		t.Errorf("membership %+v, joined at %d", m, again.Seq)
	}
	h.consistent([]session.Record{ann, bob}, "room1", "room2")
}

// Two copies of the service hear that a session ended: its user leaves, and the room is told
// once.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	h := enter(t, ns)
	h.start(room.Config{})
	h.start(room.Config{})
	ann, bob := ns.SignIn(t, "ann", ""), ns.SignIn(t, "bob", "")
	h.create(ann, "room1")
	h.join(bob, "room1")
	ns.SignOut(t, bob)
	h.tellLeft(bob)
	h.tellLeft(bob) // told again, as after a retry
	h.until(bob, "")
	ns.SignOut(t, ann)
	h.tellLeft(ann)
	h.until(ann, "")
	want := []string{"room.joined ann ", "room.joined bob ", "room.left bob ", "room.left ann "}
	if got := told(h.log("room1")); !slices.Equal(got, want) {
		t.Errorf("the room was told %q, want %q", got, want)
	}
	if e := h.log("room1")[2]; e.UserID != bob.UserID || e.Epoch != bob.Epoch() || e.Room != "room1" {
		t.Errorf("left: %+v", e)
	}
	refused(h, bob, roomapi.Say, roomapi.SayRequest{Text: "hi"}, fault.NotSignedIn, "")
	h.consistent([]session.Record{ann, bob}, "room1")
}

// A copy that starts finds whose session ended while none ran.
func TestSessionEndedMeanwhile(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	h := enter(t, ns)
	stop := h.start(room.Config{})
	ann, bob, cid := ns.SignIn(t, "ann", ""), ns.SignIn(t, "bob", ""), ns.SignIn(t, "cid", "")
	h.create(ann, "room1")
	h.join(bob, "room1")
	h.join(cid, "room1")
	stop()
	ns.SignOut(t, ann)
	cid = ns.SignIn(t, "cid", "") // another session
	h.start(room.Config{})
	h.until(ann, "")
	h.until(cid, "")
	if got := must(h, bob, roomapi.Members, roomapi.MembersRequest{}).Members; !slices.Equal(got, []string{"bob"}) {
		t.Errorf("members %v", got)
	}
	h.consistent([]session.Record{ann, bob, cid}, "room1")
}

// After a takeover the room of the session before is left, and told so once, whether the new
// session or the lobby is first.
func TestTakeover(t *testing.T) {
	t.Parallel()
	h, ns := open(t)
	old := ns.SignIn(t, "ann", "")
	h.create(old, "room1")
	ann := ns.SignIn(t, "ann", "")
	refused(h, ann, roomapi.Say, roomapi.SayRequest{Text: "hi"}, fault.NotInRoom, "")
	refused(h, ann, roomapi.Members, roomapi.MembersRequest{}, fault.NotInRoom, "")
	refused(h, ann, roomapi.Quit, roomapi.QuitRequest{}, fault.NotInRoom, "")
	joined := h.join(ann, "room1")
	h.tellLeft(old)
	bob := ns.SignIn(t, "bob", "")
	h.join(bob, "room1")
	ns.SignOut(t, bob)
	h.tellLeft(bob) // the lobby is one order: what was told before it has been heard
	h.until(bob, "")
	h.say(ann, "it is me")
	refused(h, old, roomapi.Say, roomapi.SayRequest{Text: "hi"}, fault.NotSignedIn, "")
	want := []string{"room.joined ann ", "room.left ann ", "room.joined ann ", "room.joined bob ", "room.left bob ", "room.chat ann it is me"}
	if got := told(h.log("room1")); !slices.Equal(got, want) {
		t.Errorf("the room was told %q, want %q", got, want)
	}
	if m := h.membership(ann); m.Epoch != ann.Epoch() || m.JoinSeq != joined.Seq {
		t.Errorf("membership %+v", m)
	}
}

// A join that races with the end of its session leaves nobody behind.
func TestJoinRacesWithEnd(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	h := enter(t, ns)
	h.start(room.Config{})
	h.start(room.Config{})
	host := ns.SignIn(t, "host", "")
	h.create(host, "room1")
	all := []session.Record{host}
	for i := range 40 {
		r := ns.SignIn(t, fmt.Sprintf("user%d", i), "")
		all = append(all, r)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := call(h, r, roomapi.Join, roomapi.JoinRequest{Room: "room1"})
			if code := fault.CodeOf(err); code != "" && code != fault.NotSignedIn {
				t.Errorf("join: %v", err)
			}
		})
		wg.Go(func() {
			ns.SignOut(t, r)
			h.tellLeft(r)
		})
		wg.Wait()
		h.until(r, "")
	}
	h.consistent(all, "room1")
}

// A membership and its room outlive the age limit of the stream, which takes everything else.
func TestRecordsOutliveTheAgeLimit(t *testing.T) {
	t.Parallel()
	const kept = 2 * time.Second
	ns := natstest.RunBare(t)
	h := enter(t, ns)
	h.start(room.Config{KeptFor: kept})
	ann, bob := ns.SignIn(t, "ann", ""), ns.SignIn(t, "bob", "")
	made := h.create(ann, "room1")
	h.join(bob, "room1")
	h.quit(bob)
	natstest.Eventually(t, "the events are gone", func() bool { return len(h.log("room1")) == 0 })
	first := h.membership(ann)
	if first.Room != "room1" || first.JoinSeq != made.Seq {
		t.Fatalf("the membership is %+v, joined at %d", first, made.Seq)
	}
	// And once more as long, from the record that was written again.
	last := h.lastSeq(roomapi.MemberSubject.Of(ann.UserID))
	natstest.Eventually(t, "the record was written again", func() bool {
		found, err := streams.Kept(natstest.Context(t), h.js, last)
		return err == nil && !found
	})
	if got := h.membership(ann); got != first {
		t.Errorf("the membership is %+v, was %+v", got, first)
	}
	if got := h.rooms(ann); !slices.Equal(got, []string{"room1 1/0"}) {
		t.Errorf("rooms %v", got)
	}
	h.say(ann, "still here")
	h.quit(ann)
	if log := h.log("room1"); count(log, event.RoomChat) != 1 || count(log, event.RoomLeft) != 1 {
		t.Errorf("the room was told %q", told(log))
	}
}

// lastSeq gives the sequence of a subject's last message.
func (h hall) lastSeq(subject string) uint64 {
	h.t.Helper()
	m, found, err := streams.Last(natstest.Context(h.t), h.js, streams.Events, subject)
	if err != nil || !found {
		h.t.Fatalf("last of %s: %v, %v", subject, found, err)
	}
	return m.Seq
}
