package wire

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/game21api"
)

// TimeLayout is how a line tells its time, in the server's zone.
const TimeLayout = "2006-01-02 15:04:05"

// lines writes messages, one line each, all with the same time.
type lines struct {
	dst []byte
	at  time.Time
}

// add writes a line; its text is cleaned of whatever would act on a terminal.
func (l *lines) add(format string, args ...any) {
	l.dst = l.at.AppendFormat(l.dst, TimeLayout)
	l.dst = append(l.dst, ' ')
	l.dst = appendClean(l.dst, fmt.Sprintf(format, args...))
	l.dst = append(l.dst, '\n')
}

func (l *lines) system(format string, args ...any) { l.add("system: "+format, args...) }

// appendClean writes s with every unsafe rune as '?': it is the last of several guards.
func appendClean(dst []byte, s string) []byte {
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if unsafeRune(r) || r == utf8.RuneError && n == 1 {
			dst = append(dst, '?')
		} else {
			dst = append(dst, s[:n]...)
		}
		s = s[n:]
	}
	return dst
}

// AppendReply writes r as lines; now is their time. An accepted line of a channel has none:
// its sender sees the line itself.
func AppendReply(dst []byte, r Reply, now time.Time) []byte {
	l := &lines{dst: dst, at: now}
	if r.Err != nil {
		l.system("%s", r.Err.Message)
		if r.Err.Code == fault.UnknownCommand {
			l.usage()
		}
		return l.dst
	}
	switch r.Type {
	case SignUp:
		l.system("registered, you can sign in now")
	case SignIn:
		l.system("welcome, %s", r.User)
	case SignOut:
		l.system("bye, %s", r.User)
	case Quit:
		if r.User != "" {
			l.system("bye, %s", r.User)
		} else {
			l.system("bye")
		}
	case Passwd:
		l.system("your password is changed")
	case OnlineTime:
		l.system("your online time is %d seconds", r.OnlineTime.Seconds)
	case Who:
		l.who(r)
	case Whisper:
		l.add("(to %s) %s", r.Whisper.To, r.Whisper.Text)
	case History:
		for _, e := range r.History {
			l.dst = AppendEvent(l.dst, e, now.Location())
		}
		if len(r.History) == 0 {
			l.system("nothing was said here yet")
		}
	case RoomCreate:
		l.system("you created and joined %s", r.Room)
	case RoomJoin:
		l.system("you joined %s", r.Room)
	case RoomQuit:
		l.system("you left %s", r.Room)
	case RoomList:
		l.rooms(r)
	case RoomMembers:
		l.add("[%s] system: %d here: %s", r.Members.Room, len(r.Members.Members), strings.Join(r.Members.Members, ", "))
	case Game21Answer:
		l.answer(r.Answer)
	case Game21Status:
		l.status(r.Status)
	case Game21Scores:
		l.scores(r.Scores)
	case Ping:
		l.system("pong")
	case Help:
		l.usage()
	}
	return l.dst
}

func (l *lines) usage() {
	for _, u := range Usage() {
		l.system("%s", u)
	}
}

func (l *lines) who(r Reply) {
	l.system("%d online", r.Who.Total)
	for _, u := range r.Who.Users {
		l.system("%s, %s, since %s", u.User, u.State, u.Since.In(l.at.Location()).Format(TimeLayout))
	}
	if more := r.Who.Total - len(r.Who.Users); more > 0 {
		l.system("and %d more", more)
	}
}

func (l *lines) rooms(r Reply) {
	if len(r.Rooms) == 0 {
		l.system("there are no rooms, make one with /CREATEROOM room")
	}
	for _, room := range r.Rooms {
		full := ""
		if room.Max > 0 {
			full = fmt.Sprintf(" of %d", room.Max)
		}
		l.system("%s, %d%s here", room.Room, room.Members, full)
	}
}

func (l *lines) answer(a game21api.AnswerResponse) {
	if a.Void {
		l.system("round %d: your answer is %s, over 21, so it is void", a.Round, a.Value)
		return
	}
	l.system("round %d: your answer is %s", a.Round, a.Value)
}

