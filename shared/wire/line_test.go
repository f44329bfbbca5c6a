package wire_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"gamehall/shared/accountapi"
	"gamehall/shared/chatapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/game21api"
	"gamehall/shared/roomapi"
	"gamehall/shared/wire"
)

// now is the time of every line here, in a zone of its own.
var now = time.Date(2026, 11, 20, 15, 24, 24, 123456789, time.FixedZone("here", 3600))

// check compares lines, each given without its time.
func check(t *testing.T, got []byte, want ...string) {
	t.Helper()
	all := ""
	for _, line := range want {
		all += "2026-11-20 15:24:24 " + line + "\n"
	}
	if string(got) != all {
		t.Errorf("got\n%swant\n%s", got, all)
	}
}

// The texts are those of the protocol: other people's clients look for them.
func TestAppendReply(t *testing.T) {
	t.Parallel()
	refused := func(code fault.Code, text string) wire.Reply {
		return wire.Reply{Type: wire.Say, Err: &fault.Error{Code: code, Message: text}}
	}
	since := time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	tests := []struct {
		name  string
		reply wire.Reply
		want  []string
	}{
		{"signed up", wire.Reply{Type: wire.SignUp}, []string{"system: registered, you can sign in now"}},
		{"signed in", wire.Reply{Type: wire.SignIn, User: "netease1"}, []string{"system: welcome, netease1"}},
		{"signed out", wire.Reply{Type: wire.SignOut, User: "netease1"}, []string{"system: bye, netease1"}},
		{"quit", wire.Reply{Type: wire.Quit, User: "netease1"}, []string{"system: bye, netease1"}},
		{"quit by nobody", wire.Reply{Type: wire.Quit}, []string{"system: bye"}},
		{"password", wire.Reply{Type: wire.Passwd}, []string{"system: your password is changed"}},
		{
			"online time",
			wire.Reply{Type: wire.OnlineTime, OnlineTime: accountapi.OnlineTimeResponse{Seconds: 580}},
			[]string{"system: your online time is 580 seconds"},
		},
		{
			"who",
			wire.Reply{Type: wire.Who, Who: accountapi.WhoResponse{Total: 3, Users: []accountapi.Present{
				{User: "netease1", State: "alive", Since: since}, {User: "netease2", State: "away", Since: since},
			}}},
			[]string{
				"system: 3 online", "system: netease1, alive, since 2026-11-20 15:00:00",
				"system: netease2, away, since 2026-11-20 15:00:00", "system: and 1 more",
			},
		},
		{
			"whispered",
			wire.Reply{Type: wire.Whisper, Whisper: chatapi.WhisperResponse{To: "netease2", Text: "hi"}},
			[]string{"(to netease2) hi"},
		},
		{"said", wire.Reply{Type: wire.Say, Seq: 7}, nil},
		{"said in a room", wire.Reply{Type: wire.RoomSay, Seq: 7}, nil},
		{"no history", wire.Reply{Type: wire.History}, []string{"system: nothing was said here yet"}},
		{
			"history",
			wire.Reply{Type: wire.History, History: []event.Stored{
				{At: now.UTC(), Event: event.Event{Kind: event.Joined, User: "ann"}},
				{At: now.UTC(), Event: event.Event{Kind: event.Chat, From: "ann", Text: "hi"}},
			}},
			[]string{"system: ann joined the hall", "ann: hi"},
		},
		{"room made", wire.Reply{Type: wire.RoomCreate, Room: "room1"}, []string{"system: you created and joined room1"}},
		{"room joined", wire.Reply{Type: wire.RoomJoin, Room: "room1"}, []string{"system: you joined room1"}},
		{"room left", wire.Reply{Type: wire.RoomQuit, Room: "room1"}, []string{"system: you left room1"}},
		{"no rooms", wire.Reply{Type: wire.RoomList}, []string{"system: there are no rooms, make one with /CREATEROOM room"}},
		{
			"rooms",
			wire.Reply{Type: wire.RoomList, Rooms: []roomapi.Listed{{Room: "a", Members: 1, Max: 2}, {Room: "b c", Members: 30}}},
			[]string{"system: a, 1 of 2 here", "system: b c, 30 here"},
		},
		{
			"members",
			wire.Reply{Type: wire.RoomMembers, Members: roomapi.MembersResponse{Room: "room1", Members: []string{"ann", "bob"}}},
			[]string{"[room1] system: 2 here: ann, bob"},
		},
		{
			"answered",
			wire.Reply{Type: wire.Game21Answer, Answer: game21api.AnswerResponse{Round: 7, Value: "41/2"}},
			[]string{"system: round 7: your answer is 41/2"},
		},
		{
			"answered too much",
			wire.Reply{Type: wire.Game21Answer, Answer: game21api.AnswerResponse{Round: 7, Value: "22", Void: true}},
			[]string{"system: round 7: your answer is 22, over 21, so it is void"},
		},
		{
			"round open",
			wire.Reply{Type: wire.Game21Status, Status: game21api.StatusResponse{
				Open: true, Round: 7, Numbers: []int{2, 3, 5, 10}, EndsAt: now.Add(99 * time.Second),
			}},
			[]string{"system: round 7: make 21 of 2 3 5 10, 99 seconds"},
		},
		{
			"round over in a moment",
			wire.Reply{Type: wire.Game21Status, Status: game21api.StatusResponse{
				Open: true, Round: 7, Numbers: []int{2, 3, 5, 10}, EndsAt: now.Add(-time.Second),
			}},
			[]string{"system: round 7: make 21 of 2 3 5 10, 0 seconds"},
		},
		{
			"next round",
			wire.Reply{Type: wire.Game21Status, Status: game21api.StatusResponse{NextAt: now.Add(time.Hour).UTC()}},
			[]string{"system: no round is open, the next one starts at 2026-11-20 16:24:24"},
		},
		{"no next round", wire.Reply{Type: wire.Game21Status}, []string{"system: no round is open"}},
		{"no scores", wire.Reply{Type: wire.Game21Scores}, []string{"system: nobody has played yet"}},
		{
			"scores",
			wire.Reply{Type: wire.Game21Scores, Scores: game21api.ScoresResponse{
				Top: []game21api.Score{{User: "ann", Won: 3, Played: 5, Rank: 1}, {User: "bob", Won: 3, Played: 6, Rank: 1}},
				Me:  game21api.Score{User: "cat", Won: 0, Played: 2, Rank: 12},
			}},
			[]string{"system: 1. ann, 3 won of 5", "system: 1. bob, 3 won of 6", "system: you are number 12, 0 won of 2"},
		},
		{"pong", wire.Reply{Type: wire.Ping}, []string{"system: pong"}},
		{"refused", refused(fault.NotSignedIn, "please sign in first"), []string{"system: please sign in first"}},
		{"too long", refused(fault.TooLong, "line too long (4096 bytes at most)"), []string{"system: line too long (4096 bytes at most)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check(t, wire.AppendReply(nil, tt.reply, now), tt.want...)
		})
	}
}

