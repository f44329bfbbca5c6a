package wire_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"testing"
	"time"

	"gamehall/shared/accountapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/game21api"
	"gamehall/shared/roomapi"
	"gamehall/shared/wire"
)

// TestCommandObject: what a client writes is what the edge reads, of every type.
func TestCommandObject(t *testing.T) {
	t.Parallel()
	for _, c := range []wire.Command{
		{ID: "1", Type: wire.SignUp, Username: "ann", Password: "p w"},
		{ID: "1", Type: wire.SignIn, Username: "ann", Password: "p w", Takeover: true},
		{ID: "1", Type: wire.Resume, Token: "t", Since: wire.Since{"lobby": 7, "room:a b": 9}},
		{ID: "1", Type: wire.Resume, Token: "t"},
		{ID: "1", Type: wire.SignOut},
		{ID: "1", Type: wire.Passwd, Old: "a", New: "b"},
		{ID: "1", Type: wire.Say, Text: "hi \"you\" 😀", Key: "k"},
		{ID: "1", Type: wire.Say, Text: "hi"},
		{ID: "1", Type: wire.RoomSay, Text: "hi", Key: "k"},
		{ID: "1", Type: wire.Whisper, To: "bob", Text: "psst", Key: "k"},
		{ID: "1", Type: wire.History, Channel: "room:a", Limit: 9, Before: 1 << 60},
		{ID: "1", Type: wire.History},
		{ID: "1", Type: wire.OnlineTime},
		{ID: "1", Type: wire.Who},
		{ID: "1", Type: wire.RoomCreate, Room: "a b", Max: 2},
		{ID: "1", Type: wire.RoomJoin, Room: "a b"},
		{ID: "1", Type: wire.RoomQuit},
		{ID: "1", Type: wire.RoomList},
		{ID: "1", Type: wire.RoomMembers},
		{ID: "1", Type: wire.Game21Answer, Expression: "1+2", Key: "k"},
		{ID: "1", Type: wire.Game21Status},
		{ID: "1", Type: wire.Game21Scores},
		{ID: "1", Type: wire.Ping},
	} {
		data := wire.CommandObject(c)
		got, err := wire.ParseObject(data)
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%s is read as %+v, %v; want %+v", data, got, err, c)
		}
	}
	for _, kind := range []string{wire.Help, wire.Quit, "dance"} {
		if data := wire.CommandObject(wire.Command{Type: kind}); data != nil {
			t.Errorf("%s is written as %s, want nothing", kind, data)
		}
	}
}

// TestMessages: what the edge writes is what a client reads.
func TestMessages(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 15, 4, 5, 0, time.UTC)
	for _, e := range []event.Stored{
		{Channel: "lobby", Seq: 7, Prev: 5, At: at, Event: event.Event{Kind: event.Chat, From: "ann", Text: "hi"}},
		{Channel: "lobby", Seq: 7, At: at, Event: event.Event{Kind: event.Joined, User: "ann"}},
		{Channel: "room:r 1", Seq: 7, Prev: 5, At: at, Event: event.Event{Kind: event.RoomChat, Room: "r 1", From: "ann", Text: "hi"}},
		{Channel: "game21", Seq: 7, Prev: 5, At: at, Event: event.Event{
			Kind: event.Game21Started, Round: 3, Numbers: []int{1, 2, 3, 4}, EndsAt: at.Add(time.Minute),
		}},
		{Channel: "game21", Seq: 7, Prev: 5, At: at, Event: event.Event{
			Kind: event.Game21Ended, Round: 3, Answers: 2, Winner: "ann", Expression: "1+2", Value: "3",
			Best: &event.Solution{Expression: "(1+2)*7", Value: "21"},
		}},
	} {
		m, err := wire.ParseMessage(wire.EventObject(e))
		if err != nil || m.Event == nil || m.IsReply || !reflect.DeepEqual(*m.Event, e) {
			t.Errorf("%+v is read as %+v, %v", e, m.Event, err)
		}
	}
	for _, p := range []wire.Private{
		{Kind: wire.KindWhisper, Channel: "user", From: "ann", To: "bob", Text: "psst"},
		{Kind: wire.KindNotice, Channel: "user", Text: "slow"},
		{Kind: wire.KindGap, Channel: "lobby", Missed: 3},
		{Kind: wire.KindClosing, Channel: "user", Reason: wire.Restart, RetryAfter: 1500 * time.Millisecond},
	} {
		m, err := wire.ParseMessage(wire.PrivateObject(p, at))
		if err != nil || m.Private == nil || !reflect.DeepEqual(*m.Private, p) {
			t.Errorf("%+v is read as %+v, %v", p, m.Private, err)
		}
	}
}

