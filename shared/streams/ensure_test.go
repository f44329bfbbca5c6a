package streams_test

import (
	"context"
	"testing"
	"time"

	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// A hall that starts has fewer nodes than replicas for a moment: Ensure waits for the others.
func TestEnsureWaitsForNodes(t *testing.T) {
	t.Parallel()
	c := natstest.RunBareCluster(t, 3)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := streams.Ensure(ctx, c.JetStream(t), streams.Options{Replicas: 5}); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("five replicas on three nodes: %v", err)
	}
}