// An unknown command, and /HELP, get every command, one a line.
func TestAppendReplyUsage(t *testing.T) {
	t.Parallel()
	var want []string
	for _, line := range wire.Usage() {
		want = append(want, "system: "+line)
	}
	check(t, wire.AppendReply(nil, wire.Reply{Type: wire.Help}, now), want...)
	_, err := wire.ParseLine([]byte("/DANCE"))
	f, _ := fault.From(err)
	check(t, wire.AppendReply(nil, wire.Reply{Err: f}, now), append([]string{"system: unknown command, these are known:"}, want...)...)
}

func TestAppendEvent(t *testing.T) {
	t.Parallel()
	best := &event.Solution{Expression: "(10-3)*(5-2)", Value: "21"}
	tests := []struct {
		name string
		e    event.Event
		want []string
	}{
		{"line", event.Event{Kind: event.Chat, From: "netease1", Text: "hi"}, []string{"netease1: hi"}},
		{"joined", event.Event{Kind: event.Joined, User: "netease2"}, []string{"system: netease2 joined the hall"}},
		{"left", event.Event{Kind: event.Left, User: "netease1"}, []string{"system: netease1 left the hall"}},
		{"room line", event.Event{Kind: event.RoomChat, Room: "room1", From: "netease1", Text: "hi"}, []string{"[room1] netease1: hi"}},
		{"room joined", event.Event{Kind: event.RoomJoined, Room: "room1", User: "netease3"}, []string{"[room1] system: netease3 joined"}},
		{"room left", event.Event{Kind: event.RoomLeft, Room: "room1", User: "netease3"}, []string{"[room1] system: netease3 left"}},
		{
			"round",
			event.Event{Kind: event.Game21Started, Round: 7, Numbers: []int{2, 3, 5, 10}, EndsAt: now.Add(2 * time.Minute)},
			[]string{"system: round 7: make 21 of 2 3 5 10, 120 seconds"},
		},
		{"answered", event.Event{Kind: event.Game21Answered, Round: 7, User: "netease2"}, []string{"system: round 7: netease2 has answered"}},
		{
			"won",
			event.Event{Kind: event.Game21Ended, Round: 7, Answers: 2, Winner: "netease2", Expression: "(10-3)*(5-2)", Value: "21", Best: best},
			[]string{"system: round 7: netease2 wins with (10-3)*(5-2) = 21", "system: round 7: a best solution is (10-3)*(5-2) = 21"},
		},
		{
			"nobody",
			event.Event{Kind: event.Game21Ended, Round: 7, Best: best},
			[]string{"system: round 7: nobody answered", "system: round 7: a best solution is (10-3)*(5-2) = 21"},
		},
		{
			"none valid",
			event.Event{Kind: event.Game21Ended, Round: 7, Answers: 1, Best: best},
			[]string{"system: round 7: no valid answer", "system: round 7: a best solution is (10-3)*(5-2) = 21"},
		},
		{"of a later version", event.Event{Kind: "lobby.lights", Text: "off"}, nil},
		{"what forges a line", event.Event{Kind: event.Chat, From: "eve", Text: "a\r\nsystem: b\x1b[2J\u202e\u2028\xff"}, []string{"eve: a??system: b?[2J???"}},
		{"the replacement character itself", event.Event{Kind: event.Chat, From: "ann", Text: "a\ufffdb"}, []string{"ann: a\ufffdb"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check(t, wire.AppendEvent(nil, event.Stored{At: now.UTC(), Event: tt.e}, now.Location()), tt.want...)
		})
	}
}

