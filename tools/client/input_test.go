package client

import (
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"gamehall/shared/wire"
)

func TestEditor(t *testing.T) {
	t.Parallel()
	press := func(e *editor, keys ...string) {
		for _, k := range keys {
			if edit, ok := edits[k]; ok {
				edit(e)
			} else {
				e.insert(k)
			}
		}
	}
	for _, tt := range []struct {
		keys []string
		want string // | is the cursor
	}{
		{[]string{"a", "b", "left", "c"}, "ac|b"},
		{[]string{"one two", "ctrl+left", "x"}, "one x|two"},
		{[]string{"one two ", "ctrl+w"}, "one |"},
		{[]string{"one two", "home", "ctrl+right", "ctrl+k"}, "one|"},
		{[]string{"one two", "home", "delete", "end", "backspace"}, "ne tw|"},
		{[]string{"one two", "ctrl+left", "ctrl+u"}, "|two"},
		{[]string{"left", "right", "backspace", "delete", "ctrl+w", "alt+f"}, "|"},
		{[]string{"e", "\u0301", "x", "left", "backspace"}, "|x"},
		{[]string{"👩‍🚀日", "left", "left", "delete"}, "|日"},
		{[]string{"a\r\nb\tc\x1b[31m\u202ed\xff"}, "a b c[31md|"},
		{[]string{strings.Repeat("x", 5000)}, strings.Repeat("x", wire.MaxLine) + "|"},
	} {
		var e editor
		press(&e, tt.keys...)
		if got := strings.Join(e.before, "") + "|" + strings.Join(e.after, ""); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.keys, got, tt.want)
		}
	}
}

// TestEditorView: the input fits, the cursor is in it, and a secret is not to be seen,
// wherever the cursor is.
func TestEditorView(t *testing.T) {
	t.Parallel()
	w := screenWidth{ansi.WcWidth}
	rapid.Check(t, func(t *rapid.T) {
		var e editor
		e.insert(hostile().Draw(t, "text"))
		for range rapid.IntRange(0, 20).Draw(t, "left") {
			e.left()
		}
		width := rapid.IntRange(1, 30).Draw(t, "width")
		text, cursor := e.view(w, width, -1)
		if w.of(text) > width || cursor < 0 || cursor >= width || text != clean(text) {
			t.Fatalf("%q in %d columns, the cursor at %d", text, width, cursor)
		}
		text, _ = e.view(w, width, 0)
		if strings.Trim(text, mask) != "" {
			t.Fatalf("a secret is shown as %q", text)
		}
	})
	var e editor
	e.set("/SIGNIN ann secret")
	text, cursor := e.view(w, 40, secretFrom(e.text()))
	want(t, "masked", text, "/SIGNIN ann ••••••")
	want(t, "cursor", cursor, 18)
}

func TestSecretFrom(t *testing.T) {
	t.Parallel()
	for line, open := range map[string]string{
		"/SIGNIN ann pw":           "/SIGNIN ann ",
		"  /signin ann pw":         "  /signin ann ",
		"/SignUp ann pw":           "/SignUp ann ",
		"／SIGNIN ann pw":           "／SIGNIN ann ",
		"/PASSWD old new":          "/PASSWD ",
		"/SIGNIN ann pw TAKEOVER":  "/SIGNIN ann ",
		"/SIGNIN ann  two blanks":  "/SIGNIN ann ",
		"/SIGNIN":                  "",
		"/SIGNIN ann":              "",
		"/SIGNIN ann ":             "/SIGNIN ann ",
		"/SIGNINX ann pw":          "",
		"hi /SIGNIN ann pw":        "",
		"/W ann my password is pw": "",
	} {
		want := len(open)
		if open == "" {
			want = -1
		}
		if got := secretFrom(line); got != want {
			t.Errorf("%q: secret from %d, want %d", line, got, want)
		}
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	var h history
	for _, line := range []string{"one", "/SIGNIN ann secret", "/SIGIN ann secret", "/PASSWD a b", "two", "two", "/WHO"} {
		h.add(line)
	}
	want(t, "remembered", h.lines, []string{"one", "two", "/WHO"})
	var seen []string
	up := func(now string) {
		line, ok := h.up(now)
		if !ok {
			line = "-"
		}
		seen = append(seen, line)
	}
	down := func() {
		line, ok := h.down()
		if !ok {
			line = "-"
		}
		seen = append(seen, line)
	}
	up("dra")
	up("")
	up("")
	up("")
	down()
	down()
	down()
	down()
	want(t, "walk", seen, []string{"/WHO", "two", "one", "-", "two", "/WHO", "dra", "-"})
	up("/SIGNIN ann secret")
	down()
	want(t, "a password is no draft", seen[len(seen)-1], "")
	for range 2 * historyMost {
		h.add("a")
		h.add("b")
	}
	want(t, "most", len(h.lines), historyMost)
}

func TestComplete(t *testing.T) {
	t.Parallel()
	n := names{users: []string{"ann", "anton", "bob"}, rooms: []string{"The Nook", "the den"}}
	for before, choices := range map[string][]string{
		"/jo":              {"/JOINROOM "},
		"/PA":              {"/PASSWD "},
		"/2":               {"/21GAME "},
		"/":                nil, // all of them
		"/xyz":             nil,
		"/JOINROOM th":     {"/JOINROOM The Nook", "/JOINROOM the den"},
		"/joinroom the n":  {"/joinroom The Nook"},
		"/W an":            {"/W ann ", "/W anton "},
		"/W ann hello b":   {"/W ann hello bob "},
		"an":               {"ann: ", "anton: "},
		"hi B":             {"hi bob "},
		"hi ":              nil,
		"":                 nil,
		"/SIGNIN an":       nil,
		"/SIGNIN ann an":   nil,
		"/CHATROOM hi ant": {"/CHATROOM hi anton "},
	} {
		c := complete(before, "", n)
		var got []string
		if c != nil {
			for range c.choices {
				got = append(got, c.take())
			}
			if again := c.take(); again != got[0] {
				t.Errorf("%q: after the last choice comes %q", before, again)
			}
		}
		if before == "/" {
			if len(got) != len(wire.Usage()) { // each but the last line is a command, and one has two names
				t.Errorf("a slash gives %q", got)
			}
			continue
		}
		if !slices.Equal(got, choices) {
			t.Errorf("%q gives %q, want %q", before, got, choices)
		}
	}
}
