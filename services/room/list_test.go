package room_test

import (
	"fmt"
	"slices"
	"testing"

	"gamehall/services/room"
	"gamehall/shared/natstest"
)

// A list shows what was answered before it was asked for, by whichever copy.
func TestListIsCurrent(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	h := enter(t, ns)
	h.start(room.Config{})
	h.start(room.Config{})
	asks := ns.SignIn(t, "asks", "")
	if got := h.rooms(asks); len(got) != 0 {
		t.Errorf("rooms %v", got)
	}
	var want []string
	for i, u := range sessions(t, ns, 9) {
		h.create(u, fmt.Sprint("room", i))
		want = append(want, fmt.Sprintf("room%d 1/0", i))
		if got := h.rooms(asks); !slices.Equal(got, want) {
			t.Fatalf("rooms %v, want %v", got, want)
		}
		h.quit(u)
		want[i] = fmt.Sprintf("room%d 0/0", i)
		if got := h.rooms(asks); !slices.Equal(got, want) {
			t.Fatalf("rooms %v, want %v", got, want)
		}
	}
}
