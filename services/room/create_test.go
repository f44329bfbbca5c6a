package room_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"gamehall/services/room"
	"gamehall/shared/bus"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/roomapi"
	"gamehall/shared/session"
)

func TestRoomNames(t *testing.T) {
	t.Parallel()
	h, ns := open(t)
	tests := []struct {
		typed string
		shown string // "" when code tells why not
		code  fault.Code
	}{
		{typed: "room1", shown: "room1"},
		{typed: "  a.b * > c ", shown: "a.b * > c"},
		{typed: "Ünïcode 🎲", shown: "Ünïcode 🎲"},
		{typed: strings.Repeat("x", 32), shown: strings.Repeat("x", 32)},
		{typed: strings.Repeat("x", 33), code: fault.BadRoomName},
		{typed: strings.Repeat("x", 1024), code: fault.BadRoomName},
		{typed: "", code: fault.BadRequest},
		{typed: "   ", code: fault.BadRoomName},
		{typed: "lobby", code: fault.BadRoomName},
		{typed: "SYSTEM", code: fault.BadRoomName},
		{typed: "ѕystem", code: fault.BadRoomName},
		{typed: "room1] ann: hi [", code: fault.BadRoomName},
		{typed: "a\nb", code: fault.BadRoomName},
		{typed: "a\u202eb", code: fault.BadRoomName},
	}
	for i, tt := range tests {
		r := ns.SignIn(t, fmt.Sprintf("user%d", i), "")
		got, err := call(h, r, roomapi.Create, roomapi.CreateRequest{Room: tt.typed})
		if fault.CodeOf(err) != tt.code || got.Room != tt.shown {
			t.Errorf("%q: %q, %v, want %q, %q", tt.typed, got.Room, err, tt.shown, tt.code)
		}
	}
}

func TestFullRoom(t *testing.T) {
	t.Parallel()
	h, ns := open(t)
	ann, bob, cid := ns.SignIn(t, "ann", ""), ns.SignIn(t, "bob", ""), ns.SignIn(t, "cid", "")
	refused(h, ann, roomapi.Create, roomapi.CreateRequest{Room: "two", Max: 1}, fault.BadRequest, "")
	must(h, ann, roomapi.Create, roomapi.CreateRequest{Room: "two", Max: 2})
	h.join(bob, "two")
	refused(h, cid, roomapi.Join, roomapi.JoinRequest{Room: "two"}, fault.RoomFull, "")
	refused(h, bob, roomapi.Join, roomapi.JoinRequest{Room: "two"}, fault.AlreadyInRoom, "")
	if got := h.rooms(cid); !slices.Equal(got, []string{"two 2/2"}) {
		t.Errorf("rooms: %v", got)
	}
	h.quit(ann)
	h.join(cid, "two")
	h.consistent([]session.Record{ann, bob, cid}, "two")
}

// A user owns at most five rooms that exist; those of others and those that are gone do not
// count.
func TestOwned(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	h, c := enter(t, ns), newClock()
	h.start(room.Config{Now: c.Now})
	ann, bob := ns.SignIn(t, "ann", ""), ns.SignIn(t, "bob", "")
	for i := range room.OwnedMost {
		h.create(ann, fmt.Sprint("room", i))
		h.quit(ann)
	}
	refused(h, ann, roomapi.Create, roomapi.CreateRequest{Room: "more"}, fault.RateLimited,
		"you own 5 rooms already, please try again when one of them is gone")
	h.create(bob, "bobs")
	h.quit(bob)
	h.join(bob, "room0")
	c.pass(room.EmptyAfter)
	natstest.Eventually(t, "the empty rooms are gone", func() bool { return len(h.rooms(bob)) == 1 })
	for i := range room.OwnedMost - 1 {
		h.create(ann, fmt.Sprint("again", i))
		h.quit(ann)
	}
	refused(h, ann, roomapi.Create, roomapi.CreateRequest{Room: "more"}, fault.RateLimited, "")
}

