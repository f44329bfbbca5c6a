package client

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/wire"
	"gamehall/tools/client/vttest"
)

// window is the client at a pseudo-terminal.
type window struct {
	*vttest.Terminal
	t     testing.TB
	ended chan error
	stop  context.CancelFunc
}

// openWindow starts the client as Run does at a terminal.
func openWindow(t testing.TB, addr, user string, width, height int) *window {
	t.Helper()
	where, err := parsePlaces(addr, "")
	if err != nil {
		t.Fatal(err)
	}
	term, tty := vttest.Open(t, width, height)
	ctx, stop := context.WithCancel(t.Context())
	w := &window{Terminal: term, t: t, ended: make(chan error, 1), stop: stop}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.ended <- runScreen(ctx, where, user, tty, tty, tea.WithEnvironment([]string{"TERM=xterm-256color", "LANG=C.UTF-8"}))
	}()
	t.Cleanup(func() { stop(); <-done })
	return w
}

func (w *window) resize(width, height int) {
	w.t.Helper()
	w.Resize(width, height)
	// The terminal is not this process's own, so nobody else tells it.
	if err := syscall.Kill(os.Getpid(), syscall.SIGWINCH); err != nil {
		w.t.Fatal(err)
	}
}

// leaves waits until the client has ended well.
func (w *window) leaves() {
	w.t.Helper()
	select {
	case err := <-w.ended:
		if err != nil {
			w.t.Errorf("it ended with %v", err)
		}
	case <-time.After(patience):
		w.t.Fatalf("it does not end:\n%s", w.Screen)
	}
	w.Restored()
}

// TestScreen plays an evening at a real pseudo-terminal and compares the whole screen.
func TestScreen(t *testing.T) {
	t.Parallel()
	hall := newFakeHall()
	w := openWindow(t, hall.listen(t), "", 70, 12)
	w.Await(`(?m)^ ●\n?`)
	w.Press("ann\rsecret1")
	w.Await(`password for ann> •••••••\n`)
	w.Press("\r")
	w.Await("welcome, ann")
	hall.tell("lobby", event.Event{Kind: event.Joined, User: "bob"})
	hall.tell("lobby", event.Event{Kind: event.Chat, From: "bob", Text: "hi, ann! Are you there? This is a line that does not fit."})
	w.Press("yes, I am\r")
	w.Shows(`
 lobby
                                                │ 2 in the hall
                                                │ ann
                                                │ bob
                                                │
00:00 welcome, ann                              │
00:00 bob joined the hall                       │
00:00 bob: hi, ann! Are you there? This is a    │
      line that does not fit.                   │
00:00 ann: yes, I am                            │
 ● ann                                               next round 00:00
>
`)
	// A room, and a whisper that nobody looks at.
	w.Press("/createroom The Nook\r")
	w.Await("you created and joined The Nook")
	hall.send(wire.Private{Kind: wire.KindWhisper, From: "bob", To: "ann", Text: "psst"})
	hall.tell("lobby", event.Event{Kind: event.Chat, From: "bob", Text: "where is she"})
	w.Press("quiet here\r")
	w.Shows(`
 lobby (1)  The Nook  bob (1)
                                                │ 1 in the room
                                                │ ann
                                                │
                                                │
                                                │
                                                │
                                                │
00:00 you created and joined The Nook           │
00:00 ann: quiet here                           │
 ● ann in The Nook                                   next round 00:00
>
`)
	// Smaller, down to the least, and back.
	w.resize(20, 5)
	w.Shows(`
 The Nook  bob (1)
joined The Nook
ann: quiet here
 ● ann in The Nook
>
`)
	w.resize(12, 3)
	w.Shows("\n>\n\n\n")
	w.resize(40, 6)
	w.Shows(`
 lobby (1)  The Nook  bob (1)

00:00 you created and joined The Nook
00:00 ann: quiet here
 ● ann in The Nook     next round 00:00
>
`)
	// The connection breaks; nothing is lost, nothing doubled.
	hall.cut()
	hall.tell("room:The Nook", event.Event{Kind: event.RoomChat, Room: "The Nook", From: "bob", Text: "found you"})
	w.Press("back again\r")
	w.resize(40, 10)
	w.Await(`(?s)ann: quiet here\n.*connected again\n\d\d:\d\d bob: found you\n\d\d:\d\d ann: back again\n`)
	if n := strings.Count(w.Screen.String(), "found you"); n != 1 {
		t.Errorf("a line is shown %d times", n)
	}
	w.Press("\x03")
	w.leaves()
	want(t, "sign-outs", len(hall.commands(wire.SignOut)), 1)
}