func (l *lines) status(s game21api.StatusResponse) {
	switch {
	case s.Open:
		l.started(s.Round, s.Numbers, s.EndsAt.Sub(l.at))
	case s.NextAt.IsZero():
		l.system("no round is open")
	default:
		l.system("no round is open, the next one starts at %s", s.NextAt.In(l.at.Location()).Format(TimeLayout))
	}
}

func (l *lines) started(round int, numbers []int, left time.Duration) {
	words := make([]string, len(numbers))
	for i, n := range numbers {
		words[i] = strconv.Itoa(n)
	}
	seconds := max(0, int(left.Round(time.Second)/time.Second))
	l.system("round %d: make 21 of %s, %d seconds", round, strings.Join(words, " "), seconds)
}

func (l *lines) scores(s game21api.ScoresResponse) {
	if len(s.Top) == 0 {
		l.system("nobody has played yet")
	}
	for i, p := range s.Top {
		rank := p.Rank
		if rank == 0 {
			rank = i + 1
		}
		l.system("%d. %s, %d won of %d", rank, p.User, p.Won, p.Played)
	}
	if s.Me.Rank > 0 {
		l.system("you are number %d, %d won of %d", s.Me.Rank, s.Me.Won, s.Me.Played)
	}
}

// AppendEvent writes a stored event as lines, with the time of its storing. A kind that this
// version does not know gives none.
func AppendEvent(dst []byte, e event.Stored, zone *time.Location) []byte {
	l := &lines{dst: dst, at: e.At.In(zone)}
	switch e.Kind {
	case event.Chat:
		l.add("%s: %s", e.From, e.Text)
	case event.Joined:
		l.system("%s joined the hall", e.User)
	case event.Left:
		l.system("%s left the hall", e.User)
	case event.RoomChat:
		l.add("[%s] %s: %s", e.Room, e.From, e.Text)
	case event.RoomJoined:
		l.add("[%s] system: %s joined", e.Room, e.User)
	case event.RoomLeft:
		l.add("[%s] system: %s left", e.Room, e.User)
	case event.Game21Started:
		l.started(e.Round, e.Numbers, e.EndsAt.Sub(e.At))
	case event.Game21Answered:
		l.system("round %d: %s has answered", e.Round, e.User)
	case event.Game21Ended:
		l.ended(e)
	}
	return l.dst
}

func (l *lines) ended(e event.Stored) {
	switch {
	case e.Winner != "":
		l.system("round %d: %s wins with %s = %s", e.Round, e.Winner, e.Expression, e.Value)
	case e.Answers == 0:
		l.system("round %d: nobody answered", e.Round)
	default:
		l.system("round %d: no valid answer", e.Round)
	}
	if e.Best != nil {
		l.system("round %d: a best solution is %s = %s", e.Round, e.Best.Expression, e.Best.Value)
	}
}

// AppendPrivate writes p as lines; now is their time.
func AppendPrivate(dst []byte, p Private, now time.Time) []byte {
	l := &lines{dst: dst, at: now}
	switch p.Kind {
	case KindWhisper:
		l.add("(whisper) %s: %s", p.From, p.Text)
	case KindNotice:
		l.system("%s", p.Text)
	case KindGap:
		l.system("up to %d lines before this are no longer kept", p.Missed)
	case KindClosing:
		if text, told := closing[p.Reason]; told {
			l.system("%s", text)
		}
	}
	return l.dst
}

// closing is what people are told when the edge closes their connection.
var closing = map[Reason]string{
	Restart:           "the hall restarts, please connect again in a moment",
	Unavailable:       "the hall cannot serve you right now, please connect again in a moment",
	SlowConsumer:      "you read too slowly, please connect again",
	SignedInElsewhere: "signed in elsewhere",
	Idle:              "closed, nothing was typed for too long",
	Heartbeat:         "closed, nothing was heard for 30 seconds",
	Protocol:          "closed, this is not what the hall speaks",
}