// However many create one name at once, on two copies: one wins, and the others are told.
func TestCreateRace(t *testing.T) {
	t.Parallel()
	eachSize(t, func(t *testing.T, h hall, signIn func(string) session.Record, replicas int) {
		h.start(room.Config{Replicas: replicas})
		h.start(room.Config{Replicas: replicas})
		users := make([]session.Record, 6)
		for i := range users {
			users[i] = signIn(fmt.Sprintf("user%d", i))
		}
		rounds := 60
		if replicas > 1 {
			rounds = 15
		}
		var names []string
		for round := range rounds {
			name := fmt.Sprint("room ", round)
			names = append(names, name)
			errs := make([]error, len(users))
			var wg sync.WaitGroup
			for i, u := range users {
				wg.Go(func() { _, errs[i] = call(h, u, roomapi.Create, roomapi.CreateRequest{Room: name}) })
			}
			wg.Wait()
			won := 0
			for _, err := range errs {
				switch fault.CodeOf(err) {
				case "":
					won++
				case fault.RoomExists, fault.RateLimited:
				default:
					t.Errorf("round %d: %v", round, err)
				}
			}
			if won != 1 || count(h.log(name), event.RoomJoined) != 1 {
				t.Fatalf("round %d: %d won, %q", round, won, told(h.log(name)))
			}
			for i, err := range errs {
				if err == nil {
					h.quit(users[i])
				}
			}
			if round%len(users) == 0 {
				// The winners own too many by now: others go on.
				for i := range users {
					users[i] = signIn(fmt.Sprintf("user%dr%d", i, round))
				}
			}
		}
		h.consistent(users, names...)
	})
}

// A command id names one change: the first answer again from memory, from another copy at the
// same time, and from the records when every copy has died since.
func TestSameCommand(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	h := enter(t, ns)
	stop := []func(){h.start(room.Config{}), h.start(room.Config{})}
	ann := ns.SignIn(t, "ann", "")
	create := func() (any, error) {
		ctx := bus.WithCommand(natstest.As(natstest.Context(t), ann), "c1")
		return roomapi.Create.Call(ctx, h.nc, roomapi.CreateRequest{Room: "room1"})
	}
	say := func() (any, error) {
		ctx := bus.WithCommand(natstest.As(natstest.Context(t), ann), "s1")
		return roomapi.Say.Call(ctx, h.nc, roomapi.SayRequest{Text: "hi"})
	}
	quit := func() (any, error) {
		ctx := bus.WithCommand(natstest.As(natstest.Context(t), ann), "q1")
		return roomapi.Quit.Call(ctx, h.nc, roomapi.QuitRequest{})
	}
	first := map[string]any{}
	verify := func(what string, command func() (any, error)) {
		t.Helper()
		answers := make([]any, 6)
		errs := make([]error, 6)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() { answers[i], errs[i] = command() })
		}
		wg.Wait()
		for i := range answers {
			if first[what] == nil {
				first[what] = answers[i]
			}
			if errs[i] != nil || answers[i] != first[what] {
				t.Errorf("%s again: %v, %v, want %v", what, answers[i], errs[i], first[what])
			}
		}
	}
	verify("create", create)
	verify("say", say)
	verify("quit", quit)
	verify("create", create)
	stop[0]()
	stop[1]()
	h.start(room.Config{})
	verify("create", create)
	verify("say", say) // its sender has left since
	verify("quit", quit)
	want := []string{"room.joined ann ", "room.chat ann hi", "room.left ann "}
	if got := told(h.log("room1")); !slices.Equal(got, want) {
		t.Errorf("the room was told %q, want %q", got, want)
	}
	// The id of one command is no good for another.
	ctx := bus.WithCommand(natstest.As(natstest.Context(t), ann), "s1")
	if _, err := roomapi.Join.Call(ctx, h.nc, roomapi.JoinRequest{Room: "room1"}); fault.CodeOf(err) != fault.BadRequest {
		t.Errorf("join with the id of a line: %v", err)
	}
	ctx = bus.WithCommand(natstest.As(natstest.Context(t), ann), "c1")
	if _, err := roomapi.Join.Call(ctx, h.nc, roomapi.JoinRequest{Room: "room1"}); fault.CodeOf(err) != fault.BadRequest {
		t.Errorf("join with the id of a create: %v", err)
	}
}
