package client

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"gamehall/shared/accountapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/game21api"
	"gamehall/shared/wire"
)

// table is a model without a session: it writes down what it is asked to do.
type table struct {
	*model
	asked []request
	at    time.Time
}

func newTable() *table {
	t := &table{at: time.Date(2026, 11, 20, 15, 4, 5, 0, time.UTC)}
	t.model = newModel("hall.example:7021", "", func(cmd wire.Command, tag any) {
		t.asked = append(t.asked, request{cmd: cmd, tag: tag})
	})
	t.zone, t.now = time.UTC, func() time.Time { return t.at }
	t.Update(tea.WindowSizeMsg{Width: 80, Height: 10})
	return t
}

// seated is one where ann is signed in.
func seated() *table {
	t := newTable()
	t.Update(link{state: connected})
	t.Update(welcome{user: "ann", seq: 10})
	return t
}

func (t *table) types(text string) {
	for _, r := range text {
		switch r {
		case '\n':
			t.Update(tea.KeyPressMsg{Code: tea.KeyEnter})
		case '\t':
			t.Update(tea.KeyPressMsg{Code: tea.KeyTab})
		default:
			t.Update(tea.KeyPressMsg{Code: r, Text: string(r)})
		}
	}
}

func (t *table) screen() string { return ansi.Strip(t.View().Content) }

// last is the last command that it was asked for.
func (t *table) last() wire.Command {
	if len(t.asked) == 0 {
		return wire.Command{}
	}
	return t.asked[len(t.asked)-1].cmd
}

// answers answers the last command.
func (t *table) answers(r wire.Reply) {
	last := t.asked[len(t.asked)-1]
	r.Type = last.cmd.Type
	t.Update(answer{cmd: last.cmd, tag: last.tag, reply: r})
}

// TestWhereItGoes: text goes where the pane is, commands are what they are.
func TestWhereItGoes(t *testing.T) {
	t.Parallel()
	m := seated()
	m.types("hi\n")
	want(t, "in the lobby", m.last(), wire.Command{Type: wire.Say, Text: "hi"})
	m.types("//W is how\n")
	want(t, "escaped", m.last(), wire.Command{Type: wire.Say, Text: "/W is how"})
	m.types("/createroom nook\n")
	m.answers(wire.Reply{Room: "nook", Seq: 12})
	m.types("in here\n")
	want(t, "in the room", m.last(), wire.Command{Type: wire.RoomSay, Text: "in here"})
	m.types("/W bob psst\n")
	m.answers(wire.Reply{})
	m.types("still there?\n")
	want(t, "in a whisper", m.last(), wire.Command{Type: wire.Whisper, To: "bob", Text: "still there?"})
	m.Update(tea.KeyPressMsg{Code: 'x', Mod: tea.ModCtrl})
	m.types("out\n")
	want(t, "after closing it", m.last(), wire.Command{Type: wire.Say, Text: "out"})
	n := len(m.asked)
	m.types("/dance\n/HELP\n   \n")
	want(t, "commands that went out for none", len(m.asked)-n, 0)
}

// TestHistoryOfTab: /HISTORY is about the tab that is seen.
func TestHistoryOfTab(t *testing.T) {
	t.Parallel()
	m := seated()
	m.types("/createroom nook\n")
	m.answers(wire.Reply{Room: "nook", Seq: 12})
	m.types("/history 5\n")
	want(t, "in the room", m.last(), wire.Command{Type: wire.History, Channel: "room:nook", Limit: 5})
	m.Update(tea.KeyPressMsg{Code: '1', Mod: tea.ModAlt})
	m.types("/history\n")
	want(t, "in the lobby", m.last(), wire.Command{Type: wire.History, Channel: "lobby"})
	m.types("/W bob psst\n")
	m.answers(wire.Reply{})
	n := len(m.asked)
	m.types("/history\n")
	want(t, "asked for whispers", len(m.asked)-n, 0)
	if !strings.Contains(m.screen(), "whispers have no history") {
		t.Errorf("the screen is\n%s", m.screen())
	}
}

