package streams_test

import (
	"fmt"
	"testing"

	"gamehall/shared/event"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// An event is stored once, however often it is sent, and read back by its channel.
func Example() {
	natstest.Example(func(t testing.TB) {
		t.Helper()
		js, ctx := natstest.RunBare(t).JetStream(t), natstest.Context(t)
		if err := streams.Ensure(ctx, js, streams.Options{}); err != nil {
			t.Fatal(err)
		}
		lobby := streams.Subject(streams.LobbyChannel)
		for range 3 {
			seq, err := streams.Publish(ctx, js, lobby, "ann.1", event.Event{Kind: event.Chat, From: "ann", Text: "hi"})
			fmt.Println(seq, err)
		}
		lines, err := streams.History(ctx, js, lobby, 0, 0, 20)
		fmt.Println(len(lines), string(lines[0].Data), err)
	})
	// Output:
	// 1 <nil>
	// 1 <nil>
	// 1 <nil>
	// 1 {"event":"chat","from":"ann","text":"hi"} <nil>
}
