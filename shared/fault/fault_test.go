package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"gamehall/shared/fault"
)

func ExampleNew() {
	err := fault.New(fault.RoomExists, "room %s exists", "room1")
	fmt.Println(fault.CodeOf(fmt.Errorf("create: %w", err)), "-", err)
	// Output: room_exists - room room1 exists
}

func TestFrom(t *testing.T) {
	t.Parallel()
	full := fault.New(fault.RoomFull, "room full")
	tests := []struct {
		name     string
		err      error
		code     fault.Code
		foreseen bool
	}{
		{"nil", nil, "", true},
		{"a fault", full, fault.RoomFull, true},
		{"a wrapped fault", fmt.Errorf("join: %w", full), fault.RoomFull, true},
		{"anything else", io.ErrUnexpectedEOF, fault.Internal, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, foreseen := fault.From(tt.err)
			if foreseen != tt.foreseen || fault.CodeOf(tt.err) != tt.code {
				t.Errorf("From = %v, %v; want code %q, foreseen %v", f, foreseen, tt.code, tt.foreseen)
			}
			if !foreseen && f.Message == tt.err.Error() {
				t.Errorf("message %q shows the error itself", f.Message)
			}
		})
	}
}

func TestIsComparesCodes(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("w: %w", fault.New(fault.NoRound, "one"))
	if !errors.Is(err, fault.New(fault.NoRound, "other")) || errors.Is(err, fault.New(fault.RoomFull, "one")) {
		t.Error("errors.Is must compare the codes")
	}
}

func TestCodesAreClosed(t *testing.T) {
	t.Parallel()
	seen := map[fault.Code]bool{}
	for _, c := range fault.Codes() {
		if seen[c] || !c.Known() {
			t.Errorf("code %q: twice or unknown", c)
		}
		seen[c] = true
	}
	if len(seen) != 24 || fault.Code("busy").Known() {
		t.Errorf("%d codes, want the protocol's 24", len(seen))
	}
}
