//go:build unix

package natstest_test

import (
	"testing"

	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// A node that is killed in the lead is missed for an election; one that is frozen and one
// that is started again are nodes like the others afterwards.
func TestRunProcesses(t *testing.T) {
	t.Parallel()
	p := natstest.RunProcesses(t, 3)
	js := p.JetStream(t)
	publish(t, js, "1")
	p.Lead(t, 1)
	for _, stream := range []string{streams.Events, streams.Game21, "KV_" + streams.Sessions} {
		if got := p.Leader(t, stream); got != 1 {
			t.Errorf("node %d leads %s, want 1", got, stream)
		}
	}
	p.Kill(1)
	publish(t, js, "2")
	p.Start(t, 1)
	p.Freeze(t, 0)
	p.Thaw(t, 0)
	if seq := publish(t, js, "3"); seq != 3 {
		t.Errorf("sequence %d, want 3", seq)
	}
}
