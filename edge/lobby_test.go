package edge_test

import "testing"

func TestLobby(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	bob := h.signIn(t, "bob")
	ann.want("system: bob joined the hall")
	ann.send("hi")
	ann.want("someone: hi")
	bob.want("someone: hi")
	ann.send("/QUIT")
	ann.want("system: bye, ann")
	bob.send("still here")
	bob.want("someone: still here")
}
