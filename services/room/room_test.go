package room

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gamehall/shared/bus"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/roomapi"
)

func TestRules(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)
	ann := bus.Identity{User: "ann", ID: "a", Epoch: 7}
	inRoom := Membership{Membership: roomapi.Membership{User: "ann", Room: "r", RoomID: "1", Epoch: 7}}
	open := Room{Name: "r", ID: "1", Members: 1}
	tests := []struct {
		name string
		rule func() (Change, error)
		code fault.Code
		want Room
	}{
		{"create", func() (Change, error) { return Create(Room{}, Membership{}, ann, "r", "1", 2) }, "", Room{Name: "r", ID: "1", Owner: "ann", OwnerID: "a", Max: 2, Members: 1}},
		{"create over a mark", func() (Change, error) { return Create(Remove(open), Membership{}, ann, "R", "1", 0) }, "", Room{Name: "R", ID: "1", Owner: "ann", OwnerID: "a", Members: 1}},
		{"create what exists", func() (Change, error) { return Create(open, Membership{}, ann, "r", "1", 0) }, fault.RoomExists, Room{}},
		{"create what exists and is empty", func() (Change, error) {
			return Create(Room{Name: "r", ID: "1"}, Membership{}, ann, "r", "1", 0)
		}, fault.RoomExists, Room{}},
		{"create from within", func() (Change, error) { return Create(Room{}, inRoom, ann, "q", "2", 0) }, fault.AlreadyInRoom, Room{}},
		{"create a sixth", func() (Change, error) {
			return Create(Room{}, Membership{Owned: []string{"a", "b", "c", "d", "e"}}, ann, "q", "2", 0)
		}, fault.RateLimited, Room{}},
		{"join", func() (Change, error) { return Join(open, Membership{}, ann, "r") }, "", Room{Name: "r", ID: "1", Members: 2}},
		{"join an empty one", func() (Change, error) {
			return Join(Room{Name: "r", ID: "1", EmptySince: now}, Membership{}, ann, "r")
		}, "", Room{Name: "r", ID: "1", Members: 1}},
		{"join none", func() (Change, error) { return Join(Room{}, Membership{}, ann, "r") }, fault.NoSuchRoom, Room{}},
		{"join one that is gone", func() (Change, error) { return Join(Remove(open), Membership{}, ann, "r") }, fault.NoSuchRoom, Room{}},
		{"join twice, and it is full", func() (Change, error) { return Join(Room{Name: "r", ID: "1", Members: 2, Max: 2}, inRoom, ann, "r") }, fault.AlreadyInRoom, Room{}},
		{"join a full one", func() (Change, error) {
			return Join(Room{Name: "r", ID: "1", Members: 2, Max: 2}, Membership{}, ann, "r")
		}, fault.RoomFull, Room{}},
		{"quit", func() (Change, error) { return Quit(Room{Name: "r", ID: "1", Members: 3}, inRoom, "a", now) }, "", Room{Name: "r", ID: "1", Members: 2}},
		{"quit as the last", func() (Change, error) { return Quit(open, inRoom, "a", now) }, "", Room{Name: "r", ID: "1", EmptySince: now}},
		{"quit a lost room", func() (Change, error) { return Quit(Room{}, inRoom, "a", now) }, "", Room{Name: "r", ID: "1", Gone: true}},
		{"quit none", func() (Change, error) { return Quit(Room{}, Membership{}, "a", now) }, fault.NotInRoom, Room{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := tt.rule()
			if fault.CodeOf(err) != tt.code || c.Room != tt.want {
				t.Errorf("%+v, %v, want %+v, %q", c.Room, err, tt.want, tt.code)
			}
		})
	}
}

func TestSpeaks(t *testing.T) {
	t.Parallel()
	m := Membership{Membership: roomapi.Membership{RoomID: "1", Epoch: 7}}
	tests := []struct {
		name  string
		m     Membership
		epoch uint64
		code  fault.Code
	}{
		{"the session that joined", m, 7, ""},
		{"a later session", m, 8, fault.NotInRoom},
		{"an earlier session", m, 6, fault.NotSignedIn},
		{"nobody", Membership{}, 7, fault.NotInRoom},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := Speaks(tt.m, bus.Identity{Epoch: tt.epoch}); fault.CodeOf(err) != tt.code {
				t.Errorf("%v, want %q", err, tt.code)
			}
		})
	}
}