// TestReplies: as lines, a reply says the same after it went through an object.
func TestReplies(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 15, 4, 5, 0, time.UTC)
	chat := event.Stored{Channel: "lobby", Seq: 7, Prev: 5, At: at, Event: event.Event{Kind: event.Chat, From: "ann", Text: "hi"}}
	for _, tt := range []struct {
		reply   wire.Reply
		command wire.Command
	}{
		{reply: wire.Reply{Type: wire.SignUp}},
		{reply: wire.Reply{Type: wire.SignIn, User: "ann", Token: "t", Seq: 9}},
		{reply: wire.Reply{Type: wire.Resume, User: "ann", Token: "t", Seq: 9, Room: "r"}},
		{reply: wire.Reply{Type: wire.Say, Seq: 9}},
		{reply: wire.Reply{Type: wire.RoomCreate, Seq: 9, Room: "r"}, command: wire.Command{Room: "r"}},
		{reply: wire.Reply{Type: wire.OnlineTime, OnlineTime: accountapi.OnlineTimeResponse{Seconds: 580}}},
		{reply: wire.Reply{Type: wire.Who, Who: accountapi.WhoResponse{Total: 2, Users: []accountapi.Present{{User: "ann", State: "alive", Since: at}}}}},
		{reply: wire.Reply{Type: wire.History, History: []event.Stored{chat}}},
		{reply: wire.Reply{Type: wire.RoomList, Rooms: []roomapi.Listed{{Room: "r", Members: 2, Max: 3}}}},
		{reply: wire.Reply{Type: wire.RoomMembers, Members: roomapi.MembersResponse{Room: "r", Members: []string{"ann"}}}},
		{reply: wire.Reply{Type: wire.Game21Answer, Answer: game21api.AnswerResponse{Round: 3, Value: "41/2", Void: true}}},
		{reply: wire.Reply{Type: wire.Game21Status, Status: game21api.StatusResponse{Open: true, Round: 3, Numbers: []int{1, 2, 3, 4}, EndsAt: at}}},
		{reply: wire.Reply{Type: wire.Game21Status, Status: game21api.StatusResponse{Round: 4, NextAt: at}}},
		{reply: wire.Reply{Type: wire.Game21Scores, Scores: game21api.ScoresResponse{
			Top: []game21api.Score{{User: "ann", Won: 1, Played: 2, Rank: 1}}, Me: game21api.Score{User: "bob", Played: 2, Rank: 2},
		}}},
		{reply: wire.Reply{Type: wire.Ping}},
		{reply: wire.Reply{Type: wire.Who, Err: &fault.Error{Code: fault.NotSignedIn, Message: "please sign in first"}}},
	} {
		data := wire.ReplyObject("7", tt.reply)
		m, err := wire.ParseMessage(data)
		if err != nil || !m.IsReply || m.Re != "7" {
			t.Errorf("%s is read as %+v, %v", data, m, err)
			continue
		}
		tt.command.Type = tt.reply.Type
		got, err := m.Reply(tt.command)
		if err != nil {
			t.Errorf("%s: %v", data, err)
		}
		want := string(wire.AppendReply(nil, tt.reply, at))
		if text := string(wire.AppendReply(nil, got, at)); text != want || got.Seq != tt.reply.Seq || got.Token != tt.reply.Token {
			t.Errorf("%s says %q (%+v), want %q", data, text, got, want)
		}
	}
}

func TestMessagesRefused(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		"", "[]", "null7", `{"type":"reply"}`, `{"type":"event","event":"chat","seq":-1}`, "{\"type\":\"\xff\"}",
		`{"type":"event","type":"reply"}`, `{"type":"reply","re":7,"ok":true}`,
	} {
		if m, err := wire.ParseMessage([]byte(data)); err == nil {
			t.Errorf("%s is read as %+v", data, m)
		}
	}
	for _, data := range []string{`{"type":"news"}`, `{"type":"event","event":"news","channel":"lobby"}`} {
		if m, err := wire.ParseMessage([]byte(data)); err != nil || m.IsReply || m.Event != nil || m.Private != nil {
			t.Errorf("%s is read as %+v, %v; want it skipped", data, m, err)
		}
	}
	m, err := wire.ParseMessage([]byte(`{"type":"reply","re":"1","ok":true}`))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := m.Reply(wire.Command{Type: wire.Who}); err == nil {
		t.Errorf("a reply without data is read as %+v", r)
	}
}

func TestReadFrame(t *testing.T) {
	t.Parallel()
	two := wire.AppendFrame(wire.AppendFrame(nil, []byte("{}")), []byte(`{"a":1}`))
	in := bytes.NewReader(two)
	for _, want := range []string{"{}", `{"a":1}`} {
		if got, err := wire.ReadFrame(in, 7); err != nil || string(got) != want {
			t.Errorf("read %q, %v; want %q", got, err, want)
		}
	}
	if _, err := wire.ReadFrame(in, 7); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v, want EOF", err)
	}
	for name, data := range map[string]string{
		"zero": "\x00\x00\x00\x00", "too long": "\x00\x00\x00\x08abcdefgh", "huge": "\xff\xff\xff\xff{",
		"cut in the length": "\x00\x00", "cut in the object": "\x00\x00\x00\x02{", "cut before the object": "\x00\x00\x00\x02",
	} {
		if got, err := wire.ReadFrame(bytes.NewReader([]byte(data)), 7); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: read %q, %v; want an error that is no end", name, got, err)
		}
	}
}
