package edge_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/name"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
)

// Who comes back at once is told of with the resume, and nobody is told of the loss; who does not
// is told of a moment later. An auth of an earlier version, which knows neither, is told what it
// understands.
func TestLossIsToldWithTheReturn(t *testing.T) {
	t.Parallel()
	for name, former := range map[string]bool{"auth of today": false, "a former one": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lossIsToldWithTheReturn(t, former)
		})
	}
}

func lossIsToldWithTheReturn(t *testing.T, former bool) {
	t.Helper()
	h := startWith(t, &neighbours{former: former}, nil)
	asked := make(chan authapi.ResumeRequest, 2)
	natstest.Answer(t, h.ns, authapi.Resume, func(ctx context.Context, r authapi.ResumeRequest) (authapi.ResumeResponse, error) {
		asked <- r
		if former && r.Lost != (authapi.Lost{}) {
			return authapi.ResumeResponse{}, fault.New(fault.BadRequest, "unknown field lost")
		}
		rec := session.Record{
			User: "ann", UserID: name.UserID("ann"), Session: bus.NewID(), State: session.Alive,
			Since: time.Now().UTC(), Edge: r.Edge, Conn: r.Conn, Command: bus.Command(ctx),
		}
		data, err := json.Marshal(rec)
		if err != nil {
			return authapi.ResumeResponse{}, err
		}
		revision, err := h.kv.Put(ctx, rec.UserID, data)
		return authapi.ResumeResponse{SignInResponse: authapi.SignInResponse{User: rec.User, UserID: rec.UserID, Session: rec.Session, Epoch: revision, Seq: 1}}, err
	})
	ann, bob := framesTo(t, h.edge), framesTo(t, h.edge)
	enter(t, ann, "ann")
	enter(t, bob, "bob")
	leave := func(c *frameClient) {
		t.Helper()
		_, before := h.edge.Counts()
		if err := c.nc.Close(); err != nil {
			t.Fatal(err)
		}
		natstest.Eventually(t, "the loss is noticed", func() bool {
			_, now := h.edge.Counts()
			return now < before
		})
	}
	leave(ann)
	back := framesTo(t, h.edge)
	back.send(fmt.Sprintf(`{"id":"1","type":"resume","token":%q}`, authapi.Token(name.UserID("ann"), bus.NewID())))
	wantOutcome(t, back, "ok")
	if r := <-asked; r.Lost.Session == "" {
		t.Errorf("the resume said of the loss %+v, want her session", r.Lost)
	}
	if former {
		if r := <-asked; r.Lost != (authapi.Lost{}) {
			t.Errorf("a former auth was told of the loss again: %+v", r.Lost)
		}
	}
	leave(bob) // later than ann: what was to be told of her would come first
	want := "bob detached"
	if got := <-h.ends; former && got == "ann detached" { // of her former session, which auth knows
		got = <-h.ends
		if got != want {
			t.Errorf("auth was told %q, want %q", got, want)
		}
	} else if got != want {
		t.Errorf("auth was told %q, want %q alone", got, want)
	}
}
