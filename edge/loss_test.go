package edge_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/name"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
)

// Who comes back at once is told of with the resume, and nobody is told of the loss; who does not
// is told of a moment later.
func TestLossIsToldWithTheReturn(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	asked := make(chan authapi.ResumeRequest, 1)
	natstest.Answer(t, h.ns, authapi.Resume, func(ctx context.Context, r authapi.ResumeRequest) (authapi.SignInResponse, error) {
		asked <- r
		rec := session.Record{
			User: "ann", UserID: name.UserID("ann"), Session: bus.NewID(), State: session.Alive,
			Since: time.Now().UTC(), Edge: r.Edge, Conn: r.Conn, Command: bus.Command(ctx),
		}
		data, err := json.Marshal(rec)
		if err != nil {
			return authapi.SignInResponse{}, err
		}
		revision, err := h.kv.Put(ctx, rec.UserID, data)
		return authapi.SignInResponse{User: rec.User, UserID: rec.UserID, Session: rec.Session, Epoch: revision, Seq: 1}, err
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
	leave(bob) // later than ann: what was to be told of her would come first
	if got := <-h.ends; got != "bob detached" {
		t.Errorf("auth was told %q, want bob detached alone", got)
	}
}