func TestExpired(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)
	r := Room{ID: "1", EmptySince: now}
	if r.Expired(now.Add(59*time.Second), time.Minute) || !r.Expired(now.Add(time.Minute), time.Minute) {
		t.Error("a room is gone 60 s after its last member left")
	}
	r.Members = 1
	if r.Expired(now.Add(time.Hour), time.Minute) || Remove(r).Expired(now.Add(time.Hour), time.Minute) {
		t.Error("only an empty room that exists is removed")
	}
}

// A record remembers the commands of two minutes, and its own sequences.
func TestDone(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)
	var m Membership
	for i := range 3 * doneMost {
		m.did(Done{Command: fmt.Sprint(i), At: now})
		m.At(uint64(i + 1))
	}
	if len(m.Done) != doneMost {
		t.Errorf("%d are kept, want %d", len(m.Done), doneMost)
	}
	last := fmt.Sprint(3*doneMost - 1)
	if d, ok := m.Did(last); !ok || d.Seq != 3*doneMost+roomapi.EventAfter {
		t.Errorf("the last one is %+v", d)
	}
	if _, ok := m.Did(""); ok {
		t.Error("no command was found")
	}
	m.did(Done{Command: "new", At: now.Add(2 * time.Minute)})
	if _, ok := m.Did(last); !ok {
		t.Error("a command was forgotten within two minutes")
	}
	m.did(Done{Command: "newer", At: now.Add(2*time.Minute + 1)})
	if _, ok := m.Did(last); ok || len(m.Done) != 2 {
		t.Errorf("a command is kept for longer than two minutes: %d", len(m.Done))
	}
}

// Whatever is commanded in whatever order: a room counts whom the events tell of, holds no
// more than fit, and a user is in one room at a time.
func TestRulesHold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)
		rooms, members := map[string]Room{}, map[string]Membership{}
		in := map[string]string{} // by the events alone
		steps := rapid.IntRange(1, 60).Draw(t, "steps")
		for range steps {
			id := rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "room")
			user := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "user")
			who := bus.Identity{User: user, ID: user, Epoch: 1}
			var c Change
			var err error
			switch rapid.IntRange(0, 3).Draw(t, "verb") {
			case 0:
				c, err = Create(rooms[id], members[user], who, "room "+id, id, rapid.SampledFrom([]int{0, 2}).Draw(t, "max"))
				if err == nil && rooms[id].Exists() {
					t.Fatalf("room %s was made twice", id)
				}
			case 1:
				c, err = Join(rooms[id], members[user], who, id)
			case 2:
				id = members[user].RoomID
				c, err = Quit(rooms[id], members[user], user, now)
			case 3:
				now = now.Add(30 * time.Second)
				if rooms[id].Expired(now, time.Minute) {
					rooms[id] = Remove(rooms[id])
				}
				continue
			}
			if err != nil {
				if !fault.CodeOf(err).Known() || fault.CodeOf(err) == fault.Internal {
					t.Fatalf("refused without a fault: %v", err)
				}
				continue
			}
			rooms[id], members[user] = c.Room, c.Member
			switch {
			case c.Event.Kind == event.RoomJoined && in[user] == "":
				in[user] = id
			case c.Event.Kind == event.RoomLeft && in[user] == id:
				delete(in, user)
			default:
				t.Fatalf("%+v, and %s is in %q", c.Event, user, in[user])
			}
			for id, r := range rooms {
				n := 0
				for user, m := range members {
					if m.RoomID == id {
						n++
					}
					if m.RoomID != in[user] {
						t.Fatalf("%s is in %q, the events tell %q", user, m.RoomID, in[user])
					}
				}
				if r.Members != n || r.Max > 0 && n > r.Max || r.Exists() && (n == 0) == r.EmptySince.IsZero() || !r.Exists() && n > 0 {
					t.Fatalf("%+v, and %d are in it", r, n)
				}
			}
			if owned := members[user].Owned; len(owned) > OwnedMost {
				t.Fatalf("%s owns %v", user, owned)
			}
		}
	})
}

// What is done to a copy of a record does not reach the record.
func TestRulesDoNotShare(t *testing.T) {
	t.Parallel()
	owned := make([]string, 1, 8)
	owned[0] = "1"
	m := Membership{Owned: owned}
	first, err := Create(Room{}, m, bus.Identity{User: "ann", ID: "a"}, "x", "2", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(Room{}, m, bus.Identity{User: "ann", ID: "a"}, "y", "3", 0); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(first.Member.Owned, []string{"1", "2"}) {
		t.Errorf("owned %v", first.Member.Owned)
	}
}
