package account

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/chatapi"
	"gamehall/shared/event"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
	"gamehall/shared/storagetest"
)

// At the start the bucket is compared: what is open here and not there is closed where its
// edge was last seen, what is there and not here is added, and what lives or whose left is
// on its way is left alone.
func TestReconcile(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		ns := natstest.Run(t)
		s := startOn(t, ns, d)
		<-s.compared // or it would take those for lost that are to be told of
		lost, _ := began("lost", 1, time.Hour, 0)
		leaving, end := began("leaving", 1, time.Hour, time.Minute)
		lives := ns.SignIn(t, "lives", "edge1")
		over := ns.SignIn(t, "taker", "edge1")
		over.Prev = &session.Previous{Epoch: over.Epoch() - 1, Since: over.Since.Add(-time.Minute), Until: over.Since}
		setState(t, ns, over, session.Alive)
		taken := over
		taken.Claimed = over.Prev.Epoch
		for _, r := range []session.Record{lost, leaving, lives, taken} {
			tell(t, ns, event.Joined, r, nil)
		}
		drained(t, s, ns)
		renewed := lease(t, ns, "edge1")
		seen(t, s, "edge1", renewed)
		stop(t, s)

		// The left is behind so many lines that the comparison would be done before it is stored.
		js := ns.JetStream(t)
		for range 3000 {
			if _, err := js.PublishAsync(string(chatapi.Lobby), []byte(`{"event":"chat","from":"bob","text":"hi"}`), jetstream.WithStallWait(natstest.Wait)); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-js.PublishAsyncComplete():
		case <-natstest.Context(t).Done():
			t.Fatal("the lines are not stored")
		}
		tell(t, ns, event.Left, leaving, func(e *event.Event) { e.Until = end })
		added := ns.SignIn(t, "added", "edge1") // its joined is not published yet
		s = startOn(t, ns, d)
		until(t, "the lost one is closed", func() bool { return !stored(t, s, lost).Until.IsZero() })
		if got := stored(t, s, lost).Until; !got.Equal(renewed) {
			t.Errorf("lost until %v, want %v", got, renewed)
		}
		if got := stored(t, s, leaving).Until; !got.Equal(end) {
			t.Errorf("leaving until %v, want %v", got, end)
		}
		for _, r := range []session.Record{lives, taken, added} {
			if got := stored(t, s, r); got.Epoch != r.Epoch() || !got.Until.IsZero() {
				t.Errorf("%s: %+v, want it open", r.User, got)
			}
		}
		if got := stored(t, s, added).Since; !got.Equal(exact(added.Since)) {
			t.Errorf("added since %v, want %v", got, added.Since)
		}
		// The end of one that was closed too early is mended when it is told after all.
		later := renewed.Add(time.Minute)
		tell(t, ns, event.Left, lost, func(e *event.Event) { e.Until = later })
		until(t, "the end is mended", func() bool { return stored(t, s, lost).Until.Equal(later) })
	})
}