// TestScreenHostile: whatever a player typed, and whatever a server lets through, the screen
// keeps its shape and the terminal is told nothing.
func TestScreenHostile(t *testing.T) {
	t.Parallel()
	hall := newFakeHall()
	w := openWindow(t, hall.listen(t), "ann", 50, 8)
	w.Press("secret1\r")
	w.Await("welcome, ann")
	for i, text := range []string{
		"\x1b[2J\x1b[H cleared", "\x1b]52;c;aGFja2Vk\x07 copied", "\u009b31m red", "\u202egnp.exe", "a\u200bb\u2060c\ufeffd",
		"line\r\nbob: forged", "\x1bPq\x1b\\", "\u2067turned\u2069", strings.Repeat("é\u0301\u0302\u0303\u0304\u0305\u0306", 3), "日本語のテキストです、幅は二倍です、折り返します",
		"👨‍👩‍👧‍👦 🇩🇪 ❤️", "\x00\x07\x08\x7f",
	} {
		hall.tell("lobby", event.Event{Kind: event.Chat, From: "bob\x1b[31m", Text: text})
		hall.tell("lobby", event.Event{Kind: event.Chat, From: "bob", Text: fmt.Sprint("still here ", i)})
		w.Await(fmt.Sprint("bob: still here ", i, `\n ● ann`))
	}
	raw := w.Screen.Raw()
	for _, bad := range []string{"\x1b]52", "\u009b", "\u202e", "\u2067", "\u200b", "\u2060", "\ufeff", "\x1bPq\x1b", "\x07", "\x00", "\x7f"} {
		if strings.Contains(raw, bad) {
			t.Errorf("the terminal was sent %q", bad)
		}
	}
	w.Press("/QUIT\r")
	w.leaves()
}

// TestScreenHistory: scrolling up asks the hall for what was before.
func TestScreenHistory(t *testing.T) {
	t.Parallel()
	hall := newFakeHall()
	for i := range 120 {
		hall.tell("lobby", event.Event{Kind: event.Chat, From: "bob", Text: fmt.Sprintf("old line %03d.", i)})
	}
	w := openWindow(t, hall.listen(t), "ann", 40, 10)
	w.Press("secret1\r")
	w.Await(`(?s)old line 119\..*welcome, ann`)
	for range 25 {
		w.Press("\x1b[5~")
	}
	w.Until("the first line", func(screen string) bool {
		if strings.Contains(screen, "old line 000.") {
			return true
		}
		w.Press("\x1b[5~")
		return false
	})
	hall.tell("lobby", event.Event{Kind: event.Chat, From: "bob", Text: "new line"})
	w.Await(`▼ PgDn`)
	for range 40 {
		w.Press("\x1b[6~")
	}
	w.Await(`(?s)welcome, ann\n\d\d:\d\d bob: new line\n ● ann`)
	w.stop()
	w.leaves()
}

// TestScreenSignsIn: the ways in, with the masks that they need.
func TestScreenSignsIn(t *testing.T) {
	t.Parallel()
	hall := newFakeHall()
	w := openWindow(t, hall.listen(t), "", 60, 10)
	w.Press("/SIGNIN ann wrong")
	w.Await(`name> /SIGNIN ann •••••\n`)
	w.Press("\r")
	w.Await("wrong account or password")
	w.Await(`name> ann\n`)
	w.Press("\r\x1b") // the password is asked for; Escape goes back
	w.Await(`name>\n`)
	w.Press("/signup carl\r")
	w.Await(`new password for carl>`)
	w.Press("secret1")
	w.Await(`new password for carl> •••••••\n`)
	w.Press("\r")
	w.Await("welcome, carl")
	w.Press("/PASSWD secret1 other22")
	w.Await(`> /PASSWD •••••••••••••••\n`)
	w.Press("\x15")
	w.Press("\x1b[A\x1b[A\x1b[A\x1b[A")
	w.Await(`> /signup carl\n`)

	// Somebody takes the session over, and it is taken back.
	hall.locked(func() {
		hall.sessions["carl"].conn.write(wire.PrivateObject(wire.Private{Kind: wire.KindClosing, Reason: wire.SignedInElsewhere}, time.Now()))
		hall.refuse[wire.SignIn] = &fault.Error{Code: fault.AlreadySignedIn, Message: "can't sign in repeatedly"}
	})
	w.Await("signed in elsewhere")
	w.Await("○ disconnected")
	w.Press("\x15carl\rsecret1\r")
	w.Await(`end your other session\? y/n>`)
	hall.locked(func() { delete(hall.refuse, wire.SignIn) })
	w.Press("y\r")
	w.Await(`●\s+carl|● carl`)
	if all := hall.commands(wire.SignIn); !all[len(all)-1].Takeover {
		t.Error("it did not ask for a takeover")
	}
	raw := w.Screen.Raw()
	for _, secret := range []string{"secret", "wrong\r", "other22"} {
		if strings.Contains(raw, secret) {
			t.Errorf("the terminal was sent %q", secret)
		}
	}
	w.Press("\x04")
	w.leaves()
}
