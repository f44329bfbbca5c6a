package natstest_test

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/event"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// A restart cuts every connection and keeps what was stored.
func TestRestart(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	js := ns.JetStream(t)
	publish(t, js, "1")
	ns.Restart(t)
	if seq := publish(t, js, "2"); seq != 2 {
		t.Errorf("the first event after the restart has sequence %d, want 2", seq)
	}
}

// Whoever connects before the server has started is connected once it has.
func TestAbsent(t *testing.T) {
	t.Parallel()
	ns := natstest.Absent(t)
	nc, err := ns.Dialer().Connect("test")
	if err != nil {
		t.Fatalf("connect to a server that is away: %v", err)
	}
	defer nc.Close()
	if nc.IsConnected() {
		t.Fatal("connected to a server that has not started")
	}
	ns.Start(t)
	if err := bus.WaitConnected(natstest.Context(t), nc); err != nil {
		t.Errorf("after the start: %v", err)
	}
}

func TestRunCluster(t *testing.T) {
	t.Parallel()
	c := natstest.RunCluster(t, 3)
	js := c.JetStream(t)
	publish(t, js, "1")

	c.StepDown(t, streams.Events)
	if seq := publish(t, js, "2"); seq != 2 {
		t.Errorf("after a step-down: sequence %d, want 2", seq)
	}

	// A client of one node reads what a client of another wrote.
	for i, node := range c.Nodes {
		last, found, err := streams.Last(natstest.Context(t), node.JetStream(t), streams.Events, string(chatapi.Lobby))
		if err != nil || !found || last.Seq != 2 {
			t.Errorf("node %d: last is %v (found %v, error %v), want sequence 2", i, last, found, err)
		}
	}

	follower := (c.Leader(t, streams.Events) + 1) % len(c.Nodes)
	c.Nodes[follower].Stop(t)
	publish(t, js, "3")
	c.Nodes[follower].Start(t)
	publish(t, c.Nodes[follower].JetStream(t), "4")
}

func publish(t *testing.T, js jetstream.JetStream, id string) uint64 {
	t.Helper()
	seq, err := streams.Publish(natstest.Context(t), js, string(chatapi.Lobby), id, event.Event{Kind: event.Chat, Text: id})
	if err != nil {
		t.Fatalf("publish %s: %v", id, err)
	}
	return seq
}
