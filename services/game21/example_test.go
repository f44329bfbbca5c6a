package game21_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"

	"gamehall/services/game21"
	"gamehall/shared/event"
	"gamehall/shared/game21api"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// A round that starts at once, and is won by whatever is best.
func Example() {
	natstest.Example(func(t testing.TB) {
		ns := natstest.Run(t)
		nc := ns.Connect(t)
		hall := make(chan *nats.Msg, 8)
		sub, err := nc.ChanSubscribe(streams.Live(streams.GameChannel), hall)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = sub.Unsubscribe() }()

		svc, err := game21.Start(natstest.Context(t), game21.Config{
			NATS: ns.Dialer(), Data: t.TempDir(), Log: natstest.Quiet(),
			First: 10 * time.Millisecond, Period: time.Hour, Solvable: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { fmt.Println("stopped:", svc.Stop(natstest.Context(t))) }()

		ann := natstest.As(natstest.Context(t), ns.SignIn(t, "ann", "edge1"))
		for m := range hall {
			var e event.Event
			if err := json.Unmarshal(m.Data, &e); err != nil {
				t.Fatal(err)
			}
			switch e.Kind {
			case event.Game21Started:
				best := game21.Best(game21.Numbers(e.Numbers)).Expression
				resp, err := game21api.Answer.Call(ann, nc, game21api.AnswerRequest{Expression: best})
				fmt.Println("answer:", resp.Value, err)
			case event.Game21Answered:
				fmt.Println(e.User, "has answered round", e.Round)
			case event.Game21Ended:
				fmt.Println(e.Winner, "wins with", e.Value)
				return
			}
		}
	})
	// Output:
	// answer: 21 <nil>
	// ann has answered round 1
	// ann wins with 21
	// stopped: <nil>
}
