package wire

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"gamehall/shared/fault"
)

// MaxLine is the most bytes a line has, its LF or CRLF not counted; a frame's and a
// message's limit too. Longer ones are refused before anything is allocated for them.
const MaxLine = 4096

// The types of commands.
const (
	SignUp       = "signup"
	SignIn       = "signin"
	Resume       = "resume" // frames and WebSocket only
	SignOut      = "signout"
	Passwd       = "passwd"
	OnlineTime   = "onlinetime"
	Who          = "who"
	Say          = "say"
	Whisper      = "whisper"
	History      = "history"
	RoomCreate   = "room.create"
	RoomJoin     = "room.join"
	RoomQuit     = "room.quit"
	RoomSay      = "room.say"
	RoomList     = "room.list"
	RoomMembers  = "room.members"
	Game21Answer = "game21.answer"
	Game21Status = "game21.status"
	Game21Scores = "game21.scores"
	Ping         = "ping"
	Help         = "help" // lines only
	Quit         = "quit" // lines only
)

// Command is what a client asks for. Which members count depends on Type.
type Command struct {
	Type string
	ID   string // frames and WebSocket: what its reply names
	Key  string // say, room.say, whisper, game21.answer: names the command across connections

	Username, Password string // signup, signin
	Takeover           bool   // signin
	Token              string // resume
	Since              Since  // resume
	Old, New           string // passwd
	To, Text           string // whisper; say, room.say
	Channel            string // history
	Limit              int    // history
	Before             uint64 // history
	Room               string // room.create, room.join
	Max                int    // room.create
	Expression         string // game21.answer
}

// verb is a command as people type it. parse gets what follows the word, trimmed; false
// means that it does not fit args.
type verb struct {
	word  string
	alias string
	args  string
	help  string
	parse func(rest string) (Command, bool)
}

// verbs are all commands, in the order of the usage list.
var verbs = []verb{
	{"SIGNUP", "", "name password", "make an account", func(rest string) (Command, bool) {
		f := strings.Fields(rest)
		if len(f) != 2 {
			return Command{}, false
		}
		return Command{Type: SignUp, Username: f[0], Password: f[1]}, true
	}},
	{"SIGNIN", "", "name password [TAKEOVER]", "sign in; TAKEOVER ends your session elsewhere", func(rest string) (Command, bool) {
		f := strings.Fields(rest)
		takeover := len(f) == 3 && strings.EqualFold(f[2], "TAKEOVER")
		if len(f) != 2 && !takeover {
			return Command{}, false
		}
		return Command{Type: SignIn, Username: f[0], Password: f[1], Takeover: takeover}, true
	}},
	{"SIGNOUT", "", "", "sign out, and keep the connection", bare(SignOut)},
	{"PASSWD", "", "old new", "change your password", func(rest string) (Command, bool) {
		f := strings.Fields(rest)
		if len(f) != 2 {
			return Command{}, false
		}
		return Command{Type: Passwd, Old: f[0], New: f[1]}, true
	}},
	{"W", "", "name text", "whisper to one player", func(rest string) (Command, bool) {
		to, text, ok := strings.Cut(rest, " ")
		text = strings.TrimSpace(text)
		return Command{Type: Whisper, To: to, Text: text}, ok && text != ""
	}},
	{"WHO", "", "", "who is here", bare(Who)},
	{"GETONLINETIME", "", "", "how long you have been online", bare(OnlineTime)},
	{"HISTORY", "", "[n]", "the last n lines of your room, or of the lobby", func(rest string) (Command, bool) {
		if rest == "" {
			return Command{Type: History}, true
		}
		n, err := strconv.Atoi(rest)
		return Command{Type: History, Limit: n}, err == nil && n > 0
	}},
	{"CREATEROOM", "", "room", "make a room and join it", room(RoomCreate)},
	{"JOINROOM", "", "room", "join a room", room(RoomJoin)},
	{"QUITROOM", "", "", "leave your room", bare(RoomQuit)},
	{"CHATROOM", "", "text", "talk in your room", func(rest string) (Command, bool) {
		return Command{Type: RoomSay, Text: rest}, rest != ""
	}},
	{"ROOMS", "", "", "which rooms there are", bare(RoomList)},
	{"MEMBERS", "", "", "who is in your room", bare(RoomMembers)},
	{"21GAME", "GAME21", "expression", "answer the round of 21", func(rest string) (Command, bool) {
		return Command{Type: Game21Answer, Expression: rest}, rest != ""
	}},
	{"ROUND", "", "", "the round's numbers, or when the next one starts", bare(Game21Status)},
	{"SCORES", "", "", "who won how often", bare(Game21Scores)},
	{"PING", "", "", "is the hall there", bare(Ping)},
	{"HELP", "", "", "this list", bare(Help)},
	{"QUIT", "", "", "sign out and close the connection", bare(Quit)},
}

