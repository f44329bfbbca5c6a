package name

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"gamehall/shared/fault"
)

func TestUser(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		typed string
		want  string // empty: refused
	}{
		{"plain", "netease1", "netease1"},
		{"upper case", "NetEase1", "netease1"},
		{"full width", "ｎｅｔｅａｓｅ１", "netease1"},
		{"full width capitals", "ＡＮＮ", "ann"},
		{"shortest", "ann", "ann"},
		{"longest", strings.Repeat("a", 20), strings.Repeat("a", 20)},
		{"longest in four bytes each", strings.Repeat("𐐨", 20), strings.Repeat("𐐨", 20)},
		{"digits alone", "12345", "12345"},
		{"hyphen and underscore", "jean-luc_p", "jean-luc_p"},
		{"composed", "zoé", "zoé"},
		{"decomposed", "zoe\u0301", "zoé"},
		{"decomposed capital", "ZOE\u0301", "zoé"},
		{"sharp s stays", "straße", "straße"},
		{"dotted capital I", "\u0130lker", "i\u0307lker"},
		{"sigma, by itself whatever its place", "ΝΊΚΟΣ", "νίκοσ"},
		{"cyrillic", "Анна", "анна"},
		{"han", "网易游戏", "网易游戏"},
		{"hiragana", "ひらがな", "ひらがな"},
		{"hebrew", "שלום", "שלום"},
		{"arabic", "محمد", "محمد"},
		{"systems is another word", "systems", "systems"},
		{"room names do not matter", "lobby", "lobby"},

		{"empty", "", ""},
		{"two", "ab", ""},
		{"twenty-one", strings.Repeat("a", 21), ""},
		{"two after composing", "ae\u0301", ""},
		{"huge", strings.Repeat("a", 1<<20), ""},
		{"space within", "ann b", ""},
		{"space around", " ann ", ""},
		{"no-break space", "ann\u00a0b", ""},
		{"ideographic space", "ann\u3000b", ""},
		{"tab", "ann\tb", ""},
		{"line end", "ann\n", ""},
		{"carriage return", "ann\rb", ""},
		{"nul", "ann\x00", ""},
		{"escape", "ann\x1b[2J", ""},
		{"delete", "ann\x7f", ""},
		{"c1", "ann\u0085b", ""},
		{"line separator", "ann\u2028b", ""},
		{"paragraph separator", "ann\u2029b", ""},
		{"override", "ann\u202eb", ""},
		{"isolate", "ann\u2066b", ""},
		{"mark of direction", "ann\u200fb", ""},
		{"arabic letter mark", "محم\u061cد", ""},
		{"zero width space", "ann\u200bb", ""},
		{"zero width joiner", "ann\u200db", ""},
		{"zero width non-joiner", "ann\u200cb", ""},
		{"word joiner", "ann\u2060b", ""},
		{"byte order mark", "\ufeffann", ""},
		{"soft hyphen", "an\u00adn", ""},
		{"variation selector", "ann\ufe0f", ""},
		{"hangul filler", "ann\u3164", ""},
		{"tag", "ann\U000e0041", ""},
		{"slash", "/ann", ""},
		{"full-width slash", "／ann", ""},
		{"dot", "a.nn", ""},
		{"full-width dot", "a．nn", ""},
		{"star", "a*nn", ""},
		{"full-width star", "a＊nn", ""},
		{"greater", "ann>", ""},
		{"full-width greater", "ann＞", ""},
		{"bracket", "[ann]", ""},
		{"full-width bracket", "［ann］", ""},
		{"colon, the end of the sender", "ann:", ""},
		{"full-width colon", "ann：", ""},
		{"emoji", "ann😀", ""},
		{"ligature", "ﬁsher", ""},
		{"roman numeral", "annⅣ", ""},
		{"circled", "ⓐⓝⓝ", ""},
		{"mathematical", "𝖆𝖓𝖓", ""},
		{"private use", "ann\ue000", ""},
		{"unassigned", "ann\u0378", ""},
		{"noncharacter", "ann\uffff", ""},
		{"replacement character", "ann\ufffd", ""},
		{"punctuation alone", "---", ""},
		{"mark in front", "\u0301ann", ""},
		{"marks alone", "\u0301\u0302\u0303", ""},
		{"latin and cyrillic", "pаypal", ""}, // а is Cyrillic
		{"latin and greek", "annα", ""},
		{"han and latin", "网易ann", ""},
		{"hebrew and latin", "שלוםann", ""},
		{"lone continuation byte", "ann\x80", ""},
		{"overlong", "ann\xc0\xaf", ""},
		{"surrogate", "ann\xed\xa0\x80", ""},
		{"cut rune", "ann\xe4\xb8", ""},
		{"0xff", "ann\xff", ""},

		{"system", "system", ""},
		{"system in capitals", "SYSTEM", ""},
		{"system in full width", "ｓｙｓｔｅｍ", ""},
		{"system with rn", "systern", ""},
		{"system in cyrillic", "ѕуѕтем", ""},
		{"system with one cyrillic letter", "syѕtem", ""},
		{"system with an accent", "systém", ""},
		{"system decomposed with dots", "s\u0323ystem", ""},
		{"system with punctuation", "_system_", ""},
		{"system with a hyphen", "sys-tem", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := User(tt.typed)
			if got != tt.want {
				t.Errorf("User(%+q) = %+q, %v; want %+q", tt.typed, got, err, tt.want)
			}
			var code fault.Code
			if tt.want == "" {
				code = fault.BadUsername
			}
			if fault.CodeOf(err) != code {
				t.Errorf("User(%+q): code %q, want %q (error: %v)", tt.typed, fault.CodeOf(err), code, err)
			}
		})
	}
}

