package crowd

import (
	"regexp"
	"strconv"
	"strings"

	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/wire"
	"gamehall/tools/check/history"
)

// What people read: see DESIGN's texts.
var (
	lineComes    = regexp.MustCompile(`^system: (\S+) (joined|left) the hall$`)
	lineRoom     = regexp.MustCompile(`^\[([^\[\]]+)\] (.*)$`)
	lineMoves    = regexp.MustCompile(`^system: (\S+) (joined|left)$`)
	lineSays     = regexp.MustCompile(`^([^ :]+): (.*)$`)
	lineWhispers = regexp.MustCompile(`^\(whisper\) ([^ :]+): (.*)$`)
	lineRound    = regexp.MustCompile(`^system: round (\d+): (.*)$`)
	roundBegins  = regexp.MustCompile(`^make 21 of (\d+) (\d+) (\d+) (\d+), \d+ seconds$`)
	roundHas     = regexp.MustCompile(`^(\S+) has answered$`)
	roundWins    = regexp.MustCompile(`^(\S+) wins with (.*) = (.*)$`)
	answerIs     = regexp.MustCompile(`^your answer is ([-0-9/]+)(, over 21, so it is void)?$`)
	onlineIs     = regexp.MustCompile(`^system: your online time is (\d+) seconds$`)
)

// readLine gives what a line tells as an event; false when it tells none.
func readLine(line string) (history.Event, bool) {
	e := history.Event{Type: history.Recv, Channel: history.Lobby}
	if m := lineComes.FindStringSubmatch(line); m != nil {
		e.F, e.User = m[2], m[1]
		return e, true
	}
	if m := lineRound.FindStringSubmatch(line); m != nil {
		return readRound(m[1], m[2])
	}
	if m := lineRoom.FindStringSubmatch(line); m != nil {
		e.Channel = history.RoomPrefix + m[1]
		if moves := lineMoves.FindStringSubmatch(m[2]); moves != nil {
			e.F, e.User = "room."+moves[2], moves[1]
			return e, true
		}
		if says := lineSays.FindStringSubmatch(m[2]); len(says) > 2 && says[1] != "system" {
			e.F, e.From, e.Text = event.RoomChat, says[1], says[2]
			return e, true
		}
		return e, false
	}
	if m := lineWhispers.FindStringSubmatch(line); m != nil {
		e.F, e.Channel, e.From, e.Text = history.Whisper, history.UserOnly, m[1], m[2]
		return e, true
	}
	if m := lineSays.FindStringSubmatch(line); len(m) > 2 && m[1] != "system" {
		e.F, e.From, e.Text = event.Chat, m[1], m[2]
		return e, true
	}
	return e, false
}

func readRound(number, text string) (history.Event, bool) {
	e := history.Event{Type: history.Recv, Channel: history.Game21, Round: atoi(number)}
	if m := roundBegins.FindStringSubmatch(text); m != nil {
		e.F = event.Game21Started
		for _, n := range m[1:] {
			e.Numbers = append(e.Numbers, atoi(n))
		}
		return e, true
	}
	if m := roundHas.FindStringSubmatch(text); m != nil {
		e.F, e.User = event.Game21Answered, m[1]
		return e, true
	}
	if m := roundWins.FindStringSubmatch(text); m != nil {
		e.F, e.Winner, e.Expression, e.Value = event.Game21Ended, m[1], m[2], m[3]
		return e, true
	}
	if text == "nobody answered" || text == "no valid answer" {
		e.F = event.Game21Ended
		return e, true
	}
	return e, false
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s) // the expressions take digits alone
	return n
}

// closings are what people are told before the end of their connection.
var closings = map[string]wire.Reason{
	"the hall restarts, please connect again in a moment":                   wire.Restart,
	"the hall cannot serve you right now, please connect again in a moment": wire.Unavailable,
	"you read too slowly, please connect again":                             wire.SlowConsumer,
	"signed in elsewhere":                      wire.SignedInElsewhere,
	"closed, nothing was typed for too long":   wire.Idle,
	"closed, nothing was heard for 30 seconds": wire.Heartbeat,
}

// refusals are the words of faults, by what is in them.
var refusals = []struct {
	words string
	code  fault.Code
}{
	{"wrong account or password", fault.WrongCredentials},
	{"can't sign in repeatedly", fault.AlreadySignedIn},
	{"the username exists", fault.UsernameTaken},
	{"please sign in first", fault.NotSignedIn},
	{"is offline", fault.UserOffline},
	{"no such room", fault.NoSuchRoom},
	{"you are already in", fault.AlreadyInRoom},
	{"you are not in a room", fault.NotInRoom},
	{"is full", fault.RoomFull},
	{" exists", fault.RoomExists},
	{"no round is open", fault.NoRound},
	{"you have answered round", fault.AlreadyAnswered},
}

// answerLine gives what a line says to the command under way; false when it says nothing
// about it. An own line that is told is the answer to what said it, and no other.
func answerLine(c wire.Command, user, line string) (wire.Reply, bool) {
	r := wire.Reply{Type: c.Type}
	if e, told := readLine(line); told {
		switch {
		case c.Type == wire.Say && e.F == event.Chat, c.Type == wire.RoomSay && e.F == event.RoomChat:
			return r, e.From == user && e.Text == c.Text
		}
		return r, false
	}
	is := func(want string) bool { return line == want }
	switch c.Type {
	case wire.SignUp:
		if is("system: registered, you can sign in now") {
			return r, true
		}
	case wire.SignIn:
		if r.User = c.Username; is("system: welcome, " + c.Username) {
			return r, true
		}
	case wire.SignOut:
		if is("system: bye, " + user) {
			return r, true
		}
	case wire.Whisper:
		if is("(to " + c.To + ") " + c.Text) {
			return r, true
		}
	case wire.RoomCreate:
		if r.Room = c.Room; is("system: you created and joined " + c.Room) {
			return r, true
		}
	case wire.RoomJoin:
		if r.Room = c.Room; is("system: you joined " + c.Room) {
			return r, true
		}
	case wire.RoomQuit:
		if strings.HasPrefix(line, "system: you left ") {
			return r, true
		}
	case wire.Ping:
		if is("system: pong") {
			return r, true
		}
	case wire.OnlineTime:
		if m := onlineIs.FindStringSubmatch(line); m != nil {
			r.OnlineTime.Seconds = int64(atoi(m[1]))
			return r, true
		}
	case wire.Game21Answer:
		if m := lineRound.FindStringSubmatch(line); m != nil {
			if is := answerIs.FindStringSubmatch(m[2]); is != nil {
				r.Answer.Round, r.Answer.Value, r.Answer.Void = atoi(m[1]), is[1], is[2] != ""
				return r, true
			}
		}
	}
	text, system := strings.CutPrefix(line, "system: ")
	if !system || lineRound.MatchString(line) {
		return r, false
	}
	if _, closing := closings[text]; closing || text == slow {
		return r, false
	}
	// Words that are not known may be those of a fault that says nothing for sure.
	code := fault.Unavailable
	for _, known := range refusals {
		if strings.Contains(text, known.words) {
			code = known.code
			break
		}
	}
	if e, ok := fault.From(fault.New(code, "%s", text)); ok {
		r.Err = e
	}
	return r, true
}

// slow is the notice while a command takes long.
const slow = "the hall is slow, still trying"
