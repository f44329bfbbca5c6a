package auth_test

import (
	"fmt"
	"testing"

	"gamehall/services/auth"
	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
)

// A service of its own on an embedded NATS: an account, a session, and its end.
func Example() {
	natstest.Example(func(t testing.TB) {
		t.Helper()
		ns := natstest.Run(t)
		ctx := natstest.Context(t)
		s, err := auth.Start(ctx, auth.Config{NATS: ns.Dialer(), Data: t.TempDir(), Log: natstest.Quiet()})
		if err != nil {
			t.Fatal(err)
		}
		nc := ns.Connect(t)

		up, err := authapi.SignUp.Call(ctx, nc, authapi.SignUpRequest{Username: "Ann", Password: "correct horse"})
		fmt.Println(up.User, err)
		_, err = authapi.SignUp.Call(ctx, nc, authapi.SignUpRequest{Username: "ANN", Password: "battery staple"})
		fmt.Println(fault.CodeOf(err), "-", err)

		in, err := authapi.SignIn.Call(ctx, nc, authapi.SignInRequest{Username: "ann", Password: "correct horse", Edge: "e1", Conn: "c1"})
		fmt.Println(in.User, in.Seq, err)
		out, err := authapi.SignOut.Call(bus.AsSession(ctx, in.User, in.Session), nc, authapi.SignOutRequest{})
		fmt.Println(out.User, out.Seq, err)

		fmt.Println(s.Stop(ctx))
	})
	// Output:
	// ann <nil>
	// username_taken - the username exists, please choose another one
	// ann 1 <nil>
	// ann 2 <nil>
	// <nil>
}
