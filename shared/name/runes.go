package name

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// trim removes spaces of any width from both ends, and only those: a control character is
// refused wherever it stands, not repaired away.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return unicode.Is(unicode.Zs, r) })
}

// isControl: C0, DEL and C1, which terminals obey (CWE-150).
func isControl(r rune) bool { return unicode.IsControl(r) }

// isSeparator: the line and paragraph separators, at which some readers break a line.
func isSeparator(r rune) bool { return r == '\u2028' || r == '\u2029' }

// isOverride: embeddings, overrides and isolates, which reorder what stands behind them.
func isOverride(r rune) bool {
	return '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069'
}

// isBidi: those and the invisible marks of direction.
func isBidi(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }

// invisible tells whether r has no look of its own (Default_Ignorable_Code_Point and other
// format characters), so that two names that differ by it look the same.
func invisible(r rune) bool {
	switch {
	case r == '\u2800': // the braille pattern without dots
		return true
	case unicode.Is(unicode.Prepended_Concatenation_Mark, r): // Cf, yet drawn
		return false
	}
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// visible tells whether r puts something on the screen by itself.
func visible(r rune) bool {
	return !invisible(r) && !unicode.In(r, unicode.Z, unicode.M, unicode.Cc)
}

// leadingMark tells whether s begins with a mark, which would sit on what stands before it.
func leadingMark(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.Is(unicode.M, r)
}
