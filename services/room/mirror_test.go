package room

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gamehall/shared/fault"
	"gamehall/shared/roomapi"
)

func membershipIn(user, id string) Membership {
	return Membership{Membership: roomapi.Membership{User: user, Room: "r", RoomID: id, Epoch: 1}}
}

// A reader that begins again hands the mirror what it has had: that changes nothing.
func TestMirrorForgetsNothing(t *testing.T) {
	t.Parallel()
	m, at := newMirror(), time.Now()
	m.takeRoom("1", Room{Name: "r", ID: "1", Members: 1}, 1, at)
	m.takeMember("a", membershipIn("ann", "1"), 2, at)
	m.takeMember("a", Membership{}, 5, at)
	m.takeMember("b", membershipIn("bob", "1"), 7, at)
	m.takeRoom("1", Room{Name: "r", ID: "1", Gone: true}, 9, at)
	m.takeMember("a", membershipIn("ann", "1"), 2, at) // again
	m.takeRoom("1", Room{Name: "r", ID: "1", Members: 1}, 1, at)
	if got := m.names("1"); !slices.Equal(got, []string{"bob"}) {
		t.Errorf("in the room: %v", got)
	}
	if got := m.list(10); len(got) != 0 {
		t.Errorf("rooms: %v", got)
	}
	if got := m.reached(); got != 9 {
		t.Errorf("reached %d", got)
	}
	if _, _, known := m.member("a"); known {
		t.Error("who is in no room and owns none is kept")
	}
}

func TestMirrorListIsBounded(t *testing.T) {
	t.Parallel()
	m := newMirror()
	for i, n := range []string{"c", "a", "b"} {
		m.takeRoom(n, Room{Name: n, ID: n}, uint64(i+1), time.Now())
	}
	if got := m.list(2); len(got) != 2 || got[0].Room != "a" || got[1].Room != "b" {
		t.Errorf("list: %v", got)
	}
}

func TestMirrorReach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMirror()
		reached := make(chan error, 1)
		go func() { reached <- m.reach(t.Context(), 5) }()
		m.takeRoom("1", Room{}, 4, time.Now())
		synctest.Wait()
		if len(reached) != 0 {
			t.Error("it did not wait")
		}
		m.takeMember("a", Membership{}, 6, time.Now())
		if err := <-reached; err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := m.reach(ctx, 7); fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("what never comes: %v", err)
		}
	})
}
