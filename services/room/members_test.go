package room_test

import (
	"slices"
	"testing"

	"gamehall/services/room"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/roomapi"
)

// Members are those of the caller's own room, as they are when it asks whichever copy.
func TestMembersAreCurrent(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	h := enter(t, ns)
	h.start(room.Config{})
	h.start(room.Config{})
	ann, bob, cid := ns.SignIn(t, "ann", ""), ns.SignIn(t, "bob", ""), ns.SignIn(t, "cid", "")
	refused(h, ann, roomapi.Members, roomapi.MembersRequest{}, fault.NotInRoom, "you are not in a room")
	h.create(ann, "room1")
	h.create(cid, "elsewhere")
	members := func(want ...string) {
		t.Helper()
		if got := must(h, ann, roomapi.Members, roomapi.MembersRequest{}); got.Room != "room1" || !slices.Equal(got.Members, want) {
			t.Errorf("members of %s: %v, want %v", got.Room, got.Members, want)
		}
	}
	for range 10 {
		members("ann")
		h.join(bob, "room1")
		members("ann", "bob")
		h.quit(bob)
	}
}
