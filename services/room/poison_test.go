package room

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"gamehall/shared/chatapi"
	"gamehall/shared/event"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// An event that cannot be read, or that breaks whoever handles it, is tried, told once and left
// out; those behind it are handled.
func TestPoison(t *testing.T) {
	t.Parallel()
	js, log := natstest.Run(t).JetStream(t), &natstest.Output{}
	s := newStore(js, newMirror(), slog.New(slog.NewTextHandler(log, nil)), time.Now)
	if _, err := s.lobby(natstest.Context(t)); err != nil { // it begins with what is new
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var following sync.WaitGroup
	defer following.Wait()
	defer cancel()
	tries, ended := 0, make(chan string, 10)
	following.Go(func() {
		s.leavings(ctx, func() <-chan struct{} { return nil }, func(_ context.Context, e event.Event) error {
			if e.User == "eve" {
				tries++
				panic("nobody thought of this")
			}
			ended <- e.User
			return nil
		})
	})
	if _, err := js.Publish(natstest.Context(t), string(chatapi.Lobby), []byte("{broken")); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"eve", "ann"} {
		e := event.Event{Kind: event.Left, User: user, UserID: "id-" + user, Epoch: 1}
		if _, err := streams.Publish(natstest.Context(t), js, string(chatapi.Lobby), "left."+user, e); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case user := <-ended:
		if user != "ann" {
			t.Errorf("%s left", user)
		}
	case <-natstest.Context(t).Done():
		t.Fatal("what stands behind the poison is not handled")
	}
	natstest.Eventually(t, "the poison is left out", func() bool { return log.Count("cannot be handled, it is left out") == 1 })
	if log.Count("cannot be read, it is left out") != 1 {
		t.Error("what cannot be read is not told once")
	}
	cancel()
	following.Wait()
	if tries != 3 {
		t.Errorf("it was tried %d times, want 3", tries)
	}
}