func TestAppendPrivate(t *testing.T) {
	t.Parallel()
	closing := func(r wire.Reason) wire.Private { return wire.Private{Kind: wire.KindClosing, Reason: r} }
	tests := []struct {
		name string
		p    wire.Private
		want []string
	}{
		{"whisper", wire.Private{Kind: wire.KindWhisper, From: "netease1", To: "netease2", Text: "hi"}, []string{"(whisper) netease1: hi"}},
		{"notice", wire.Private{Kind: wire.KindNotice, Text: "the hall is slow"}, []string{"system: the hall is slow"}},
		{"gap", wire.Private{Kind: wire.KindGap, Missed: 3}, []string{"system: up to 3 lines before this are no longer kept"}},
		{"elsewhere", closing(wire.SignedInElsewhere), []string{"system: signed in elsewhere"}},
		{"restart", closing(wire.Restart), []string{"system: the hall restarts, please connect again in a moment"}},
		{"unavailable", closing(wire.Unavailable), []string{"system: the hall cannot serve you right now, please connect again in a moment"}},
		{"slow", closing(wire.SlowConsumer), []string{"system: you read too slowly, please connect again"}},
		{"idle", closing(wire.Idle), []string{"system: closed, nothing was typed for too long"}},
		{"heartbeat", closing(wire.Heartbeat), []string{"system: closed, nothing was heard for 30 seconds"}},
		{"protocol", closing(wire.Protocol), []string{"system: closed, this is not what the hall speaks"}},
		{"bye", closing(wire.Bye), nil},
		{"of a later version", wire.Private{Kind: "hug"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check(t, wire.AppendPrivate(nil, tt.p, now), tt.want...)
		})
	}
}

