package room_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"gamehall/services/room"
	"gamehall/shared/bus"
	"gamehall/shared/edgeapi"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/roomapi"
)

// What was typed comes back in a sentence that any terminal can show.
func TestJoinNowhere(t *testing.T) {
	t.Parallel()
	h, ns := open(t)
	ann := ns.SignIn(t, "ann", "")
	tests := []struct{ typed, sentence string }{
		{"nowhere", "no such room: nowhere"},
		{" No Where ", "no such room: No Where"},
		{"a\x1b[31mb\r\nc", "no such room: a[31mbc"},
		{"x\u202ey", "no such room: xy"},
		{"lobby", "no such room: lobby"},
		{strings.Repeat("long", 100), "no such room: " + strings.Repeat("long", 8) + "…"},
	}
	for _, tt := range tests {
		refused(h, ann, roomapi.Join, roomapi.JoinRequest{Room: tt.typed}, fault.NoSuchRoom, tt.sentence)
	}
}

// The edge that holds the session hears which room its user is in, and from which sequence.
func TestEdgeIsTold(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	heard := make(chan edgeapi.EnteredRequest, 10)
	natstest.Answer(t, ns, edgeapi.Entered.To("e1"), func(_ context.Context, r edgeapi.EnteredRequest) (edgeapi.EnteredResponse, error) {
		heard <- r
		return edgeapi.EnteredResponse{}, nil
	})
	h := enter(t, ns)
	h.start(room.Config{Bare: true})
	ann, bob := ns.SignIn(t, "ann", "e1"), ns.SignIn(t, "bob", "e1")
	// As the nats CLI does: without a session, and nobody waits for the answer.
	if err := h.nc.PublishMsg(natsMsg(string(roomapi.Create), "ann", `{"room":"room1"}`)); err != nil {
		t.Fatal(err)
	}
	made := <-heard
	if m := h.membership(ann); made != (edgeapi.EnteredRequest{Session: ann.Session, Room: "room1", RoomID: m.RoomID, Seq: m.JoinSeq}) {
		t.Errorf("told %+v, the membership is %+v", made, m)
	}
	joined := h.join(bob, "ROOM1")
	if got := <-heard; got != (edgeapi.EnteredRequest{Session: bob.Session, Room: "room1", RoomID: joined.RoomID, Seq: joined.Seq}) {
		t.Errorf("told %+v, want %+v", got, joined)
	}
}

// An edge that does not answer keeps nobody from joining.
func TestEdgeIsSilent(t *testing.T) {
	t.Parallel()
	h, ns := open(t)
	h.create(ns.SignIn(t, "ann", "nowhere"), "room1")
}

// An edge that did not answer when its user entered a room is told again, once it can hear.
func TestEdgeIsToldLater(t *testing.T) {
	t.Parallel()
	h, ns := open(t)
	bob := ns.SignIn(t, "bob", "e1")
	h.create(bob, "room1")
	heard := make(chan edgeapi.EnteredRequest, 10)
	natstest.Answer(t, ns, edgeapi.Entered.To("e1"), func(_ context.Context, r edgeapi.EnteredRequest) (edgeapi.EnteredResponse, error) {
		heard <- r
		return edgeapi.EnteredResponse{}, nil
	})
	select {
	case got := <-heard:
		if m := h.membership(bob); got != (edgeapi.EnteredRequest{Session: bob.Session, Room: "room1", RoomID: m.RoomID, Seq: m.JoinSeq}) {
			t.Errorf("told %+v, the membership is %+v", got, m)
		}
	case <-natstest.Context(t).Done():
		t.Error("the edge was not told again")
	}
}

// Joins and quits from everywhere at once, on two copies: nobody is counted twice or lost, and
// no more get in than fit.
func TestJoinRace(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	h := enter(t, ns)
	h.start(room.Config{})
	h.start(room.Config{})
	host := ns.SignIn(t, "host", "")
	must(h, host, roomapi.Create, roomapi.CreateRequest{Room: "room1", Max: 4})
	users := sessions(t, ns, 12)
	var wg sync.WaitGroup
	in := make([]bool, len(users))
	for i, u := range users {
		wg.Go(func() {
			_, err := call(h, u, roomapi.Join, roomapi.JoinRequest{Room: "room1"})
			in[i] = err == nil
			if code := fault.CodeOf(err); code != "" && code != fault.RoomFull {
				t.Errorf("join: %v", err)
			}
		})
	}
	wg.Wait()
	n := 0
	for _, ok := range in {
		if ok {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d got in beside the host, 3 fit", n)
	}
	h.consistent(append(users, host), "room1")
}

// A command without a live session of its own does nothing.
func TestForeignSession(t *testing.T) {
	t.Parallel()
	h, ns := open(t)
	ann := ns.SignIn(t, "ann", "")
	h.create(ann, "room1")
	ctx := bus.AsSession(natstest.Context(t), "ann", bus.NewID())
	if _, err := roomapi.Quit.Call(ctx, h.nc, roomapi.QuitRequest{}); fault.CodeOf(err) != fault.NotSignedIn {
		t.Errorf("quit: %v", err)
	}
	if m := h.membership(ann); m.Room != "room1" {
		t.Errorf("ann is in %q", m.Room)
	}
}