func bare(kind string) func(string) (Command, bool) {
	return func(rest string) (Command, bool) { return Command{Type: kind}, rest == "" }
}

func room(kind string) func(string) (Command, bool) {
	return func(rest string) (Command, bool) { return Command{Type: kind, Room: rest}, rest != "" }
}

func (v verb) usage() string {
	return strings.TrimRight("/"+v.word+" "+v.args, " ")
}

// Usage lists every command, one a line.
func Usage() []string {
	lines := make([]string, 0, len(verbs)+1)
	for _, v := range verbs {
		lines = append(lines, v.usage()+" - "+v.help)
	}
	return append(lines, "anything else is said in the lobby; //text says /text")
}

// ParseLine reads a line, its line end taken off. A line that starts with a slash (blanks
// before it do not count, so that a password is not said aloud by mistake) is a command;
// with two, or without, it is text.
// Faults: bad_request for bytes that are no text and for wrong arguments, unknown_command.
func ParseLine(line []byte) (Command, error) {
	if err := checkText(line); err != nil {
		return Command{}, err
	}
	text := strings.TrimSpace(string(line))
	if typed := strings.TrimLeftFunc(text, blank); strings.HasPrefix(typed, "/") || strings.HasPrefix(typed, "／") {
		text = typed
	}
	switch {
	case text == "":
		return Command{}, fault.New(fault.BadRequest, "the line is empty: say something, or type /HELP")
	case strings.HasPrefix(text, "//"):
		return Command{Type: Say, Text: text[1:]}, nil
	case strings.HasPrefix(text, "／"): // a full-width slash is a slash to who typed it
		return Command{}, fault.New(fault.UnknownCommand, "unknown command: commands start with /")
	case text[0] != '/':
		return Command{Type: Say, Text: text}, nil
	}
	word, rest, _ := strings.Cut(text[1:], " ")
	for _, v := range verbs {
		if !strings.EqualFold(word, v.word) && (v.alias == "" || !strings.EqualFold(word, v.alias)) {
			continue
		}
		c, ok := v.parse(strings.TrimSpace(rest))
		if !ok {
			return Command{}, fault.New(fault.BadRequest, "usage: %s", v.usage())
		}
		return c, nil
	}
	return Command{}, fault.New(fault.UnknownCommand, "unknown command, these are known:")
}

// blank tells what nobody sees before a slash: spaces, and the marks of zero width that some
// programs put at the start of what they send (U+FEFF).
func blank(r rune) bool {
	return unicode.IsSpace(r) || r == '\ufeff' || r == '\u200b' || r == '\u2060'
}

// checkText refuses what is no line of text: invalid UTF-8 (never repaired), and control
// characters, which would act on somebody's terminal.
func checkText(line []byte) error {
	if !utf8.Valid(line) {
		return fault.New(fault.BadRequest, "the line is not valid UTF-8")
	}
	for _, r := range string(line) {
		if unsafeRune(r) {
			return fault.New(fault.BadRequest, "the line has a control character (U+%04X)", r)
		}
	}
	return nil
}

// unsafeRune tells the characters that move a cursor, end a line, or turn text around: C0,
// DEL, C1, U+2028/9, and the bidi embeddings, overrides and isolates (CWE-150, UAX #9).
func unsafeRune(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029,
		r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return false
}