// acts tells the characters that act on a terminal, found independently of the package.
func acts(r rune) bool {
	return r < ' ' || r == 0x7f || 0x80 <= r && r <= 0x9f || strings.ContainsRune("\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", r)
}

// nasty draws text that somebody might have got into the stream.
func nasty(t *rapid.T) string {
	return rapid.OneOf(
		rapid.String(),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		rapid.StringOf(rapid.SampledFrom([]rune("a:[]\r\n\x00\x1b\u0085\u009b\u2028\u202e\u2066\ufffd"))),
	).Draw(t, "text")
}

// Whatever the messages hold, each line has its time, is valid UTF-8, and has nothing that
// acts on a terminal.
func TestNothingUnsafeComesOut(t *testing.T) {
	t.Parallel()
	types := []string{
		wire.SignUp, wire.SignIn, wire.SignOut, wire.Passwd, wire.OnlineTime, wire.Who, wire.Say, wire.Whisper, wire.History,
		wire.RoomCreate, wire.RoomJoin, wire.RoomQuit, wire.RoomSay, wire.RoomList, wire.RoomMembers, wire.Game21Answer,
		wire.Game21Status, wire.Game21Scores, wire.Ping, wire.Help, wire.Quit, "unknown",
	}
	kinds := []string{
		event.Chat, event.Joined, event.Left, event.RoomChat, event.RoomJoined, event.RoomLeft,
		event.Game21Started, event.Game21Answered, event.Game21Ended, "unknown",
	}
	rapid.Check(t, func(t *rapid.T) {
		s := func() string { return nasty(t) }
		stored := event.Stored{At: now, Event: event.Event{
			Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), From: s(), Text: s(), User: s(), Room: s(), Numbers: []int{1, 2, 3, 4},
			Answers: 1, Winner: s(), Expression: s(), Value: s(), Best: &event.Solution{Expression: s(), Value: s()},
		}}
		reply := wire.Reply{
			Type: rapid.SampledFrom(types).Draw(t, "type"), User: s(), Room: s(),
			Who:     accountapi.WhoResponse{Total: 1, Users: []accountapi.Present{{User: s(), State: s()}}},
			Whisper: chatapi.WhisperResponse{To: s(), Text: s()}, History: []event.Stored{stored},
			Rooms: []roomapi.Listed{{Room: s()}}, Members: roomapi.MembersResponse{Room: s(), Members: []string{s(), s()}},
			Answer: game21api.AnswerResponse{Value: s()}, Scores: game21api.ScoresResponse{Top: []game21api.Score{{User: s()}}},
		}
		out := wire.AppendReply(nil, reply, now)
		reply.Err = &fault.Error{Code: fault.BadRequest, Message: s()}
		out = wire.AppendReply(out, reply, now)
		out = wire.AppendEvent(out, stored, now.Location())
		for _, kind := range []string{wire.KindWhisper, wire.KindNotice, wire.KindGap, wire.KindClosing} {
			out = wire.AppendPrivate(out, wire.Private{Kind: kind, From: s(), To: s(), Text: s(), Reason: wire.Reason(s())}, now)
		}
		if !utf8.Valid(out) {
			t.Fatalf("invalid UTF-8: %q", out)
		}
		for line := range strings.Lines(string(out)) {
			text, timed := strings.CutPrefix(line, "2026-11-20 15:24:24 ")
			text, ended := strings.CutSuffix(text, "\n")
			if !timed || !ended {
				t.Fatalf("not a line of ours: %q", line)
			}
			if strings.ContainsFunc(text, acts) {
				t.Fatalf("it acts on a terminal: %q", line)
			}
		}
	})
}
