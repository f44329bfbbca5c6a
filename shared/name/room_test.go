package name

import (
	"strings"
	"testing"
	"unicode/utf8"

	"gamehall/shared/fault"
)

func TestRoom(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		typed string
		shown string // empty: refused
		key   string
	}{
		{"plain", "room1", "room1", "room1"},
		{"case is shown, not keyed", "Room One", "Room One", "room one"},
		{"trimmed", " \u3000room1\u00a0", "room1", "room1"},
		{"one", "x", "x", "x"},
		{"thirty-two", strings.Repeat("ä", 32), strings.Repeat("ä", 32), strings.Repeat("ä", 32)},
		{"subject characters", "a.b * > c", "a.b * > c", "a.b * > c"},
		{"star alone", "*", "*", "*"},
		{"slash", "a/b", "a/b", "a/b"},
		{"colon and parentheses", "(x): y", "(x): y", "(x): y"},
		{"emoji", "🎲🎲", "🎲🎲", "🎲🎲"},
		{"emoji of several runes", "👩‍👩‍👧", "👩‍👩‍👧", "👩👩👧"},
		{"heart with selector", "❤\ufe0f", "❤\ufe0f", "❤"},
		{"invisible joiner does not make another room", "room\u200d1", "room\u200d1", "room1"},
		{"decomposed", "Cafe\u0301", "Café", "café"},
		{"sharp s", "Straße", "Straße", "strasse"},
		{"capital sharp s", "STRA\u1e9eE", "STRA\u1e9eE", "strasse"},
		{"final sigma", "ΧΆΟΣ", "ΧΆΟΣ", "χάοσ"},
		{"no-break space", "a\u00a0b", "a\u00a0b", "a b"},
		{"scripts may mix", "网易 club", "网易 club", "网易 club"},
		{"lobby two is another word", "lobby2", "lobby2", "lobby2"},

		{"empty", "", "", ""},
		{"blank", " \u00a0\u3000 ", "", ""},
		{"thirty-three", strings.Repeat("a", 33), "", ""},
		{"1 KiB", strings.Repeat("a", 1024), "", ""},
		{"forged line", "room1] ann: hi [", "", ""},
		{"opening bracket", "[x", "", ""},
		{"closing bracket", "x]", "", ""},
		{"tab", "a\tb", "", ""},
		{"tab in front", "\troom1", "", ""},
		{"line end", "room1\n", "", ""},
		{"carriage return", "a\rb", "", ""},
		{"nul", "a\x00b", "", ""},
		{"escape", "\x1b]52;c;x\a", "", ""},
		{"delete", "a\x7f", "", ""},
		{"c1", "a\u009bb", "", ""},
		{"next line", "a\u0085", "", ""},
		{"line separator", "a\u2028b", "", ""},
		{"paragraph separator", "a\u2029b", "", ""},
		{"override", "a\u202eb", "", ""},
		{"embedding", "a\u202ab", "", ""},
		{"isolate", "a\u2067b", "", ""},
		{"mark of direction", "a\u200eb", "", ""},
		{"arabic letter mark", "a\u061cb", "", ""},
		{"zero width space", "room\u200b1", "", ""},
		{"byte order mark", "\ufeffroom1", "", ""},
		{"only invisible", "\u200d\u200d", "", ""},
		{"only a filler", "\u3164", "", ""},
		{"braille blank", "\u2800", "", ""},
		{"mark in front", "\u0301room", "", ""},
		{"broken utf-8", "room\xff", "", ""},
		{"surrogate", "room\xed\xa0\x80", "", ""},

		{"system", "system", "", ""},
		{"System", "System", "", ""},
		{"system in cyrillic", "ѕуѕтем", "", ""},
		{"system in mathematical letters", "𝐬𝐲𝐬𝐭𝐞𝐦", "", ""},
		{"system in full width", "ＳＹＳＴＥＭ", "", ""},
		{"lobby", "lobby", "", ""},
		{"LOBBY", " LOBBY ", "", ""},
		{"lobby with a capital I", "Iobby", "", ""},
		{"lobby with one and zero", "10bby", "", ""},
		{"lobby spaced", "l o b b y", "", ""},
		{"lobby with a joiner", "lob\u200dby", "", ""},
		{"lobby with an exclamation mark", "lobby!", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			shown, key, err := Room(tt.typed)
			if shown != tt.shown || key != tt.key {
				t.Errorf("Room(%+q) = %+q, %+q, %v; want %+q, %+q", tt.typed, shown, key, err, tt.shown, tt.key)
			}
			var code fault.Code
			if tt.shown == "" {
				code = fault.BadRoomName
			}
			if fault.CodeOf(err) != code {
				t.Errorf("Room(%+q): code %q, want %q (error: %v)", tt.typed, fault.CodeOf(err), code, err)
			}
		})
	}
}

func FuzzRoom(f *testing.F) {
	for _, s := range []string{"room1", "Room One", "Straße", "👩‍👩‍👧", "room1] ann: hi [", "Iobby", "\u1fb7", "a\u00a0\u200db"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		shown, key, err := Room(typed)
		if err != nil {
			if fault.CodeOf(err) != fault.BadRoomName {
				t.Fatalf("Room(%+q): %v, want bad_room_name", typed, err)
			}
			return
		}
		if s, k, err := Room(shown); s != shown || k != key || err != nil {
			t.Errorf("Room(%+q) = %+q, %+q, but Room of the shown = %+q, %+q, %v", typed, shown, key, s, k, err)
		}
		if again := roomKey(key); again != key || !utf8.ValidString(key) {
			t.Errorf("Room(%+q): key %+q, whose key is %+q", typed, key, again)
		}
		if text, err := Text(shown); text != shown || err != nil || strings.ContainsAny(shown, "[]") {
			t.Errorf("Room(%+q) = %+q could not stand in a line: %v", typed, shown, err)
		}
	})
}