// TestWaiting: what is said while there is no connection is seen to wait, once, until it is
// heard or refused.
func TestWaiting(t *testing.T) {
	t.Parallel()
	m := seated()
	m.Update(link{state: lost, err: errors.New("gone"), next: m.at.Add(time.Minute)})
	m.types("one\n")
	first := m.asked[len(m.asked)-1]
	m.types("two\n")
	for _, waits := range []string{"ann: one …", "ann: two …"} {
		if !strings.Contains(m.screen(), waits) {
			t.Errorf("%q is not on\n%s", waits, m.screen())
		}
	}
	m.Update(link{state: connected})
	m.Update(event.Stored{Channel: "lobby", Seq: 11, Event: event.Event{Kind: event.Chat, From: "ann", Text: "one"}})
	m.Update(answer{cmd: first.cmd, tag: first.tag, reply: wire.Reply{Type: wire.Say, Seq: 11}})
	if s := m.screen(); strings.Contains(s, "one …") || strings.Count(s, "ann: one") != 1 || !strings.Contains(s, "two …") {
		t.Errorf("after the first came:\n%s", s)
	}
	second := m.asked[len(m.asked)-1]
	refusal, _ := fault.From(fault.New(fault.RateLimited, "slow down"))
	m.Update(answer{cmd: second.cmd, tag: second.tag, reply: wire.Reply{Type: wire.Say, Err: refusal}})
	if s := m.screen(); strings.Contains(s, "…") || !strings.Contains(s, "slow down") {
		t.Errorf("after the second was refused:\n%s", s)
	}
	m.types("three\n")
	if strings.Contains(m.screen(), "…") {
		t.Errorf("with a connection:\n%s", m.screen())
	}
}

// TestNarrowBar: what the status bar tells does not run together.
func TestNarrowBar(t *testing.T) {
	t.Parallel()
	m := seated()
	m.Update(tea.WindowSizeMsg{Width: 30, Height: 10})
	m.round = round{open: true, number: 1, numbers: []int{1, 2, 3, 4}, ends: m.at.Add(time.Minute)}
	for n := range 20 {
		m.user = strings.Repeat("a", n+1)
		if bar := ansi.Strip(m.status()); !strings.Contains(bar, " 21 of 1 2 3 4  1:00") {
			t.Errorf("a name of %d: %q", n+1, bar)
		}
	}
	m.round = round{next: m.at.Add(time.Hour)}
	for n := range 20 {
		m.user = strings.Repeat("a", n+1)
		if bar := ansi.Strip(m.status()); strings.Contains(bar, "next") && !strings.Contains(bar, " next round 16:04") {
			t.Errorf("a name of %d: %q", n+1, bar)
		}
	}
}

func TestCompletionByTab(t *testing.T) {
	t.Parallel()
	m := seated()
	m.Update(event.Stored{Channel: "lobby", Seq: 11, Event: event.Event{Kind: event.Joined, User: "bob"}})
	m.Update(event.Stored{Channel: "lobby", Seq: 12, Event: event.Event{Kind: event.Joined, User: "bonnie"}})
	m.types("bo\t")
	want(t, "first", m.input.text(), "bob: ")
	m.types("\t")
	want(t, "second", m.input.text(), "bonnie: ")
	m.types("x\t")
	want(t, "after typing on", m.input.text(), "bonnie: x")
}

// TestUnread: what is said elsewhere is counted, one's own lines are not.
func TestUnread(t *testing.T) {
	t.Parallel()
	m := seated()
	m.Update(wire.Private{Kind: wire.KindWhisper, From: "bob", To: "ann", Text: "one"})
	m.Update(wire.Private{Kind: wire.KindWhisper, From: "Bob", To: "ann", Text: "two"})
	if !strings.Contains(m.screen(), " bob (2) ") {
		t.Errorf("the tabs are\n%s", m.screen())
	}
	m.Update(tea.KeyPressMsg{Code: 'n', Mod: tea.ModCtrl})
	if s := m.screen(); strings.Contains(s, "(2)") || !strings.Contains(s, "bob: one") {
		t.Errorf("the whisper is\n%s", s)
	}
	m.Update(event.Stored{Channel: "lobby", Seq: 11, Event: event.Event{Kind: event.Chat, From: "ann", Text: "mine"}})
	m.Update(event.Stored{Channel: "lobby", Seq: 12, Event: event.Event{Kind: event.Joined, User: "carl"}})
	want(t, "unread in the lobby", m.panes[0].unread, 0)
}

