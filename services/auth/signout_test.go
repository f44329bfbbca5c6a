package auth

import (
	"testing"
	"time"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
)

func TestSignOut(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		until func(since time.Time) time.Time // as asked for
		kept  bool                            // it is what the hall hears
	}{
		{name: "now", until: func(time.Time) time.Time { return time.Time{} }},
		{name: "at the last byte", until: func(since time.Time) time.Time { return since.Add(time.Nanosecond) }, kept: true},
		{name: "before it began", until: func(since time.Time) time.Time { return since.Add(-time.Second) }},
		{name: "in the future", until: func(since time.Time) time.Time { return since.Add(time.Hour) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ns := natstest.Run(t)
			s := start(t, ns, nil)
			addAccounts(t, s, "ann")
			nc := ns.Connect(t)
			hall := hear(t, ns)
			in := mustSignIn(t, nc, signInReq("ann", "e1", "c1"))
			hall.want(t, event.Joined, "ann", in.Epoch)
			until := tt.until(in.Since)
			ctx := bus.WithCommand(as(t, in), "command-1")
			out, err := authapi.SignOut.Call(ctx, nc, authapi.SignOutRequest{Until: until})
			if err != nil || out.User != "ann" || out.Seq != in.Seq+1 {
				t.Fatalf("answered %+v, %v", out, err)
			}
			want := time.Time{}
			if tt.kept {
				want = until
			}
			if e := hall.want(t, event.Left, "ann", in.Epoch); !e.Until.Equal(want) || e.EdgeLost || !e.Since.Equal(in.Since) {
				t.Errorf("left %+v, want until %v", e, want)
			}
			if _, found := record(t, s, "ann"); found {
				t.Error("the session is still there")
			}
			again, err := authapi.SignOut.Call(ctx, nc, authapi.SignOutRequest{Until: until})
			if err != nil || again != out {
				t.Errorf("the same command: %+v, %v, first %+v", again, err, out)
			}
			_, err = authapi.SignOut.Call(as(t, in), nc, authapi.SignOutRequest{})
			wantCode(t, err, fault.NotSignedIn)
			if all := told(t, ns); len(all) != 2 {
				t.Errorf("the hall heard %+v", all)
			}
		})
	}
}

func TestSignOutNeedsTheSession(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := start(t, ns, nil)
	addAccounts(t, s, "ann")
	nc := ns.Connect(t)
	in := mustSignIn(t, nc, signInReq("ann", "e1", "c1"))
	for name, ctx := range map[string]struct{ user, session string }{
		"no user":         {"", in.Session},
		"no session":      {"ann", ""},
		"another session": {"ann", bus.NewID()},
		"another user":    {"bob", in.Session},
	} {
		_, err := authapi.SignOut.Call(bus.AsSession(natstest.Context(t), ctx.user, ctx.session), nc, authapi.SignOutRequest{})
		if fault.CodeOf(err) != fault.NotSignedIn || err.Error() != "please sign in first" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, found := record(t, s, "ann"); !found {
		t.Error("the session is gone")
	}
}

// A sign-out right after a claim of which the hall was not told: it hears of both.
func TestSignOutOfAnUntoldClaim(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := start(t, ns, nil)
	hall := hear(t, ns)
	r := put(t, s, claimOf("ann", "e1", "c1", "command-1"))
	ctx := bus.AsSession(natstest.Context(t), "ann", r.Session)
	if _, err := authapi.SignOut.Call(ctx, ns.Connect(t), authapi.SignOutRequest{}); err != nil {
		t.Fatal(err)
	}
	hall.want(t, event.Joined, "ann", r.Epoch())
	hall.want(t, event.Left, "ann", r.Epoch())
}

// A sign-out that is repeated at another copy, after the first one died at any of its steps or
// behind them: it is answered as if nobody had died, also when the user is back meanwhile.
func TestSignOutAtAnotherCopy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		until func(t *testing.T, s *Service, r session.Record) // the first copy's last step
	}{
		{"marked", func(*testing.T, *Service, session.Record) {}},
		{"told", func(t *testing.T, s *Service, r session.Record) {
			t.Helper()
			if _, err := s.publish(natstest.Context(t), event.Left, r); err != nil {
				t.Fatal(err)
			}
		}},
		{"deleted", func(t *testing.T, s *Service, r session.Record) {
			t.Helper()
			if _, err := s.finish(natstest.Context(t), r); err != nil {
				t.Fatal(err)
			}
		}},
		{"finished by the reaper, and the user is back", func(t *testing.T, s *Service, r session.Record) {
			t.Helper()
			if err := s.do(natstest.Context(t), finish, r); err != nil {
				t.Fatal(err)
			}
			mustSignIn(t, s.bus.Conn(), signInReq("ann", "e2", "c2"))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ns := natstest.Run(t)
			s := start(t, ns, nil)
			addAccounts(t, s, "ann")
			nc := ns.Connect(t)
			hall := hear(t, ns)
			in := mustSignIn(t, nc, signInReq("ann", "e1", "c1"))
			hall.want(t, event.Joined, "ann", in.Epoch)
			marked, _ := record(t, s, "ann")
			marked.State, marked.SignedOut = session.Ending, "command-1"
			marked, err := s.sessions.write(natstest.Context(t), marked, marked.Revision)
			if err != nil {
				t.Fatal(err)
			}
			tt.until(t, s, marked)
			out, err := authapi.SignOut.Call(bus.WithCommand(as(t, in), "command-1"), nc, authapi.SignOutRequest{})
			if err != nil || out.User != "ann" || out.Seq != in.Seq+1 {
				t.Errorf("answered %+v, %v, want ann and %d", out, err, in.Seq+1)
			}
			hall.want(t, event.Left, "ann", in.Epoch)
			_, err = authapi.SignOut.Call(bus.WithCommand(as(t, in), "command-2"), nc, authapi.SignOutRequest{})
			wantCode(t, err, fault.NotSignedIn)
			if r, found := record(t, s, "ann"); found && r.Epoch() == in.Epoch {
				t.Errorf("its session is still there: %+v", r)
			}
		})
	}
}