// A name that is refused is not sent back: its control characters would reach the terminal.
func TestUserErrorsQuoteNothing(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{"ann\x1b[2J", "ann\u202e", "an\xff", "[ann]\n"} {
		_, err := User(typed)
		if err == nil {
			t.Fatalf("User(%+q) is accepted", typed)
		}
		if _, textErr := Text(err.Error()); textErr != nil {
			t.Errorf("User(%+q): sentence %+q: %v", typed, err.Error(), textErr)
		}
	}
}

func FuzzUser(f *testing.F) {
	for _, s := range []string{"netease1", "ｎｅｔｅａｓｅ１", "zoe\u0301", "\u0130lker", "ΝΊΚΟΣ", "ѕуѕтем", "שלום", "a／b", "\u1e9eann", "ᾳᾳᾳ", "ǰǰǰ", "ΐΐΐ", "가나다", "\u212bab"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		got, err := User(typed)
		if err != nil {
			if fault.CodeOf(err) != fault.BadUsername || got != "" {
				t.Fatalf("User(%+q) = %+q, %v: want bad_username and nothing", typed, got, err)
			}
			return
		}
		if again, err := User(got); again != got || err != nil {
			t.Errorf("User(%+q) = %+q, but User of that = %+q, %v", typed, got, again, err)
		}
		if !utf8.ValidString(got) || !norm.NFC.IsNormalString(got) {
			t.Errorf("User(%+q) = %+q is not NFC", typed, got)
		}
		if n := utf8.RuneCountInString(got); n < 3 || n > 20 {
			t.Errorf("User(%+q) = %+q has %d code points", typed, got, n)
		}
		if strings.ContainsAny(got, "/ .*>[]:") {
			t.Errorf("User(%+q) = %+q holds a forbidden character", typed, got)
		}
		if text, err := Text(got); text != got || err != nil {
			t.Errorf("User(%+q) = %+q could not stand in a line: %v", typed, got, err)
		}
		if s := Skeleton(got); Skeleton(s) != s {
			t.Errorf("Skeleton(%+q) = %+q, whose skeleton is %+q", got, s, Skeleton(s))
		}
	})
}
