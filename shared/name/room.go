package name

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"gamehall/shared/fault"
)

// roomMax is the length of a room's name in code points.
const roomMax = 32

// reservedRooms cannot be a room's name: lines of the hall itself, and the one channel that
// is no room.
var reservedRooms = []string{"system", "lobby"}

// Room gives a room's name as it is shown, which is as typed but trimmed and in NFC, and
// the key by which it is unique: case-folded, with any space counted as a plain one and
// without invisible characters. Room of a shown name gives the same pair again.
//
// It fails with bad_room_name unless the name is valid UTF-8 of 1 to 32 code points, without
// control, bidi and invisible characters (those that join emoji and choose their look are
// fine) and without [ and ], which would forge a line; it begins with no combining mark,
// has something to see, and does not look like "system" or "lobby".
func Room(typed string) (shown, key string, err error) {
	if !utf8.ValidString(typed) || len(typed) > typedMax {
		return "", "", badRoom("a room name has 1 to %d characters, please choose another one", roomMax)
	}
	shown = norm.NFC.String(trim(typed))
	if n := utf8.RuneCountInString(shown); n < 1 || n > roomMax {
		return "", "", badRoom("a room name has 1 to %d characters, please choose another one", roomMax)
	}
	for _, r := range shown {
		switch {
		case r == '[' || r == ']':
			return "", "", badRoom("a room name has no [ and no ], please choose another one")
		case isControl(r) || isBidi(r) || isSeparator(r) || invisible(r) && !joinsEmoji(r):
			return "", "", badRoom("a room name has no control or invisible characters, please choose another one")
		}
	}
	if leadingMark(shown) || !strings.ContainsFunc(shown, visible) {
		return "", "", badRoom("a room name needs a character that can be seen, please choose another one")
	}
	for _, word := range reservedRooms {
		if looksLike(shown, word) {
			return "", "", badRoom("the room name looks like %q, which is reserved, please choose another one", word)
		}
	}
	return shown, roomKey(shown), nil
}

// roomKey gives the key of a name that Room shows.
func roomKey(shown string) string {
	folded := strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Zs, r):
			return ' '
		case invisible(r):
			return -1
		}
		return r
	}, fold(shown))
	// Once more: what stood apart may have come together.
	return fold(folded)
}

func badRoom(format string, args ...any) error {
	return fault.New(fault.BadRoomName, format, args...)
}

// joinsEmoji tells whether r, which has no look of its own, changes that of its neighbours:
// the joiners, the variation selectors, the tags of flags.
func joinsEmoji(r rune) bool {
	return r == '\u200c' || r == '\u200d' || unicode.Is(unicode.Variation_Selector, r) ||
		0xE0020 <= r && r <= 0xE007F
}
