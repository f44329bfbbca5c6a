package account

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"gamehall/shared/accountapi"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// setState writes the state of a session as auth does.
func setState(t *testing.T, ns *natstest.Server, r session.Record, state session.State) {
	t.Helper()
	kv, err := ns.JetStream(t).KeyValue(natstest.Context(t), streams.Sessions)
	if err != nil {
		t.Fatal(err)
	}
	r.Claimed, r.State = r.Epoch(), state
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(natstest.Context(t), r.UserID, data); err != nil {
		t.Fatal(err)
	}
}

func TestWho(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	start(t, ns, t.TempDir())
	nc := ns.Connect(t)
	carl, ann := ns.SignIn(t, "carl", "edge1"), ns.SignIn(t, "ann", "edge1")
	gone, bob := ns.SignIn(t, "gone", "edge1"), ns.SignIn(t, "bob", "edge2")
	setState(t, ns, bob, session.Away)
	setState(t, ns, gone, session.Ending)
	want := []accountapi.Present{
		{User: "ann", State: "alive", Since: ann.Since},
		{User: "bob", State: "away", Since: bob.Since},
		{User: "carl", State: "alive", Since: carl.Since},
	}
	same := func(a, b accountapi.Present) bool {
		return a.User == b.User && a.State == b.State && a.Since.Equal(b.Since)
	}
	var resp accountapi.WhoResponse
	until(t, "the mirror knows all", func() bool { // it may be some milliseconds behind
		var err error
		if resp, err = accountapi.Who.Call(natstest.As(natstest.Context(t), ann), nc, accountapi.WhoRequest{}); err != nil {
			t.Fatal(err)
		}
		return resp.Total == 3 && slices.EqualFunc(resp.Users, want, same)
	})
	ns.SignOut(t, carl)
	until(t, "carl is gone", func() bool {
		resp, err := accountapi.Who.Call(natstest.As(natstest.Context(t), ann), nc, accountapi.WhoRequest{})
		return err == nil && resp.Total == 2
	})
}

// Who asks is there, at once.
func TestWhoAsksIsThere(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	start(t, ns, t.TempDir())
	nc := ns.Connect(t)
	for i := range 50 {
		r := ns.SignIn(t, fmt.Sprintf("user%d", i%5), fmt.Sprintf("edge%d", i))
		resp, err := accountapi.Who.Call(natstest.As(natstest.Context(t), r), nc, accountapi.WhoRequest{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, p := range resp.Users {
			if p.User == r.User {
				n++
			}
		}
		if n != 1 {
			t.Fatalf("%s is there %d times: %+v", r.User, n, resp.Users)
		}
	}
}

// A large hall is cut, and the answer says how many there are.
func TestPresentIsCut(t *testing.T) {
	t.Parallel()
	var all []*session.Record
	for i := range accountapi.WhoMost + 5 {
		all = append(all, &session.Record{User: fmt.Sprintf("user%05d", 99999-i), Session: "s", State: session.Alive, Since: time.Now()})
	}
	got := present(all)
	if len(got.Users) != accountapi.WhoMost || got.Total != accountapi.WhoMost+5 || got.Users[0].User != "user98995" {
		t.Errorf("%d of %d, the first is %s", len(got.Users), got.Total, got.Users[0].User)
	}
	if none := present(nil); none.Users == nil || none.Total != 0 {
		t.Errorf("nobody: %+v", none)
	}
}
