package room_test

import (
	"sync"
	"testing"

	"gamehall/services/room"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/roomapi"
	"gamehall/shared/session"
)

// Quitting twice at once, as two commands: one leaves, the other is told that it is in no
// room, and the room hears of one.
func TestQuitTwice(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	h := enter(t, ns)
	h.start(room.Config{})
	h.start(room.Config{})
	host, ann := ns.SignIn(t, "host", ""), ns.SignIn(t, "ann", "")
	h.create(host, "room1")
	for range 10 {
		h.join(ann, "room1")
		errs := make([]error, 3)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { _, errs[i] = call(h, ann, roomapi.Quit, roomapi.QuitRequest{}) })
		}
		wg.Wait()
		left := 0
		for _, err := range errs {
			switch fault.CodeOf(err) {
			case "":
				left++
			case fault.NotInRoom:
			default:
				t.Errorf("quit: %v", err)
			}
		}
		if left != 1 {
			t.Errorf("%d of three left", left)
		}
	}
	if n := count(h.log("room1"), event.RoomLeft); n != 10 {
		t.Errorf("the room heard of %d, want 10", n)
	}
	h.consistent([]session.Record{host, ann}, "room1")
}

// A quit that was accepted is answered before the service stops.
func TestQuitWhileStopping(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	h := enter(t, ns)
	stop := h.start(room.Config{})
	users := sessions(t, ns, 20)
	h.create(users[0], "room1")
	for _, u := range users[1:] {
		h.join(u, "room1")
	}
	inbox := h.nc.NewRespInbox()
	answers, err := h.nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		msg := natsMsg(string(roomapi.Quit), u.User, `{}`)
		msg.Header.Set("Hall-Session", u.Session)
		msg.Reply = inbox
		if err := h.nc.PublishMsg(msg); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.nc.FlushWithContext(natstest.Context(t)); err != nil {
		t.Fatal(err)
	}
	stop()
	for range users {
		msg, err := answers.NextMsgWithContext(natstest.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		if code := msg.Header.Get("Nats-Service-Error-Code"); code != "" {
			t.Errorf("answered %s %s", code, msg.Header.Get("Nats-Service-Error"))
		}
	}
	h.consistent(users, "room1")
}
