package edge_test

import "testing"

func TestLobby(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	bob := h.signIn(t, "bob")
	ann.want("system: bob joined the hall")
	ann.send("hi")
	ann.want("ann: hi")
	bob.want("ann: hi")
	ann.send("/QUIT")
	ann.want("system: bye, ann")
	bob.want("system: ann left the hall")
	bob.send("still here")
	bob.want("bob: still here")
}
