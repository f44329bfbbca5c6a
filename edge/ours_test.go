package edge

import (
	"testing"

	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// A leader that was cut off refuses a renewal because of another one that it cannot decide, and
// still shows the last confirmed lease: that is ours. What anybody else stored is not.
func TestOursWhileUndecided(t *testing.T) {
	t.Parallel()
	ctx := natstest.Context(t)
	kv, err := natstest.Run(t).JetStream(t).KeyValue(ctx, streams.Edges)
	if err != nil {
		t.Fatal(err)
	}
	lease := &tenure{id: "edge", kv: kv}
	if err := lease.renew(ctx); err != nil {
		t.Fatal(err)
	}
	lease.tried = append(lease.tried, renewal{data: []byte("undecided")})
	before := lease.renewed.Load()
	if !lease.ours(ctx) {
		t.Error("the lease that was confirmed last is not ours")
	}
	if lease.renewed.Load() != before {
		t.Error("to find it confirmed a renewal")
	}
	if _, err := kv.Put(ctx, "edge", []byte("somebody's")); err != nil {
		t.Fatal(err)
	}
	if lease.ours(ctx) {
		t.Error("somebody else's lease is ours")
	}
	if err := kv.Delete(ctx, "edge"); err != nil {
		t.Fatal(err)
	}
	if lease.ours(ctx) {
		t.Error("a lease that was given up is ours")
	}
}
