package natstest

import (
	"testing"

	"gamehall/shared/streams"
)

// RunDurable is [Run] with each write synced to disk before it is acknowledged, as the hall's
// own server does it (sync_interval: always). It is for what measures: a test that stops a
// server has what it needs without.
func RunDurable(t testing.TB) *Server {
	t.Helper()
	s := Absent(t)
	s.opts.SyncAlways = true
	s.Start(t)
	if err := streams.Ensure(Context(t), s.JetStream(t), streams.Options{}); err != nil {
		t.Fatalf("ensure streams: %v", err)
	}
	return s
}

// RunDurableCluster is [RunCluster] with each write synced to disk before it is acknowledged.
func RunDurableCluster(t testing.TB, n int) *Cluster {
	t.Helper()
	return ensured(t, runCluster(t, n, true), n)
}
