package name

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"gamehall/shared/fault"
)

func TestText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		typed string
		want  string
		code  fault.Code
	}{
		{"plain", "hi", "hi", ""},
		{"trimmed", "  hi there\u00a0 ", "hi there", ""},
		{"2000 bytes", strings.Repeat("a", 2000), strings.Repeat("a", 2000), ""},
		{"2000 bytes after trimming", " " + strings.Repeat("a", 2000) + "  ", strings.Repeat("a", 2000), ""},
		{"brackets and colons", "[room1] ann: hi", "[room1] ann: hi", ""},
		{"slash", "//hi", "//hi", ""},
		{"html", "<script>alert(1)</script>", "<script>alert(1)</script>", ""},
		{"emoji", "👩‍👩‍👧 ❤\ufe0f", "👩‍👩‍👧 ❤\ufe0f", ""},
		{"not normalised", "zoe\u0301", "zoe\u0301", ""},
		{"right to left with marks", "\u200fשלום\u200e \u061cسلام", "\u200fשלום\u200e \u061cسلام", ""},

		{"empty", "", "", fault.BadRequest},
		{"blank", " \u3000 ", "", fault.BadRequest},
		{"2001 bytes", strings.Repeat("a", 2001), "", fault.TooLong},
		{"2001 bytes of umlauts", strings.Repeat("ä", 1000) + "a", "", fault.TooLong},
		{"broken utf-8", "hi\xff", "", fault.BadRequest},
		{"overlong", "\xc0\xaf", "", fault.BadRequest},
		{"surrogate", "\xed\xa0\x80", "", fault.BadRequest},
		{"cut rune", "hi \xf0\x9f\x98", "", fault.BadRequest},
		{"tab", "a\tb", "", fault.BadRequest},
		{"tab at the end", "a\t", "", fault.BadRequest},
		{"line end", "a\nsystem: bye", "", fault.BadRequest},
		{"line end at the end", "a\n", "", fault.BadRequest},
		{"carriage return", "a\rb", "", fault.BadRequest},
		{"override", "a\u202eb", "", fault.BadRequest},
		{"line separator", "a\u2028b", "", fault.BadRequest},
		{"paragraph separator at the end", "a\u2029", "", fault.BadRequest},
		{"clear screen", "\x1b[2J", "", fault.BadRequest},
		{"clipboard", "\x1b]52;c;aGk=\a", "", fault.BadRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Text(tt.typed)
			if got != tt.want || fault.CodeOf(err) != tt.code {
				t.Errorf("Text(%+q) = %+q, code %q (%v); want %+q, %q", tt.typed, got, fault.CodeOf(err), err, tt.want, tt.code)
			}
		})
	}
}

// TestTextRefuses tries each forbidden rune at each place.
func TestTextRefuses(t *testing.T) {
	t.Parallel()
	var forbidden []rune
	for _, span := range [][2]rune{{0, 0x1f}, {0x7f, 0x9f}, {0x202a, 0x202e}, {0x2066, 0x2069}, {0x2028, 0x2029}} {
		for r := span[0]; r <= span[1]; r++ {
			forbidden = append(forbidden, r)
		}
	}
	for _, r := range forbidden {
		for _, format := range []string{"%chi", "h%ci", "hi%c"} {
			typed := fmt.Sprintf(format, r)
			if got, err := Text(typed); fault.CodeOf(err) != fault.BadRequest {
				t.Errorf("Text(%+q) = %+q, %v; want bad_request", typed, got, err)
			}
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"hi", " hi ", "\x1b[2J", "a\u202eb", strings.Repeat("ä", 1001), "\u200fשלום", "a\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		got, err := Text(typed)
		if err != nil {
			if code := fault.CodeOf(err); code != fault.BadRequest && code != fault.TooLong {
				t.Fatalf("Text(%+q): %v", typed, err)
			}
			return
		}
		if !strings.Contains(typed, got) || got == "" || len(got) > TextMax || !utf8.ValidString(got) {
			t.Errorf("Text(%+q) = %+q", typed, got)
		}
		if again, err := Text(got); again != got || err != nil {
			t.Errorf("Text(%+q) = %+q, but Text of that = %+q, %v", typed, got, again, err)
		}
	})
}
