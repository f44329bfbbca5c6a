package auth

import (
	"testing"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
)

func TestPresence(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := start(t, ns, func(c *Config) { c.Bare = true })
	addAccounts(t, s, "ann")
	nc := ns.Connect(t)
	in := mustSignIn(t, nc, signInReq("ann", "e1", "c1"))
	var revision uint64
	for i, away := range []bool{true, true, false, false, true} {
		if _, err := authapi.Presence.Call(as(t, in), nc, authapi.PresenceRequest{Away: away}); err != nil {
			t.Fatal(err)
		}
		want := session.Alive
		if away {
			want = session.Away
		}
		r, _ := record(t, s, "ann")
		if r.State != want || r.Epoch() != in.Epoch || r.Session != in.Session || !r.Live() {
			t.Errorf("away %v: stored %+v", away, r)
		}
		if repeated := i%2 == 1; repeated && r.Revision != revision {
			t.Error("written although nothing changed")
		}
		revision = r.Revision
	}
	_, err := authapi.Presence.Call(bus.As(natstest.Context(t), "ann"), nc, authapi.PresenceRequest{})
	wantCode(t, err, fault.NotSignedIn) // whoever can name her must not tell what she does
	if all := told(t, ns); len(all) != 1 {
		t.Errorf("the hall heard %+v", all)
	}
}

// A session that nobody told of yet keeps that in mind when it goes away.
func TestPresenceOfAnUntoldClaim(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := start(t, ns, nil)
	hall := hear(t, ns)
	r := put(t, s, claimOf("ann", "e1", "c1", "command-1"))
	ctx := bus.AsSession(natstest.Context(t), "ann", r.Session)
	if _, err := authapi.Presence.Call(ctx, ns.Connect(t), authapi.PresenceRequest{Away: true}); err != nil {
		t.Fatal(err)
	}
	hall.want(t, event.Joined, "ann", r.Epoch())
	if have, _ := record(t, s, "ann"); have.Claimed != r.Epoch() || have.State != session.Away {
		t.Errorf("stored %+v", have)
	}
}
