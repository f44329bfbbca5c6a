package wire_test

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"gamehall/shared/fault"
	"gamehall/shared/wire"
)

func TestParseLine(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   string
		want wire.Command
	}{
		{"sign up", "/SIGNUP ann secret", wire.Command{Type: wire.SignUp, Username: "ann", Password: "secret"}},
		{"sign in", "/SIGNIN ann secret", wire.Command{Type: wire.SignIn, Username: "ann", Password: "secret"}},
		{"any case", "/sIgNiN Ann SeCret", wire.Command{Type: wire.SignIn, Username: "Ann", Password: "SeCret"}},
		{"take over", "/SIGNIN ann secret takeOver", wire.Command{Type: wire.SignIn, Username: "ann", Password: "secret", Takeover: true}},
		{"a password that is a command", "/SIGNIN ann /QUIT", wire.Command{Type: wire.SignIn, Username: "ann", Password: "/QUIT"}},
		{"sign out", "/SIGNOUT", wire.Command{Type: wire.SignOut}},
		{"passwd", "/PASSWD old new", wire.Command{Type: wire.Passwd, Old: "old", New: "new"}},
		{"online time", "/GETONLINETIME", wire.Command{Type: wire.OnlineTime}},
		{"who", "/WHO", wire.Command{Type: wire.Who}},
		{"whisper", "/W bob hi  there", wire.Command{Type: wire.Whisper, To: "bob", Text: "hi  there"}},
		{"whisper, blanks", "/w  bob   hi ", wire.Command{Type: wire.Whisper, To: "bob", Text: "hi"}},
		{"whisper a command", "/W bob /QUIT", wire.Command{Type: wire.Whisper, To: "bob", Text: "/QUIT"}},
		{"history", "/HISTORY", wire.Command{Type: wire.History}},
		{"history, so many", "/HISTORY 30", wire.Command{Type: wire.History, Limit: 30}},
		{"create a room", "/CREATEROOM  my room 1 ", wire.Command{Type: wire.RoomCreate, Room: "my room 1"}},
		{"join a room", "/JOINROOM a.b*c>", wire.Command{Type: wire.RoomJoin, Room: "a.b*c>"}},
		{"quit a room", "/QUITROOM", wire.Command{Type: wire.RoomQuit}},
		{"talk in a room", "/CHATROOM hi /all", wire.Command{Type: wire.RoomSay, Text: "hi /all"}},
		{"rooms", "/ROOMS", wire.Command{Type: wire.RoomList}},
		{"members", "/MEMBERS", wire.Command{Type: wire.RoomMembers}},
		{"answer", "/21GAME (10-3)*(5-2)", wire.Command{Type: wire.Game21Answer, Expression: "(10-3)*(5-2)"}},
		{"answer, the other name", "/game21 1 + 2 * 3", wire.Command{Type: wire.Game21Answer, Expression: "1 + 2 * 3"}},
		{"round", "/ROUND", wire.Command{Type: wire.Game21Status}},
		{"scores", "/SCORES", wire.Command{Type: wire.Game21Scores}},
		{"ping", "/PING", wire.Command{Type: wire.Ping}},
		{"help", "/HELP", wire.Command{Type: wire.Help}},
		{"quit", "/QUIT", wire.Command{Type: wire.Quit}},
		{"blanks behind", "/WHO   ", wire.Command{Type: wire.Who}},

		{"text", "hi", wire.Command{Type: wire.Say, Text: "hi"}},
		{"blanks around", "  hi there  ", wire.Command{Type: wire.Say, Text: "hi there"}},
		{"a slash within", "and/or", wire.Command{Type: wire.Say, Text: "and/or"}},
		{"two slashes", "//WHO is it", wire.Command{Type: wire.Say, Text: "/WHO is it"}},
		{"two slashes, blanks before", "  //hi", wire.Command{Type: wire.Say, Text: "/hi"}},
		{"two slashes alone", "//", wire.Command{Type: wire.Say, Text: "/"}},
		{"three slashes", "///", wire.Command{Type: wire.Say, Text: "//"}},
		{"like the server's", "system: the hall closes", wire.Command{Type: wire.Say, Text: "system: the hall closes"}},
		{"any script", "你好 👋🏽 שלום", wire.Command{Type: wire.Say, Text: "你好 👋🏽 שלום"}},
		{"marks of direction", "\u200eabc\u200f\u061c.", wire.Command{Type: wire.Say, Text: "\u200eabc\u200f\u061c."}},
		{"the replacement character itself", "a\ufffdb", wire.Command{Type: wire.Say, Text: "a\ufffdb"}},
		{"joined emoji", "👨‍👩‍👧", wire.Command{Type: wire.Say, Text: "👨‍👩‍👧"}},

		{"blanks before a slash", "   /SIGNIN ann secret", wire.Command{Type: wire.SignIn, Username: "ann", Password: "secret"}},
		{"a wide blank before it", "\u3000/PING", wire.Command{Type: wire.Ping}},
		{"no-break space before it", "\u00a0/PING", wire.Command{Type: wire.Ping}},
		{"byte order mark before it", "\ufeff/SIGNIN ann secret", wire.Command{Type: wire.SignIn, Username: "ann", Password: "secret"}},
		{"zero width before it", "\u200b \u2060/PING", wire.Command{Type: wire.Ping}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := wire.ParseLine([]byte(tt.in))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%q is %+v, %v; want %+v", tt.in, got, err, tt.want)
			}
		})
	}
}

func TestParseLineRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   string
		code fault.Code
		says string // is in the message
	}{
		{"nothing", "", fault.BadRequest, "empty"},
		{"blanks", "   \u3000 ", fault.BadRequest, "empty"},
		{"a slash", "/", fault.UnknownCommand, "unknown command"},
		{"a slash and blanks", " /  ", fault.UnknownCommand, "unknown command"},
		{"an unknown word", "/DANCE", fault.UnknownCommand, "unknown command"},
		{"a word that begins like one", "/WHOAMI", fault.UnknownCommand, "unknown command"},
		{"half a word", "/SIGN", fault.UnknownCommand, "unknown command"},
		{"a blank behind the slash", "/ WHO", fault.UnknownCommand, "unknown command"},
		{"a full-width slash", "／SIGNIN ann secret", fault.UnknownCommand, "unknown command"},
		{"a full-width slash behind blanks", " \ufeff／SIGNIN ann secret", fault.UnknownCommand, "unknown command"},
		{"the word is not shown", "/SIGNINN ann secret", fault.UnknownCommand, "unknown command"},

		{"sign in without a password", "/SIGNIN ann", fault.BadRequest, "usage: /SIGNIN name password [TAKEOVER]"},
		{"sign in with more", "/SIGNIN ann my secret", fault.BadRequest, "usage: /SIGNIN"},
		{"sign up with more", "/SIGNUP ann my secret", fault.BadRequest, "usage: /SIGNUP name password"},
		{"sign up with nothing", "/SIGNUP", fault.BadRequest, "usage: /SIGNUP"},
		{"sign out with more", "/SIGNOUT now", fault.BadRequest, "usage: /SIGNOUT"},
		{"passwd with one", "/PASSWD new", fault.BadRequest, "usage: /PASSWD old new"},
		{"whisper to nobody", "/W", fault.BadRequest, "usage: /W name text"},
		{"whisper nothing", "/W bob", fault.BadRequest, "usage: /W name text"},
		{"whisper blanks", "/W bob    ", fault.BadRequest, "usage: /W name text"},
		{"history of what", "/HISTORY lobby", fault.BadRequest, "usage: /HISTORY [n]"},
		{"history of none", "/HISTORY 0", fault.BadRequest, "usage: /HISTORY"},
		{"history of less", "/HISTORY -3", fault.BadRequest, "usage: /HISTORY"},
		{"history of too many to count", "/HISTORY 99999999999999999999", fault.BadRequest, "usage: /HISTORY"},
		{"no room", "/CREATEROOM", fault.BadRequest, "usage: /CREATEROOM room"},
		{"join no room", "/JOINROOM  ", fault.BadRequest, "usage: /JOINROOM room"},
		{"nothing in the room", "/CHATROOM", fault.BadRequest, "usage: /CHATROOM text"},
		{"no expression", "/21GAME", fault.BadRequest, "usage: /21GAME expression"},
		{"no expression, the other name", "/GAME21", fault.BadRequest, "usage: /21GAME expression"},
		{"ping with more", "/PING 1", fault.BadRequest, "usage: /PING"},

		{"NUL", "a\x00b", fault.BadRequest, "U+0000"},
		{"NUL behind", "/WHO\x00", fault.BadRequest, "U+0000"},
		{"BEL", "\a", fault.BadRequest, "U+0007"},
		{"tab", "a\tb", fault.BadRequest, "U+0009"},
		{"line feed", "a\nb", fault.BadRequest, "U+000A"},
		{"bare CR", "a\rsystem: b", fault.BadRequest, "U+000D"},
		{"bare CR in front", "\ra", fault.BadRequest, "U+000D"},
		{"vertical tab", "a\vb", fault.BadRequest, "U+000B"},
		{"ESC", "\x1b[2J", fault.BadRequest, "U+001B"},
		{"OSC 52", "\x1b]52;c;aGk=\a", fault.BadRequest, "U+001B"},
		{"DEL", "a\x7f", fault.BadRequest, "U+007F"},
		{"NEL", "a\u0085b", fault.BadRequest, "U+0085"},
		{"CSI", "a\u009b2J", fault.BadRequest, "U+009B"},
		{"line separator", "a\u2028b", fault.BadRequest, "U+2028"},
		{"paragraph separator", "a\u2029b", fault.BadRequest, "U+2029"},
		{"embedding", "a\u202ab", fault.BadRequest, "U+202A"},
		{"override", "a\u202eb", fault.BadRequest, "U+202E"},
		{"isolate", "a\u2066b", fault.BadRequest, "U+2066"},
		{"end of isolate", "a\u2069b", fault.BadRequest, "U+2069"},
		{"separator behind, where it would be trimmed", "a\u2028", fault.BadRequest, "U+2028"},
		{"0xFF", "a\xff", fault.BadRequest, "UTF-8"},
		{"overlong slash", "\xc0\xafWHO", fault.BadRequest, "UTF-8"},
		{"overlong NUL", "a\xc0\x80", fault.BadRequest, "UTF-8"},
		{"surrogate", "\xed\xa0\x80", fault.BadRequest, "UTF-8"},
		{"surrogate pair", "\xed\xa0\xbd\xed\xb8\x80", fault.BadRequest, "UTF-8"},
		{"above U+10FFFF", "\xf4\x90\x80\x80", fault.BadRequest, "UTF-8"},
		{"cut rune", "hi \xe4\xbd", fault.BadRequest, "UTF-8"},
		{"latin-1", "caf\xe9", fault.BadRequest, "UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := wire.ParseLine([]byte(tt.in))
			if fault.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("%q is %+v, %v; want %s with %q", tt.in, got, err, tt.code, tt.says)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the message has the password: %v", err)
			}
		})
	}
}

