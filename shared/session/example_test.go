package session_test

import (
	"fmt"
	"testing"

	"gamehall/shared/bus"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
)

// A service opens a directory, and gives its Authorize to the bus.
func Example() {
	natstest.Example(func(t testing.TB) {
		t.Helper()
		ns := natstest.Run(t)
		sessions, err := session.Open(t.Context(), ns.JetStream(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer sessions.Close()
		cfg := bus.Config{Name: "chat", Dialer: ns.Dialer(), Authorize: sessions.Authorize(false)}

		ann := ns.SignIn(t, "ann", "edge1") // as auth would
		who, err := cfg.Authorize(t.Context(), "Ann", ann.Session)
		fmt.Println(who.User, who.Edge, err)
		_, err = cfg.Authorize(t.Context(), "ann", "another session")
		fmt.Println(err)
	})
	// Output:
	// ann edge1 <nil>
	// please sign in first
}
