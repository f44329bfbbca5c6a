package client

import (
	"strings"
	"unicode/utf8"

	"gamehall/shared/wire"
)

// mask stands for a character of a secret.
const mask = "•"

// editor is the input line. Its cursor stands between characters as people see them.
type editor struct {
	before, after []string // characters on both sides of the cursor
	from          int      // the first character shown, when not all fit
}

func (e *editor) text() string {
	return strings.Join(e.before, "") + strings.Join(e.after, "")
}

// set replaces the line, the cursor at its end.
func (e *editor) set(text string) {
	*e = editor{before: characters(text)}
}

// insert puts text at the cursor: pasted line ends become blanks, control characters are
// left out, and what is more than a line may hold is not taken.
func (e *editor) insert(text string) {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case acts(r) || r == utf8.RuneError:
			return -1
		}
		return r
	}, strings.ReplaceAll(text, "\r\n", "\n"))
	for _, c := range characters(text) {
		if len(e.text())+len(c) > wire.MaxLine {
			return
		}
		// What was typed may join the character before it.
		last := ""
		if n := len(e.before); n > 0 {
			last, e.before = e.before[n-1], e.before[:n-1]
		}
		e.before = append(e.before, characters(last+c)...)
	}
}

func (e *editor) left() {
	if n := len(e.before); n > 0 {
		e.after = append([]string{e.before[n-1]}, e.after...)
		e.before = e.before[:n-1]
	}
}

func (e *editor) right() {
	if len(e.after) > 0 {
		e.before = append(e.before, e.after[0])
		e.after = e.after[1:]
	}
}

func (e *editor) home() { e.after, e.before = append(e.before, e.after...), nil }

func (e *editor) end() { e.before, e.after = append(e.before, e.after...), nil }

func (e *editor) backspace() {
	if n := len(e.before); n > 0 {
		e.before = e.before[:n-1]
	}
}

func (e *editor) delete() {
	if len(e.after) > 0 {
		e.after = e.after[1:]
	}
}

func (e *editor) killToStart() { e.before = nil }

func (e *editor) killToEnd() { e.after = nil }

// wordLeft moves to the start of the word before the cursor.
func (e *editor) wordLeft() {
	e.whileBefore(true, e.left)
	e.whileBefore(false, e.left)
}

// wordRight moves behind the word after the cursor.
func (e *editor) wordRight() {
	for len(e.after) > 0 && e.after[0] == " " {
		e.right()
	}
	for len(e.after) > 0 && e.after[0] != " " {
		e.right()
	}
}

// killWord deletes the word before the cursor.
func (e *editor) killWord() {
	e.whileBefore(true, e.backspace)
	e.whileBefore(false, e.backspace)
}

func (e *editor) whileBefore(blank bool, do func()) {
	for len(e.before) > 0 && (e.before[len(e.before)-1] == " ") == blank {
		do()
	}
}

// view shows the line in width columns and tells the cursor's. Characters from the byte
// secret on are masked; negative is none.
func (e *editor) view(w screenWidth, width, secret int) (text string, cursor int) {
	width = max(1, width)
	at := 0
	shown := make([]string, 0, len(e.before)+len(e.after))
	for _, c := range append(e.before[:len(e.before):len(e.before)], e.after...) {
		if secret >= 0 && at >= secret {
			shown = append(shown, mask)
		} else {
			shown = append(shown, clean(c))
		}
		at += len(c)
	}
	// The cursor stays in sight, with a column for itself.
	here := len(e.before)
	e.from = min(e.from, here)
	for w.of(strings.Join(shown[e.from:here], "")) >= width {
		e.from++
	}
	var b strings.Builder
	used := 0
	for i, c := range shown[e.from:] {
		n := w.of(c)
		if i+e.from == here {
			cursor = used
		}
		if used+n > width {
			break
		}
		b.WriteString(c)
		used += n
	}
	if here == len(shown) {
		cursor = used
	}
	return b.String(), min(cursor, width-1)
}

// secretFrom tells from which byte on a line is nobody's business: the passwords of /SIGNIN,
// /SIGNUP and /PASSWD. It is negative when nothing is secret.
func secretFrom(line string) int {
	rest := strings.TrimLeft(line, " ")
	word, args, ok := strings.Cut(rest, " ")
	word = strings.ToUpper(strings.Replace(word, "／", "/", 1))
	if !ok || word != "/SIGNIN" && word != "/SIGNUP" && word != "/PASSWD" {
		return -1
	}
	args = strings.TrimLeft(args, " ")
	if word == "/PASSWD" {
		return len(line) - len(args)
	}
	_, secret, ok := strings.Cut(args, " ")
	if !ok {
		return -1
	}
	return len(line) - len(secret)
}
