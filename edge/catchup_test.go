package edge_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/edge"
	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/event"
	"gamehall/shared/name"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// resumes lets auth's part of a resume succeed for a session of ann that joined at seq.
func (h *hall) resumes(t *testing.T, seq uint64) {
	t.Helper()
	natstest.Answer(t, h.ns, authapi.Resume, func(ctx context.Context, r authapi.ResumeRequest) (authapi.ResumeResponse, error) {
		rec := session.Record{
			User: "ann", UserID: name.UserID("ann"), Session: bus.NewID(), State: session.Alive,
			Since: time.Now().UTC(), Edge: r.Edge, Conn: r.Conn, Command: bus.Command(ctx),
		}
		data, err := json.Marshal(rec)
		if err != nil {
			return authapi.ResumeResponse{}, err
		}
		revision, err := h.kv.Put(ctx, rec.UserID, data)
		return authapi.ResumeResponse{SignInResponse: authapi.SignInResponse{User: rec.User, UserID: rec.UserID, Session: rec.Session, Epoch: revision, Seq: seq}}, err
	})
}

// A client that reads what it missed slowly is neither told that the hall is slow nor closed,
// and an edge that stops does not wait for it.
func TestSlowCatchUp(t *testing.T) {
	t.Parallel()
	const missed, size = 6000, 1900 // some 11 MB, more than sockets take
	h := start(t, nil)
	first := h.line(t, "first")
	text := fmt.Sprintf("%0*d", size, 0)
	data, err := json.Marshal(event.Event{Kind: event.Chat, From: "somebody", Text: text})
	if err != nil {
		t.Fatal(err)
	}
	for range missed {
		if _, err := h.js.PublishAsync(streams.Subject(streams.LobbyChannel), data, jetstream.WithStallWait(natstest.Wait)); err != nil {
			t.Fatal(err)
		}
	}
	<-h.js.PublishAsyncComplete()
	h.resumes(t, first)
	late := h.another(t, nil)
	for _, stops := range []bool{false, true} {
		c := narrow(t, late)
		c.send(fmt.Sprintf(`{"id":"1","type":"resume","token":"t","since":%d}`, first))
		wantOutcome(t, c, "ok")
		for range 10 {
			wantOutcome(t, c, "chat "+text)
		}
		if !stops {
			late.Sweep(time.Now().Add(20 * time.Second)) // no progress is needed while it is shown this
			for range missed - 10 {
				wantOutcome(t, c, "chat "+text)
			}
			c.send(ping)
			wantOutcome(t, c, "ok")
			continue
		}
		stopped := make(chan error, 1)
		go func() { stopped <- late.Stop(natstest.Context(t)) }()
		got := 10
		for {
			object := outcome(c.next())
			if object == "closing restart" {
				break
			}
			if object != "chat "+text {
				t.Fatalf("got %.80s", object)
			}
			got++
		}
		if got >= missed {
			t.Error("the edge waited until all was read")
		}
		_ = c.nc.Close()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	}
}

// narrow is a client of frames whose socket takes little at a time.
func narrow(t *testing.T, e *edge.Edge) *frameClient {
	t.Helper()
	c := framesTo(t, e)
	tcp, ok := c.nc.(*net.TCPConn)
	if !ok {
		t.Fatalf("connected by %T", c.nc)
	}
	if err := tcp.SetReadBuffer(128 << 10); err != nil {
		t.Fatal(err)
	}
	return c
}
