package vttest_test

import (
	"fmt"
	"os/exec"
	"testing"

	"gamehall/tools/client/vttest"
)

// TestScreen: what programs send, as an xterm shows it.
func TestScreen(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, sent, want string }{
		{"wraps", "abcdefg", "abcde\nfg\n\n"},
		{"wraps only for the next character", "abcde\rx", "xbcde\n\n\n"},
		{"scrolls", "a\r\nb\r\nc\r\nd", "b\nc\nd\n"},
		{"wide", "日本語", "日本\n語\n\n"},
		{"combining", "e\u0301x", "e\u0301x\n\n\n"},
		{"moves", "\x1b[3;3Hx\x1b[2Ay\x1b[Ga", "a  y\n\n  x\n"},
		{"erases", "abcde\x1b[1;3H\x1b[K", "ab\n\n\n"},
		{"inserts and deletes", "abcde\x1b[1;2H\x1b[2P\x1b[1@x", "axde\n\n\n"},
		{"scroll region", "a\r\nb\r\nc\x1b[1;2r\x1b[2;1H\nz", "b\nz\nc\n"},
		{"repeats", "x\x1b[3b", "xxxx\n\n\n"},
		{"clears", "abc\x1b[2J\x1b[Hx", "x\n\n\n"},
		{"tabs", "a\tb", "a   b\n\n\n"},
	} {
		s := vttest.NewScreen(5, 3)
		_, _ = fmt.Fprint(s, tt.sent)
		if got := s.String(); got != tt.want || len(s.Unknown()) > 0 {
			t.Errorf("%s: %q (unknown: %q), want %q", tt.name, got, s.Unknown(), tt.want)
		}
	}
	s := vttest.NewScreen(5, 3)
	_, _ = fmt.Fprint(s, "\x1b]52;c;eA==\a\x1b[5$~")
	if got := s.Unknown(); len(got) != 2 {
		t.Errorf("unknown: %q, want two", got)
	}
}

// TestStart: a real program in a window that changes.
func TestStart(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", `trap 'stty size' WINCH; stty size; read line; echo "got $line"; while :; do read line || exit; done`)
	w := vttest.Start(t, cmd, 30, 4)
	w.Await("4 30")
	w.Press("hi\n")
	w.Await("got hi")
}
