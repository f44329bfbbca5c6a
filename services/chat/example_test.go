package chat_test

import (
	"fmt"
	"testing"

	"gamehall/services/chat"
	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/natstest"
)

func Example() {
	natstest.Example(func(t testing.TB) {
		t.Helper()
		ns := natstest.Run(t)
		s, err := chat.Start(t.Context(), chat.Config{NATS: ns.Dialer(), Bare: true, Log: natstest.Quiet()})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Stop(t.Context())

		nc := ns.Connect(t)
		ns.SignIn(t, "netease1", "edge1")
		me := bus.As(t.Context(), "netease1")
		if _, err := chatapi.Say.Call(me, nc, chatapi.SayRequest{Text: "hi"}); err != nil {
			t.Fatal(err)
		}
		_, err = chatapi.Whisper.Call(me, nc, chatapi.WhisperRequest{To: "netease4", Text: "psst"})
		fmt.Println(err)
		lines, err := chatapi.History.Call(me, nc, chatapi.HistoryRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range lines.Events {
			fmt.Printf("%s: %s\n", e.From, e.Text)
		}
	})
	// Output:
	// netease4 is offline
	// netease1: hi
}
