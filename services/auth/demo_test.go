package auth

import (
	"testing"

	"gamehall/shared/authapi"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
)

func TestDemoAccounts(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	data := t.TempDir()
	demo := func(c *Config) { c.Data, c.DemoAccounts = data, DemoAccounts() }
	first := start(t, ns, demo)
	if n := first.hasher.made.Load(); n != 4 {
		t.Errorf("%d hashes, want one for each account", n)
	}
	nc := ns.Connect(t)
	in := mustSignIn(t, nc, authapi.SignInRequest{Username: "netease4", Password: "123", Edge: "e1", Conn: "c4"})
	if _, err := authapi.Passwd.Call(as(t, in), nc, authapi.PasswdRequest{Old: "123", New: password}); err != nil {
		t.Fatal(err)
	}
	// The second start finds them, and keeps the new password.
	second := start(t, ns, demo)
	if n := second.hasher.made.Load(); n != 0 {
		t.Errorf("%d hashes at the second start", n)
	}
	for _, user := range []string{"netease1", "netease2", "netease3"} {
		mustSignIn(t, nc, authapi.SignInRequest{Username: user, Password: "123", Edge: "e1", Conn: user})
	}
	_, err := authapi.SignIn.Call(natstest.Context(t), nc, authapi.SignInRequest{Username: "netease4", Password: "123", Edge: "e1", Conn: "c4"})
	wantCode(t, err, fault.WrongCredentials)
	_, err = authapi.SignUp.Call(natstest.Context(t), nc, authapi.SignUpRequest{Username: "netease5", Password: "123"})
	wantCode(t, err, fault.BadPassword)
}

func TestNoDemoAccountsUnlessAskedFor(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	start(t, ns, nil)
	_, err := authapi.SignIn.Call(natstest.Context(t), ns.Connect(t), authapi.SignInRequest{Username: "netease1", Password: "123", Edge: "e1"})
	wantCode(t, err, fault.WrongCredentials)
}

// A hall that has been on one's own machine may go on where everybody can reach it; then the
// public password opens nothing, and one that was changed still does.
func TestDemoAccountsOfAnEarlierStart(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	data := t.TempDir()
	first := start(t, ns, func(c *Config) { c.Data, c.DemoAccounts = data, DemoAccounts() })
	nc := ns.Connect(t)
	in := mustSignIn(t, nc, authapi.SignInRequest{Username: "netease4", Password: "123", Edge: "e1", Conn: "c4"})
	if _, err := authapi.Passwd.Call(as(t, in), nc, authapi.PasswdRequest{Old: "123", New: password}); err != nil {
		t.Fatal(err)
	}
	if err := first.Stop(natstest.Context(t)); err != nil {
		t.Fatal(err)
	}
	start(t, ns, func(c *Config) { c.Data = data })
	_, err := authapi.SignIn.Call(natstest.Context(t), nc, authapi.SignInRequest{Username: "NetEase1", Password: "123", Edge: "e1", Conn: "c1"})
	wantCode(t, err, fault.WrongCredentials)
	mustSignIn(t, nc, authapi.SignInRequest{Username: "netease4", Password: password, Takeover: true, Edge: "e1", Conn: "c5"})
}