// TestRound: the status bar counts down, also when this machine's clock is wrong.
func TestRound(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{0, time.Hour, -time.Hour} {
		m := seated()
		server := m.at.Add(skew)
		m.Update(event.Stored{Channel: "game21", Seq: 11, At: server, Event: event.Event{
			Kind: event.Game21Started, Round: 7, Numbers: []int{2, 3, 5, 10}, EndsAt: server.Add(2 * time.Minute),
		}})
		if !strings.Contains(m.screen(), "21 of 2 3 5 10  2:00") {
			t.Errorf("skew %v: at the start\n%s", skew, m.screen())
		}
		m.at = m.at.Add(61 * time.Second)
		m.Update(tick(m.at))
		if !strings.Contains(m.screen(), "21 of 2 3 5 10  0:59") {
			t.Errorf("skew %v: after 61 s\n%s", skew, m.screen())
		}
		m.Update(event.Stored{Channel: "game21", Seq: 12, At: server, Event: event.Event{Kind: event.Game21Ended, Round: 7}})
		if s := m.screen(); strings.Contains(s, "21 of 2 3 5 10  ") || !strings.Contains(s, "round 7: nobody answered") {
			t.Errorf("skew %v: at the end\n%s", skew, s)
		}
	}
}

// TestRoomByOthers: one may be put into a room by one's own commands elsewhere.
func TestRoomByOthers(t *testing.T) {
	t.Parallel()
	m := seated()
	m.Update(event.Stored{Channel: "room:nook", Seq: 11, Event: event.Event{Kind: event.RoomChat, Room: "nook", From: "bob", Text: "hi"}})
	if s := m.screen(); !strings.Contains(s, " nook (1) ") || !strings.Contains(s, "ann in nook") {
		t.Errorf("the screen is\n%s", s)
	}
	m.Update(event.Stored{Channel: "room:nook", Seq: 12, Event: event.Event{Kind: event.RoomLeft, Room: "nook", User: "ann"}})
	if s := m.screen(); strings.Contains(s, "nook") {
		t.Errorf("after leaving it is\n%s", s)
	}
}

// TestAnotherUser sees nothing of what the one before was whispered.
func TestAnotherUser(t *testing.T) {
	t.Parallel()
	m := seated()
	m.Update(wire.Private{Kind: wire.KindWhisper, From: "bob", To: "ann", Text: "secret"})
	m.types("/SIGNOUT\n")
	m.answers(wire.Reply{User: "ann"})
	want(t, "prompt", m.prompt.kind, askName)
	m.Update(welcome{user: "carl", seq: 20})
	want(t, "panes", len(m.panes), 1)
	if _, ok := m.typed.up(""); ok {
		t.Error("what was typed before can be brought back")
	}
}

