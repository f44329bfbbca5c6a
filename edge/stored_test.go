package edge

import (
	"errors"
	"testing"
	"time"

	"gamehall/shared/fault"
	"gamehall/shared/wire"
)

// Only what could not be stored, however long it was tried, makes an edge not ready, until
// something is.
func TestStored(t *testing.T) {
	t.Parallel()
	gone := fault.New(fault.Unavailable, "try again")
	tests := []struct {
		name    string
		command string
		err     error
		took    time.Duration
		failing bool
	}{
		{"stored", wire.Say, nil, time.Minute, false},
		{"given up", wire.Say, gone, 15 * time.Second, true},
		{"a sign-in given up", wire.SignIn, gone, 15 * time.Second, true},
		{"busy", wire.Say, gone, time.Millisecond, false},
		{"refused late", wire.RoomSay, fault.New(fault.NotInRoom, "no"), 15 * time.Second, false},
		{"a mistake of ours", wire.Say, errors.New("x"), 15 * time.Second, false},
		{"what is not stored", wire.History, gone, 15 * time.Second, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var s stored
			s.tried(tt.command, tt.err, tt.took)
			if s.failing() != tt.failing {
				t.Fatalf("failing %v, want %v", s.failing(), tt.failing)
			}
			s.tried(wire.Say, nil, 0)
			if s.failing() {
				t.Error("failing after something was stored")
			}
		})
	}
	var s stored
	s.refused.Store(instantOf(time.Now().Add(-refusedFor)))
	if s.failing() {
		t.Error("failing for ever")
	}
}
