package client

import (
	"math"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for in, out := range map[string]string{
		"plain":                   "plain",
		"\x1b[2Jx":                "?[2Jx",
		"\u009b2J":                "?2J",
		"a\tb\r\nc":               "a b??c",
		"\u202eabc\u202c":         "?abc?",
		"\u2066a\u2069\u2028":     "?a??",
		"a\u200bb\u200dc\ufeffd":  "abcd",
		"a\u200eb\u061cc":         "abc",
		"\xff\xfe":                "?",
		"\u0301x\u0301":           "x\u0301",
		"e\u0301":                 "é",
		"👩‍🚀👋🏽":                   "👩🚀👋",
		"🇩🇪":                      "DE",
		"❤️":                      "❤",
		"日本語":                     "日本語",
		"o" + marks(20):           "ȯ" + marks(4),
		"\U000e0041\U000e007fa":   "a",
		"\x7f\x80\x00\u2029":      "????",
		"Ａ／":                      "Ａ／",
		"a\u200d\u0301 \u0301b":   "á b",
		"\u3164\u115fhangul fill": "hangul fill",
	} {
		if got := clean(in); got != out {
			t.Errorf("clean(%q) = %q, want %q", in, got, out)
		}
	}
}

// marks are n dots above; the first of them joins an o.
func marks(n int) string { return strings.Repeat("\u0307", n) }

// TestCleanAlways: cleaned text holds nothing that a terminal obeys and nothing unseen; to
// clean it again changes nothing.
func TestCleanAlways(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := hostile().Draw(t, "text")
		out := clean(in)
		if !utf8.ValidString(out) {
			t.Fatalf("%q is not UTF-8", out)
		}
		for _, r := range out {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Bidi_Control, r) {
				t.Fatalf("%q holds U+%04X", out, r)
			}
		}
		if again := clean(out); again != out {
			t.Fatalf("%q becomes %q", out, again)
		}
	})
}

// hostile draws text of what is hard to show.
func hostile() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.String(),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		rapid.Map(rapid.SliceOf(rapid.SampledFrom([]string{
			"a", " ", "word", "日", "👩‍🚀", "👋🏽", "🇩🇪", "\u0301", "\u200d", "\u202e", "\x1b[2J", "\x1b]52;c;eA==\x07", "\r", "\n",
			"\u009b", "กำ", "क्षि", "한", "\u1100\u1161", "ﷺ", "𝕏", "\u3000", "e\u0301", "\xf0\x9f",
		})), func(parts []string) string { return strings.Join(parts, "") }),
	)
}

// TestWrap: no row is wider than it may be, and nothing but blanks is lost.
func TestWrap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := screenWidth{rapid.SampledFrom([]ansi.Method{ansi.WcWidth, ansi.GraphemeWidth}).Draw(t, "method")}
		text := clean(hostile().Draw(t, "text"))
		first, rest := rapid.IntRange(-1, 30).Draw(t, "first"), rapid.IntRange(2, 30).Draw(t, "rest")
		rows := w.wrap(text, first, rest)
		for i, row := range rows {
			if most := rest; w.of(row) > most && (i > 0 || w.of(row) > max(1, first)) {
				t.Fatalf("row %d of %q has %d columns of %d", i, rows, w.of(row), most)
			}
		}
		if first >= 12 && rest >= 12 { // wider than any character
			if got, want := strings.ReplaceAll(strings.Join(rows, ""), " ", ""), strings.ReplaceAll(text, " ", ""); got != want {
				t.Fatalf("%q became %q", text, rows)
			}
		}
	})
	w := screenWidth{ansi.WcWidth}
	want(t, "rows", strings.Join(w.wrap("one two  three", 7, 5), "|"), "one two|three")
	want(t, "rows of wide characters", strings.Join(w.wrap("日本語", 5, 4), "|"), "日本|語")
	want(t, "nothing", len(w.wrap("", 5, 5)), 1)
}

// TestColours: a name has one colour, which can be read on white and on black.
func TestColours(t *testing.T) {
	t.Parallel()
	if a, b := colourOf("ann").Render("x"), colourOf("ann").Render("x"); a != b {
		t.Errorf("%q and %q", a, b)
	}
	seen := map[string]bool{}
	for _, name := range []string{"netease1", "netease2", "netease3", "netease4", "ann", "bob"} {
		seen[colourOf(name).Render("x")] = true
	}
	if len(seen) < 4 {
		t.Errorf("six names have %d colours", len(seen))
	}
	for _, c := range nameColours {
		r, g, b, _ := ansi.IndexedColor(c).RGBA()
		l := 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
		if white, black := 1.05/(l+0.05), (l+0.05)/0.05; white < 3 || black < 3 {
			t.Errorf("colour %d has a contrast of %.1f on white and %.1f on black", c, white, black)
		}
	}
}

// linear is a channel's light (sRGB, IEC 61966-2-1).
func linear(c uint32) float64 {
	v := float64(c) / 0xffff
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}
