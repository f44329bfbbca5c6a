package client

import (
	"strings"

	"gamehall/shared/fault"
	"gamehall/shared/wire"
)

// prompt is what the input line asks for: a line of talk or a command, or, step by step, what
// a sign-in needs.
type prompt struct {
	kind   promptKind
	name   string       // askPassword: whose
	create bool         // askPassword: of an account that is to be made
	again  wire.Command // askTakeover: the sign-in
}

type promptKind int

const (
	askLine promptKind = iota
	askName
	askPassword
	askTakeover
)

// label stands before the input.
func (p prompt) label() string {
	switch p.kind {
	case askName:
		return "name> "
	case askPassword:
		if p.create {
			return "new password for " + clean(p.name) + "> "
		}
		return "password for " + clean(p.name) + "> "
	case askTakeover:
		return "end your other session? y/n> "
	}
	return "> "
}

// secret tells from which byte of the input on it is masked.
func (p prompt) secret(input string) int {
	if p.kind == askPassword {
		return 0
	}
	return secretFrom(input)
}

// enterLine takes the input when it is complete. It gives true when the person wants to leave.
func (m *model) enterLine() bool {
	text := m.input.text()
	m.input.set("")
	m.tab = nil
	switch m.prompt.kind {
	case askPassword:
		m.password(text)
		return false
	case askTakeover:
		again := m.prompt.again
		m.prompt = prompt{kind: askName}
		if strings.EqualFold(strings.TrimSpace(text), "y") {
			again.Takeover = true
			m.do(again, typedIn{pane: m.active})
		}
		return false
	case askName:
		name := strings.TrimSpace(text)
		if name == "" {
			return false
		}
		if !strings.HasPrefix(name, "/") {
			m.prompt = prompt{kind: askPassword, name: name}
			return false
		}
	}
	if strings.TrimSpace(text) == "" {
		return false
	}
	m.typed.add(text)
	return m.command(text)
}

// password takes the password that was asked for; none goes back to the name.
func (m *model) password(text string) {
	p := m.prompt
	m.prompt = prompt{kind: askName}
	if text == "" {
		m.input.set(p.name)
		return
	}
	kind := wire.SignIn
	if p.create {
		kind = wire.SignUp
	}
	m.do(wire.Command{Type: kind, Username: p.name, Password: text}, typedIn{pane: m.active})
}

// command carries out a line. Plain text goes where the pane is.
func (m *model) command(text string) (leaves bool) {
	fields := strings.Fields(text)
	if len(fields) == 2 && m.user == "" { // without a password, which is asked for
		up := strings.EqualFold(fields[0], "/SIGNUP")
		if up || strings.EqualFold(fields[0], "/SIGNIN") {
			m.prompt = prompt{kind: askPassword, name: fields[1], create: up}
			return false
		}
	}
	cmd, err := wire.ParseLine([]byte(text))
	if err != nil {
		f, _ := fault.From(err)
		m.add(m.active, hallLines(wire.AppendReply(nil, wire.Reply{Err: f}, m.now()), m.now(), lookAlert)...)
		return false
	}
	switch cmd.Type {
	case wire.Quit:
		return true
	case wire.Help:
		m.help()
		return false
	case wire.History: // of what is seen
		if m.active.kind == whisperPane {
			m.say(lookAlert, "whispers have no history")
			return false
		}
		cmd.Channel = m.active.channel()
	case wire.Say:
		switch m.active.kind {
		case roomPane:
			cmd.Type = wire.RoomSay
		case whisperPane:
			cmd.Type, cmd.To = wire.Whisper, m.active.name
		}
	}
	m.do(cmd, typedIn{pane: m.active, waits: m.wait(cmd)})
	return false
}

// wait shows what is said while there is no connection; it gives nil for anything else.
func (m *model) wait(cmd wire.Command) *line {
	if m.user == "" || m.link.state == connected {
		return nil
	}
	p := m.active
	switch cmd.Type {
	case wire.Say:
	case wire.RoomSay: // /CHATROOM may be typed anywhere
		if room := m.find(roomPane, m.room); room != nil {
			p = room
		}
	case wire.Whisper:
		p = m.open(whisperPane, cmd.To)
	default:
		return nil
	}
	l := &line{at: m.now(), from: m.user, text: cmd.Text, look: lookWaits}
	p.waiting = append(p.waiting, l)
	return l
}

// keyHelp tells what the keys do.
var keyHelp = []string{
	"Enter sends to where you are: lobby, room or whisper.",
	"Tab completes; Shift+Tab, Ctrl+N, Ctrl+P, Alt+1..9 go from tab to tab; Ctrl+X closes a whisper.",
	"PgUp, PgDn scroll; Up, Down bring back what you typed; Ctrl+C leaves.",
}

func (m *model) help() {
	m.add(m.active, hallLines(wire.AppendReply(nil, wire.Reply{Type: wire.Help}, m.now()), m.now(), lookHall)...)
	for _, text := range keyHelp {
		m.say(lookHall, text)
	}
}

// signed takes the outcome of a sign-up or sign-in.
func (m *model) signed(a answer) {
	var code fault.Code
	if a.reply.Err != nil {
		code = a.reply.Err.Code
	}
	switch {
	case a.cmd.Type == wire.SignUp && code == "" && m.user == "":
		m.do(wire.Command{Type: wire.SignIn, Username: a.cmd.Username, Password: a.cmd.Password}, typedIn{pane: m.active})
	case a.cmd.Type == wire.SignIn && code == fault.AlreadySignedIn && m.user == "":
		m.prompt = prompt{kind: askTakeover, again: a.cmd}
	case code != "" && m.user == "" && m.prompt.kind == askName && m.input.text() == "":
		m.input.set(a.cmd.Username)
	}
}
