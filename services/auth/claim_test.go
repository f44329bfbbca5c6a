package auth

import (
	"testing"
	"time"

	"gamehall/shared/session"
)

func TestObstacleTo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)
	live := session.Record{Session: "s", State: session.Alive, Edge: "e1", Conn: "c1", Command: "theirs", Written: now.Add(-time.Hour)}
	with := func(change func(*session.Record)) session.Record {
		r := live
		change(&r)
		return r
	}
	tests := []struct {
		name  string
		have  session.Record
		found bool
		want  obstacle
	}{
		{"never was", session.Record{}, false, nothing},
		{"deleted", session.Record{State: session.Ending, Command: "theirs", Written: now}, false, nothing},
		{"deleted just now, and ours", session.Record{State: session.Ending, Command: "ours", Written: now}, false, spent},
		{"deleted long ago, and of the same words", session.Record{State: session.Ending, Command: "ours", Written: now.Add(-time.Hour)}, false, nothing},
		{"live", live, true, held},
		{"away", with(func(r *session.Record) { r.State = session.Away }), true, held},
		{"ending", with(func(r *session.Record) { r.State = session.Ending }), true, finished},
		{"ending, and ours", with(func(r *session.Record) { r.State, r.Command, r.Written = session.Ending, "ours", now }), true, spent},
		{"ours", with(func(r *session.Record) { r.Command = "ours" }), true, mine},
		{"of no edge", with(func(r *session.Record) { r.Edge, r.Conn = "", "" }), true, orphan},
		{"of the same connection", with(func(r *session.Record) { r.Edge, r.Conn = "e2", "c2" }), true, orphan},
		{"of another connection there", with(func(r *session.Record) { r.Edge = "e2" }), true, held},
		{"of a connection of that name elsewhere", with(func(r *session.Record) { r.Conn = "c2" }), true, held},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := obstacleTo(tt.have, tt.found, "ours", "e2", "c2", now); got != tt.want {
				t.Errorf("obstacle %d, want %d", got, tt.want)
			}
		})
	}
}
