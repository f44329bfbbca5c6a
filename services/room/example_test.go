package room_test

import (
	"fmt"
	"testing"

	"gamehall/services/room"
	"gamehall/shared/natstest"
	"gamehall/shared/roomapi"
)

// The service runs alone; ann makes a room and talks to herself.
func Example() {
	natstest.Example(func(t testing.TB) {
		ns := natstest.Run(t)
		s, err := room.Start(t.Context(), room.Config{NATS: ns.Dialer(), Log: natstest.Quiet()})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Stop(t.Context())

		nc, ann := ns.Connect(t), natstest.As(t.Context(), ns.SignIn(t, "ann", ""))
		made, err := roomapi.Create.Call(ann, nc, roomapi.CreateRequest{Room: "Room 1"})
		if err != nil {
			t.Fatal(err)
		}
		said, err := roomapi.Say.Call(ann, nc, roomapi.SayRequest{Text: "hi"})
		fmt.Println("in", made.Room, "- said after joining:", said.Seq > made.Seq, err)
		_, err = roomapi.Join.Call(ann, nc, roomapi.JoinRequest{Room: "room 1"})
		fmt.Println(err)
	})
	// Output:
	// in Room 1 - said after joining: true <nil>
	// you are already in Room 1
}
