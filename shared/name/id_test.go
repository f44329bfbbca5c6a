package name

import (
	"regexp"
	"testing"
)

func TestIDs(t *testing.T) {
	t.Parallel()
	// Fixed for ever: stored sessions, streams and accounts are found by these.
	const ann = "9cq18doqd2v1cg9hra07oakejs"
	if got := UserID("ann"); got != ann {
		t.Errorf("UserID(ann) = %q, want %q", got, ann)
	}
	if UserID("ann") == RoomID("ann") {
		t.Error("a user and a room share an id")
	}
	if UserID("ann") == UserID("anna") {
		t.Error("two users share an id")
	}
	token := regexp.MustCompile(`^[0-9a-v]{26}$`)
	for _, s := range []string{"", "ann", "a.b * >", "网易"} {
		if id := UserID(s); !token.MatchString(id) {
			t.Errorf("UserID(%q) = %q is no token", s, id)
		}
		if id := RoomID(s); !token.MatchString(id) {
			t.Errorf("RoomID(%q) = %q is no token", s, id)
		}
	}
}
