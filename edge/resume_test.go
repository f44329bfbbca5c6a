package edge

import (
	"strings"
	"testing"
	"time"
)

// A log remembers nothing of the time when nobody spoke its dialect: whoever goes on there
// reads it from the stream.
func TestChannelRemembersWhatWasSpoken(t *testing.T) {
	t.Parallel()
	e := &Edge{stats: newStats()}
	ch := newChannel("lobby", 1)
	ch.begin(10)
	ch.add(said(11, "one"), onlyLines)
	ch.add(said(12, "two"), [dialects]bool{lines: true, frames: true})
	join := func(d dialect, seq uint64) (string, bool) {
		c, s := signedIn(e)
		c.dialect = d
		ok := ch.join(c, s, slotLobby, seq)
		return unsent(c), ok
	}
	if got, ok := join(lines, 10); !ok || !strings.Contains(got, "one") || !strings.Contains(got, "two") {
		t.Errorf("lines after 10: %v, %q", ok, got)
	}
	if got, ok := join(frames, 10); ok {
		t.Errorf("frames after 10: joined, and got %q: it misses 11", got)
	}
	if start := ch.start(frames); start != 11 {
		t.Errorf("the log of frames begins after %d, want 11", start)
	}
	if got, ok := join(frames, 11); !ok || strings.Contains(got, "one") || !strings.Contains(got, "two") {
		t.Errorf("frames after 11: %v, %q", ok, got)
	}
	if start := ch.start(messages); start != 12 {
		t.Errorf("the log of messages begins after %d, want 12", start)
	}
}

// Until auth knows it, the edge does that a connection which is gone had sent something.
func TestRegistryRemembersWhoSpoke(t *testing.T) {
	t.Parallel()
	r := newRegistry()
	now := time.Now()
	r.remember(&conn{id: "c"}, now)
	if !r.hasSpoken("c") || r.hasSpoken("d") {
		t.Errorf("c has spoken: %v, d has spoken: %v", r.hasSpoken("c"), r.hasSpoken("d"))
	}
	r.forget(now.Add(endFor))
	if !r.hasSpoken("c") {
		t.Error("forgotten while auth may still be told")
	}
	r.forget(now.Add(endFor + 1))
	if r.hasSpoken("c") {
		t.Error("never forgotten")
	}
}
