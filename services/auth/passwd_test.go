package auth

import (
	"strings"
	"testing"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/storagetest"
)

func TestPasswd(t *testing.T) {
	t.Parallel()
	const wanted = "battery staple"
	tests := []struct {
		name, old, wanted string
		code              fault.Code
	}{
		{name: "good", old: password, wanted: wanted},
		{name: "wrong old", old: "wrong horse", wanted: wanted, code: fault.WrongCredentials},
		{name: "no old", wanted: wanted, code: fault.BadRequest},
		{name: "old that cannot be", old: "\x00", wanted: wanted, code: fault.WrongCredentials},
		{name: "short", old: password, wanted: "staple", code: fault.BadPassword},
		{name: "long", old: password, wanted: strings.Repeat("x", 129), code: fault.BadPassword},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ns := natstest.Run(t)
			s := start(t, ns, nil)
			addAccounts(t, s, "ann")
			nc := ns.Connect(t)
			in := mustSignIn(t, nc, signInReq("ann", "e1", "c1"))
			_, err := authapi.Passwd.Call(as(t, in), nc, authapi.PasswdRequest{Old: tt.old, New: tt.wanted})
			wantCode(t, err, tt.code)
			if tt.code == fault.WrongCredentials && err.Error() != "wrong account or password" {
				t.Errorf("said %q", err)
			}
			valid, void := tt.wanted, password
			if tt.code != "" {
				valid, void = password, tt.wanted
			}
			user, _, err := s.accounts.find(natstest.Context(t), in.UserID)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.check(valid, user.Hash); err != nil {
				t.Errorf("the password that should fit: %v", err)
			}
			wantCode(t, s.check(void, user.Hash), fault.WrongCredentials)
			if r, found := record(t, s, "ann"); !found || r.Session != in.Session {
				t.Error("the session did not go on")
			}
		})
	}
}

// The same command on a copy that remembers no answer finds what it did; another one has a
// wrong old password by then.
func TestPasswdAgain(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		ns := natstest.Run(t)
		nc := ns.Connect(t)
		first := start(t, ns, on(d))
		addAccounts(t, first, "ann")
		in := mustSignIn(t, nc, signInReq("ann", "e1", "c1"))
		second := start(t, ns, on(d))
		change := authapi.PasswdRequest{Old: password, New: "battery staple"}
		ctx := bus.WithCommand(as(t, in), "command-1")
		for i := range 20 { // both copies get some
			if _, err := authapi.Passwd.Call(ctx, nc, change); err != nil {
				t.Fatalf("try %d: %v", i, err)
			}
		}
		if n := first.hasher.made.Load() + second.hasher.made.Load(); n != 1+1+2 { // the account, the sign-in, old and new
			t.Errorf("%d hashes", n)
		}
		_, err := authapi.Passwd.Call(as(t, in), nc, change)
		wantCode(t, err, fault.WrongCredentials)
	})
}

// Two changes at once that both know the old password: one of them sets it.
func TestPasswdRace(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		ns := natstest.Run(t)
		s := start(t, ns, on(d))
		addAccounts(t, s, "ann")
		ctx := natstest.Context(t)
		u, _, err := s.accounts.find(ctx, newAccount("ann", "").ID)
		if err != nil {
			t.Fatal(err)
		}
		first, err := s.accounts.setHash(ctx, u.ID, u.Hash, "first", "command-1")
		if err != nil || !first {
			t.Errorf("first: %v, %v", first, err)
		}
		second, err := s.accounts.setHash(ctx, u.ID, u.Hash, "second", "command-2")
		if err != nil || second {
			t.Errorf("second: %v, %v", second, err)
		}
	})
}
