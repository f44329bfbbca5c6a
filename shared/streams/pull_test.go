package streams_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/event"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// What waits is pulled together and in its order, as much as is asked for; nothing is asked for
// afterwards.
func TestPull(t *testing.T) {
	t.Parallel()
	js := natstest.Run(t).JetStream(t)
	ctx := natstest.Context(t)
	lobby := streams.Subject(streams.LobbyChannel)
	say := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			if _, err := streams.Publish(ctx, js, lobby, fmt.Sprint("m", i), event.Event{Kind: event.Chat, Text: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	c, err := js.CreateOrUpdateConsumer(ctx, streams.Events, jetstream.ConsumerConfig{
		Durable: "reader", FilterSubject: lobby, AckPolicy: jetstream.AckExplicitPolicy,
	})
	if err != nil {
		t.Fatal(err)
	}
	next := 0
	pull := func(most, want int) {
		t.Helper()
		batch, err := streams.Pull(ctx, c, most)
		if err != nil || len(batch) != want {
			t.Fatalf("%d messages, %v, want %d", len(batch), err, want)
		}
		for _, m := range batch {
			if got, want := string(m.Data()), fmt.Sprintf(`{"event":"chat","text":"%d"}`, next); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			next++
			if err := m.Ack(); err != nil {
				t.Error(err)
			}
		}
	}
	say(0, 6)
	pull(1, 1)
	pull(3, 3)
	pull(10, 2)
	info, err := c.Info(ctx)
	if err != nil || info.NumWaiting != 0 {
		t.Errorf("%d requests wait (%v)", info.NumWaiting, err)
	}
	waits, cancel := context.WithCancel(ctx)
	got := make(chan int, 1)
	go func() {
		batch, err := streams.Pull(waits, c, 10)
		if err != nil {
			t.Errorf("who stops waiting is told %v", err)
		}
		got <- len(batch)
	}()
	natstest.Eventually(t, "it waits", func() bool {
		info, err := c.Info(ctx)
		return err == nil && info.NumWaiting == 1
	})
	cancel()
	if n := <-got; n != 0 {
		t.Errorf("who stops waiting gets %d messages", n)
	}
	say(6, 7)
	pull(10, 1)
	if err := js.DeleteConsumer(ctx, streams.Events, "reader"); err != nil {
		t.Fatal(err)
	}
	if batch, err := streams.Pull(ctx, c, 10); err == nil {
		t.Errorf("a consumer that is gone gives %d messages, and no error", len(batch))
	}
}

// What comes again is pulled together, too: acknowledgements that were lost with a server must not make
// what is new wait behind one pull, and one rest, for each.
func TestPullAgain(t *testing.T) {
	t.Parallel()
	js := natstest.Run(t).JetStream(t)
	ctx := natstest.Context(t)
	c, err := js.CreateOrUpdateConsumer(ctx, streams.Events, jetstream.ConsumerConfig{
		Durable: "reader", FilterSubject: streams.Subject(streams.LobbyChannel), AckPolicy: jetstream.AckExplicitPolicy,
	})
	if err != nil {
		t.Fatal(err)
	}
	const all = 20
	for i := range all {
		if _, err := streams.Publish(ctx, js, streams.Subject(streams.LobbyChannel), fmt.Sprint("m", i), event.Event{Kind: event.Chat, Text: "hi"}); err != nil {
			t.Fatal(err)
		}
	}
	batch, err := streams.Pull(ctx, c, 2*all)
	if err != nil || len(batch) != all {
		t.Fatalf("%d messages, %v", len(batch), err)
	}
	for _, m := range batch {
		if err := m.Nak(); err != nil {
			t.Fatal(err)
		}
	}
	// The first pull may come before the server has taken the last refusal.
	again := 0
	for range 2 {
		if again == all {
			break
		}
		batch, err := streams.Pull(ctx, c, 2*all)
		if err != nil {
			t.Fatal(err)
		}
		again += len(batch)
	}
	if again != all {
		t.Errorf("two pulls give %d messages that come again, want %d", again, all)
	}
}
