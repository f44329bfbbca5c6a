package room_test

import (
	"testing"

	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/event"
	"gamehall/shared/natstest"
	"gamehall/shared/roomapi"
	"gamehall/shared/streams"
)

// Lines of chat alone are left to wait for a moment; whose session ends is out of the room all the
// same.
func TestChatIsLeftToWait(t *testing.T) {
	t.Parallel()
	h, ns := open(t)
	ann, bob := ns.SignIn(t, "ann", "e1"), ns.SignIn(t, "bob", "e1")
	h.create(ann, "room1")
	h.join(bob, "room1")
	ns.Rests(t, "room")
	left := event.Event{Kind: event.Left, User: bob.User, UserID: bob.UserID, Epoch: bob.Epoch(), Edge: bob.Edge, Since: bob.Since}
	if _, err := streams.Publish(natstest.Context(t), h.js, string(chatapi.Lobby), bus.NewID(), left); err != nil {
		t.Fatal(err)
	}
	ns.SignOut(t, bob)
	natstest.Eventually(t, "bob is out", func() bool {
		return len(must(h, ann, roomapi.Members, roomapi.MembersRequest{}).Members) == 1
	})
}