// The usage list names every command of the protocol.
func TestUsage(t *testing.T) {
	t.Parallel()
	lines := wire.Usage()
	for _, word := range []string{
		"SIGNUP", "SIGNIN", "SIGNOUT", "PASSWD", "GETONLINETIME", "WHO", "W", "HISTORY", "CREATEROOM", "JOINROOM",
		"QUITROOM", "CHATROOM", "ROOMS", "MEMBERS", "21GAME", "ROUND", "SCORES", "PING", "HELP", "QUIT",
	} {
		n := 0
		for _, line := range lines {
			if first, _, _ := strings.Cut(line, " "); first == "/"+word {
				n++
			}
		}
		if n != 1 {
			t.Errorf("/%s stands %d times in the usage list", word, n)
		}
	}
	if len(lines) != 21 {
		t.Errorf("the usage list has %d lines, want one a command and one about text", len(lines))
	}
}

func FuzzParseLine(f *testing.F) {
	for _, seed := range []string{
		"", "/", "//", "hi", "/WHO", "/SIGNIN ann secret TAKEOVER", "/W bob hi", "/HISTORY 7", "／", "\ufeff/PING",
		"a\rb", "\x1b[2J", "\xc0\xaf", "/21GAME 7/(1-2/3)", " /  x",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		c, err := wire.ParseLine(line)
		if err != nil {
			if code := fault.CodeOf(err); code != fault.BadRequest && code != fault.UnknownCommand {
				t.Fatalf("%q: code %q", line, code)
			}
			return
		}
		switch c.Type {
		case wire.Say, wire.RoomSay, wire.Whisper:
			if c.Text == "" || strings.TrimSpace(c.Text) != c.Text {
				t.Fatalf("%q says %q", line, c.Text)
			}
			if _, err := wire.ParseLine([]byte("x" + c.Text)); err != nil {
				t.Fatalf("%q says %q, which is refused: %v", line, c.Text, err)
			}
		case wire.SignIn, wire.SignUp:
			if c.Username == "" || c.Password == "" {
				t.Fatalf("%q: an empty name or password", line)
			}
		case wire.Help, wire.Quit:
		default:
			// What a line can ask for, an object can ask for, too.
			again, err := wire.ParseObject(wire.CommandObject(c))
			if err != nil && len(line) < wire.MaxLine/2 || err == nil && !reflect.DeepEqual(again, c) {
				t.Fatalf("%q is %+v, as an object %+v, %v", line, c, again, err)
			}
		}
		if !utf8.ValidString(c.Text + c.To + c.Username + c.Password + c.Room + c.Expression + c.Old + c.New) {
			t.Fatalf("%q: invalid UTF-8 in %+v", line, c)
		}
	})
}
