package check

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// A bystander leads nothing, whatever it led before: streams, buckets, consumers.
func TestBystander(t *testing.T) {
	t.Parallel()
	cluster := natstest.RunCluster(t, 3)
	a := &admin{nc: cluster.Connect(t)}
	var err error
	if a.js, err = jetstream.New(a.nc); err != nil {
		t.Fatal(err)
	}
	ctx := natstest.Context(t)
	if _, err := a.js.CreateConsumer(ctx, streams.Events, jetstream.ConsumerConfig{Durable: "account"}); err != nil {
		t.Fatal(err)
	}
	// All is led by the node that will be it.
	node, err := a.role(ctx, follower)
	if err != nil {
		t.Fatal(err)
	}
	for s := range a.js.ListStreams(ctx).Info() {
		if s.Config.Name != streams.Events && s.Cluster.Leader != node {
			if err := a.handOver(ctx, "STREAM.LEADER.STEPDOWN."+s.Config.Name, node); err != nil {
				t.Fatal(err)
			}
		}
	}
	natstest.Eventually(t, "that it leads", func() bool {
		led, err := a.ledBy(ctx, node)
		return err == nil && len(led) >= 4
	})
	got, moved, err := a.bystander(ctx)
	if err != nil || moved < 4 {
		t.Fatalf("%s leads nothing after %d moves: %v", got, moved, err)
	}
	natstest.Eventually(t, "that it leads nothing", func() bool {
		led, err := a.ledBy(ctx, got)
		return err == nil && len(led) == 0
	})
	if who, err := a.role(ctx, leader); err != nil || who == got {
		t.Errorf("%s leads the events: %v", who, err)
	}
}
