package client

import (
	"strings"
	"unicode"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/text/unicode/norm"
)

// marksMost is how many combining marks one character may carry on the screen; more grow
// over the lines above and below.
const marksMost = 4

// clean gives text, whoever it is from, as it may stand on the screen: in valid UTF-8 and
// NFC, '?' for whatever moves a cursor, ends a line or turns text around, and without what
// cannot be seen. It also takes apart what terminals disagree about the width of: flags
// become their letters, emoji that are joined stand side by side.
func clean(text string) string {
	var b strings.Builder
	marks := 0 // none sits on what stands before the text
	seen := strings.Map(func(r rune) rune {
		if unseen(r) && !acts(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	for _, r := range norm.NFC.String(seen) {
		switch {
		case r == '\t' || r == ' ': // a row may break here, so nothing hangs on it
			b.WriteByte(' ')
			marks = 0
		case acts(r):
			b.WriteByte('?')
			marks = 0
		case unicode.Is(unicode.M, r):
			if marks > 0 {
				b.WriteRune(r)
				marks--
			}
		case r >= '\U0001f1e6' && r <= '\U0001f1ff': // regional indicators
			b.WriteRune(r - '\U0001f1e6' + 'A')
			marks = 0
		default:
			b.WriteRune(r)
			marks = marksMost
		}
	}
	return b.String()
}

// acts tells the characters that a terminal obeys: C0, DEL and C1 (CWE-150), the separators
// of lines and paragraphs, and the embeddings, overrides and isolates of direction (UAX #9).
func acts(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' ||
		r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// unseen tells the characters that show nothing, or only change how others look: format
// characters, joiners, variation selectors, tags, and the skin tones of emoji.
func unseen(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) ||
		r >= '\U0001f3fb' && r <= '\U0001f3ff'
}

// screenWidth measures as the screen does. The terminal decides how.
type screenWidth struct{ method ansi.Method }

// of is the number of columns of cleaned text.
func (w screenWidth) of(text string) int { return w.method.StringWidth(text) }

// cut gives what of cleaned text fits into width columns, with … where some is missing.
func (w screenWidth) cut(text string, width int) string {
	if width <= 0 {
		return ""
	}
	if w.of(text) <= width {
		return text
	}
	used, end := 0, 0
	for _, c := range characters(text) {
		n := w.of(c)
		if used+n > width-1 {
			break
		}
		used += n
		end += len(c)
	}
	return text[:end] + "…"
}

// fit gives cleaned text in exactly width columns.
func (w screenWidth) fit(text string, width int) string {
	text = w.cut(text, width)
	return text + strings.Repeat(" ", max(0, width-w.of(text)))
}

// characters takes text apart into what people see as one character each.
func characters(text string) []string {
	var all []string
	for text != "" {
		c, _ := ansi.FirstGraphemeCluster(text, ansi.GraphemeWidth)
		if c == "" {
			return append(all, text)
		}
		all = append(all, c)
		text = text[len(c):]
	}
	return all
}

// wrap breaks cleaned text into rows: the first has room for first columns, the others for
// rest. It breaks at blanks where it can.
func (w screenWidth) wrap(text string, first, rest int) []string {
	first, rest = max(1, first), max(1, rest)
	var rows []string
	var row strings.Builder
	used, most := 0, first
	flush := func() {
		rows = append(rows, strings.TrimRight(row.String(), " "))
		row.Reset()
		used, most = 0, rest
	}
	for _, word := range words(text) {
		if word == " " && used == 0 && len(rows) > 0 {
			continue // a row that others come before begins with a word
		}
		n := w.of(word)
		if used+n > most && used > 0 && n <= rest {
			flush()
			if word == " " {
				continue
			}
		}
		if used+n <= most {
			row.WriteString(word)
			used += n
			continue
		}
		for _, c := range characters(word) {
			n := w.of(c)
			if used+n > most && used > 0 {
				flush()
			}
			if n > most {
				c, n = "?", 1 // a wide character where one column is
			}
			row.WriteString(c)
			used += n
		}
	}
	flush()
	return rows
}

// words takes text apart at blanks, which stand for themselves.
func words(text string) []string {
	var all []string
	for text != "" {
		switch i := strings.IndexByte(text, ' '); i {
		case -1:
			return append(all, text)
		case 0:
			all = append(all, " ")
			text = text[1:]
		default:
			all = append(all, text[:i])
			text = text[i:]
		}
	}
	return all
}