// TestAnySize: whatever happens, in whatever window, the screen has its size, and nothing in
// it but text and its looks.
func TestAnySize(t *testing.T) {
	t.Parallel()
	looks := regexp.MustCompile(`\x1b\[[0-9;]*m`)
	rapid.Check(t, func(t *rapid.T) {
		m := newTable()
		seq := uint64(100)
		t.Repeat(map[string]func(*rapid.T){
			"resize": func(t *rapid.T) {
				m.Update(tea.WindowSizeMsg{Width: rapid.IntRange(0, 90).Draw(t, "width"), Height: rapid.IntRange(0, 30).Draw(t, "height")})
			},
			"measure":  func(*rapid.T) { m.Update(tea.ModeReportMsg{Mode: ansi.ModeUnicodeCore, Value: ansi.ModeReset}) },
			"connect":  func(*rapid.T) { m.Update(link{state: connected}) },
			"sign in":  func(*rapid.T) { m.Update(welcome{user: "ann", seq: seq}) },
			"come":     func(t *rapid.T) { m.Update(welcome{user: "ann", room: hostile().Draw(t, "room"), resumed: true}) },
			"lose":     func(*rapid.T) { m.Update(link{state: lost, err: errTest, next: m.at.Add(3 * time.Second)}) },
			"stay off": func(*rapid.T) { m.Update(link{state: away, err: errTest}) },
			"end":      func(t *rapid.T) { m.Update(over{hostile().Draw(t, "why")}) },
			"hear": func(t *rapid.T) {
				seq++
				kind := rapid.SampledFrom([]string{
					event.Chat, event.Joined, event.Left, event.RoomChat, event.RoomJoined, event.RoomLeft,
					event.Game21Started, event.Game21Answered, event.Game21Ended,
				}).Draw(t, "kind")
				e := event.Stored{Channel: "lobby", Seq: seq, At: m.at, Event: event.Event{
					Kind: kind, From: hostile().Draw(t, "from"), User: hostile().Draw(t, "user"), Text: hostile().Draw(t, "text"),
					Round: 7, Numbers: []int{10, 10, 10, 10}, EndsAt: m.at.Add(time.Minute), Winner: "bob", Expression: hostile().Draw(t, "expression"),
				}}
				if strings.HasPrefix(kind, "room.") {
					e.Room = hostile().Draw(t, "room")
				}
				m.Update(e)
			},
			"whisper": func(t *rapid.T) {
				m.Update(wire.Private{Kind: wire.KindWhisper, From: hostile().Draw(t, "from"), Text: hostile().Draw(t, "text")})
			},
			"gap": func(*rapid.T) { m.Update(wire.Private{Kind: wire.KindGap, Channel: "lobby", Missed: 7}) },
			"answer": func(t *rapid.T) {
				if len(m.asked) > 0 {
					m.answers(wire.Reply{
						Who:    accountapi.WhoResponse{Users: []accountapi.Present{{User: hostile().Draw(t, "who")}}},
						Status: game21api.StatusResponse{Open: true, Round: 9, Numbers: []int{1, 2, 3, 4}, EndsAt: m.at.Add(time.Minute)},
						Room:   hostile().Draw(t, "room"),
					})
				}
			},
			"type":  func(t *rapid.T) { m.types(hostile().Draw(t, "text")) },
			"paste": func(t *rapid.T) { m.Update(tea.PasteMsg{Content: hostile().Draw(t, "text")}) },
			"key": func(t *rapid.T) {
				m.Update(tea.KeyPressMsg{Code: rapid.SampledFrom([]rune{
					tea.KeyEnter, tea.KeyTab, tea.KeyUp, tea.KeyDown, tea.KeyPgUp, tea.KeyPgDown, tea.KeyHome, tea.KeyLeft, tea.KeyEscape, tea.KeyBackspace,
				}).Draw(t, "code")})
			},
			"turn": func(*rapid.T) { m.Update(tea.KeyPressMsg{Code: 'n', Mod: tea.ModCtrl}) },
			"": func(t *rapid.T) {
				v := m.View()
				if m.width == 0 || m.height == 0 {
					return
				}
				rows := strings.Split(v.Content, "\n")
				if len(rows) > m.height || m.width >= widthLeast && m.height >= heightLeast && len(rows) != m.height {
					t.Fatalf("%d rows in a window of %d", len(rows), m.height)
				}
				for _, row := range rows {
					if n := m.w.of(row); n > m.width {
						t.Fatalf("%q has %d columns in a window of %d", row, n, m.width)
					}
					if text := looks.ReplaceAllString(row, ""); text != clean(text) {
						t.Fatalf("row %q is not clean", row)
					}
				}
				if v.Cursor == nil || v.Cursor.X < 0 || v.Cursor.X >= m.width || v.Cursor.Y != len(rows)-1 {
					t.Fatalf("the cursor is at %+v of %dx%d", v.Cursor, m.width, m.height)
				}
			},
		})
	})
}

var errTest = errors.New("connection lost: \x1b[2J")
