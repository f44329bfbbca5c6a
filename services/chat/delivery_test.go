package chat

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/edgeapi"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// TestWhisperBegunBefore: a copy of chat that is gone had the command before. What it may have
// done decides: the whisper is never given to a second session while the first may have shown it,
// and the answer is the first one.
func TestWhisperBegunBefore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		outcome outcome
		edge2   string // what the edge answers that had been asked: "had", "not had"; or it is "dead", or only "away"
		code    fault.Code
		moved   int // how often the target's new edge is to show it
	}{
		{name: "it was shown", edge2: "had"},
		{name: "it was not shown", edge2: "not had", moved: 1},
		{name: "nobody knows any more", edge2: "dead", code: fault.Unavailable},
		{name: "nobody knows for the moment", edge2: "away", code: fault.Unavailable},
		{name: "its answer is known", outcome: shown, edge2: "dead"},
		{name: "it was refused", outcome: refused, edge2: "not had", code: fault.UserOffline},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ns := natstest.Run(t)
			start(t, ns)
			ann, was := ns.SignIn(t, "ann", "edge1"), ns.SignIn(t, "bob", "edge2")
			d := toward(was)
			d.Outcome = tt.outcome
			kept, err := openDeliveries(natstest.Context(t), ns.JetStream(t))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := kept.begin(natstest.Context(t), "ann", "c1", d); err != nil {
				t.Fatal(err)
			}
			switch tt.edge2 {
			case "had", "not had":
				natstest.Answer(t, ns, edgeapi.Whisper.To("edge2"), func(ctx context.Context, r edgeapi.WhisperRequest) (edgeapi.WhisperResponse, error) {
					if r.Session != was.Session || bus.Command(ctx) != "c1" {
						t.Errorf("asked for session %s with command %s, want the first ones", r.Session, bus.Command(ctx))
					}
					return edgeapi.WhisperResponse{Delivered: tt.edge2 == "had"}, nil
				})
			case "away":
				lease(t, ns, "edge2")
			}
			edge3 := newEdge(t, ns, "edge3", ns.SignIn(t, "bob", "edge3"))
			nc := ns.Connect(t)
			for range 2 { // the answer stays what it is
				ctx, cancel := context.WithTimeout(natstest.As(t.Context(), ann), 4*askFor)
				_, err = chatapi.Whisper.Call(bus.WithCommand(ctx, "c1"), nc, chatapi.WhisperRequest{To: "bob", Text: "hi"})
				cancel()
				if fault.CodeOf(err) != tt.code {
					t.Errorf("%v, want code %q", err, tt.code)
				}
			}
			if got := edge3.delivered(); len(got) != tt.moved {
				t.Errorf("delivered %d times, want %d", len(got), tt.moved)
			}
		})
	}
}

// TestDeliveryInDoubt: of two copies with one command neither may move the whisper on by itself,
// on one replica and on three.
func TestDeliveryInDoubt(t *testing.T) {
	t.Parallel()
	one, three := natstest.Run(t), natstest.RunCluster(t, 3)
	for replicas, js := range map[int]jetstream.JetStream{1: one.JetStream(t), 3: three.JetStream(t)} {
		if err := streams.Ensure(natstest.Context(t), js, streams.Options{Replicas: replicas}); err != nil {
			t.Fatal(err)
		}
		ctx := natstest.Context(t)
		open := func() *deliveries {
			d, err := openDeliveries(ctx, js)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		one, two := open(), open()
		first, err := one.begin(ctx, "ann", "c1", delivery{Edge: "edge1", Session: "s1"})
		if err != nil || first.Doubt {
			t.Fatalf("begun: %+v, %v", first, err)
		}
		second, err := two.begin(ctx, "ann", "c1", delivery{Edge: "edge2", Session: "s2"})
		if err != nil || !second.Doubt || second.Edge != "edge1" || second.Session != "s1" {
			t.Fatalf("begun again: %+v, %v; want the first one, in doubt", second, err)
		}
		if got, err := one.move(ctx, first, delivery{Edge: "edge3", Session: "s3"}); err != nil || !got.Doubt || got.Edge != "edge1" {
			t.Errorf("the first moved it to %+v, %v; want it left, and in doubt", got, err)
		}
		moved, err := two.move(ctx, second, delivery{Edge: "edge3", Session: "s3"})
		if err != nil || moved.Doubt || moved.Edge != "edge3" {
			t.Errorf("moved by who knows: %+v, %v", moved, err)
		}
		two.settle(ctx, moved)
		if got, err := one.begin(ctx, "ann", "c1", delivery{Outcome: refused}); err != nil || got.Outcome != shown {
			t.Errorf("in the end: %+v, %v; want it shown", got, err)
		}
		other, err := one.begin(ctx, "bob", "c1", delivery{Outcome: refused})
		if err != nil || other.Outcome != refused {
			t.Errorf("another user's command of that id: %+v, %v", other, err)
		}
	}
}
