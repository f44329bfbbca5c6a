package verify

import (
	"testing"
	"time"

	"gamehall/tools/check/history"
)

// What befalls a copy of the game, or NATS, puts off what the game has to do, by so much and no
// more; what befalls others does not.
func TestDue(t *testing.T) {
	t.Parallel()
	const due = 100
	tests := []struct {
		name   string
		faults []history.Fault // in seconds
		by     float64         // the latest that it may be done
		strict bool
	}{
		{"nothing", nil, 101, true},
		{"an edge, chat and a client", []history.Fault{
			{Kind: history.Kill, Target: "edge-1", From: 90, To: 110},
			{Kind: history.Stop, Target: "chat-1", From: 90, To: 110},
			{Kind: history.Blackhole, Target: "c001", From: 90, To: 110},
			{Kind: history.Blackhole, Target: "edge-2/nats", From: 90, To: 110},
		}, 101, true},
		{"one copy", []history.Fault{{Kind: history.Kill, Target: "game21-1", From: 90, To: 110}}, 105, false},
		{"one copy, long ago", []history.Fault{{Kind: history.Kill, Target: "game21-1", From: 80, To: 90}}, 101, true},
		{"both copies", []history.Fault{
			{Kind: history.Stop, Target: "game21-1", From: 90, To: 110},
			{Kind: history.Blackhole, Target: "game21-2/nats", From: 99, To: 120},
		}, 117, false},
		{"both copies, but not at once", []history.Fault{
			{Kind: history.Kill, Target: "game21-1", From: 90, To: 99},
			{Kind: history.Kill, Target: "game21-2", From: 105, To: 120},
		}, 105, false},
		{"a leader", []history.Fault{{Kind: history.Kill, Target: "nats-1", From: 95, To: 96}}, 110, false},
		{"a leader, when it is late already", []history.Fault{{Kind: history.StepDown, Target: "nats-1", From: 100, To: 100}}, 115, false},
		{"a leader, afterwards", []history.Fault{{Kind: history.Kill, Target: "nats-1", From: 102, To: 103}}, 101, true},
		{"two of three", []history.Fault{
			{Kind: history.Kill, Target: "nats-1", From: 95, To: 125},
			{Kind: history.Kill, Target: "nats-2", From: 95, To: 125},
		}, 140, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &checker{run: history.Run{Faults: tt.faults, End: 1000 * second}}
			c.settings.Copies = 2
			for i := range c.run.Faults {
				c.run.Faults[i].From *= second
				c.run.Faults[i].To *= second
			}
			table := &timetable{}
			table.away, table.copies = c.ofService("game21")
			table.away = append(table.away, c.ofNATSAll()...)
			by, strict := table.due(due * second)
			if want := int64(tt.by * float64(second)); by != want || strict != tt.strict {
				t.Errorf("due by %s, strictly %t, want %s, %t", time.Duration(by), strict, time.Duration(want), tt.strict)
			}
		})
	}
}
