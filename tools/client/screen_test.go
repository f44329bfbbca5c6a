package client

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/creack/pty"

	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/wire"
)

// terminalWindow is the client at a pseudo-terminal.
type terminalWindow struct {
	t     testing.TB
	keys  *os.File
	vt    *vt
	ended chan error
	stop  context.CancelFunc
}

// openWindow starts the client as Run does at a terminal.
func openWindow(t testing.TB, addr, user string, width, height int) *terminalWindow {
	t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	w := &terminalWindow{t: t, keys: master, vt: newVT(width, height), ended: make(chan error, 1)}
	if err := pty.Setsize(master, &pty.Winsize{Cols: uint16(width), Rows: uint16(height)}); err != nil {
		t.Fatal(err)
	}
	where, err := parseAddress(addr, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	w.stop = stop
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			if n > 0 {
				_, _ = w.vt.Write(buf[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	go func() {
		w.ended <- runScreen(ctx, where, user, tty, tty, tea.WithEnvironment([]string{"TERM=xterm-256color", "LANG=C.UTF-8"}))
		_ = tty.Close()
	}()
	t.Cleanup(func() {
		stop()
		_ = tty.Close()
		_ = master.Close()
		<-done
	})
	return w
}

// press types keys.
func (w *terminalWindow) press(keys ...string) {
	w.t.Helper()
	for _, k := range keys {
		if _, err := w.keys.WriteString(k); err != nil {
			w.t.Fatal(err)
		}
	}
}

// await waits until the screen shows what matches.
func (w *terminalWindow) await(pattern string) {
	w.t.Helper()
	re := regexp.MustCompile(pattern)
	w.until(pattern, re.MatchString)
}

func (w *terminalWindow) until(what string, ok func(screen string) bool) {
	w.t.Helper()
	deadline := time.After(patience)
	for {
		w.vt.mu.Lock()
		seen, more := w.vt.seen(), w.vt.more
		w.vt.mu.Unlock()
		if ok(seen) {
			return
		}
		select {
		case <-more:
		case err := <-w.ended:
			w.ended <- err
			w.t.Fatalf("it ended (%v) before it showed %s", err, what)
		case <-deadline:
			w.t.Fatalf("it does not show %s, but:\n%s", what, seen)
		}
	}
}

// shows waits until the screen is this, times aside.
func (w *terminalWindow) shows(want string) {
	w.t.Helper()
	want = strings.TrimPrefix(want, "\n")
	w.until("\n"+want, func(screen string) bool {
		return regexp.MustCompile(`\b\d\d:\d\d\b`).ReplaceAllString(screen, "00:00") == want
	})
}

func (w *terminalWindow) resize(width, height int) {
	w.t.Helper()
	w.vt.mu.Lock()
	w.vt.resize(width, height)
	w.vt.mu.Unlock()
	if err := pty.Setsize(w.keys, &pty.Winsize{Cols: uint16(width), Rows: uint16(height)}); err != nil {
		w.t.Fatal(err)
	}
	// The terminal is not this process's own, so nobody else tells it.
	if err := syscall.Kill(os.Getpid(), syscall.SIGWINCH); err != nil {
		w.t.Fatal(err)
	}
}

// leaves waits until the client has ended well, with nothing sent that a terminal need not
// know.
func (w *terminalWindow) leaves() {
	w.t.Helper()
	select {
	case err := <-w.ended:
		if err != nil {
			w.t.Errorf("it ended with %v", err)
		}
	case <-time.After(patience):
		w.t.Fatalf("it does not end:\n%s", w.vt.screen())
	}
	deadline := time.After(patience)
	for {
		w.vt.mu.Lock()
		alt, more, odd := w.vt.alt, w.vt.more, w.vt.odd
		w.vt.mu.Unlock()
		if !alt {
			if len(odd) > 0 {
				w.t.Errorf("it sent %q", odd)
			}
			return
		}
		select {
		case <-more:
		case <-deadline:
			w.t.Fatal("it left the alternate screen on")
		}
	}
}

// TestScreen plays an evening at a real pseudo-terminal and compares the whole screen.
func TestScreen(t *testing.T) {
	t.Parallel()
	hall := newFakeHall()
	w := openWindow(t, hall.listen(t), "", 70, 12)
	w.await(`(?m)^ ●\n?`)
	w.press("ann\r", "secret1")
	w.await(`password for ann> •••••••\n`)
	w.press("\r")
	w.await("welcome, ann")
	hall.tell("lobby", event.Event{Kind: event.Joined, User: "bob"})
	hall.tell("lobby", event.Event{Kind: event.Chat, From: "bob", Text: "hi, ann! Are you there? This is a line that does not fit."})
	w.press("yes, I am\r")
	w.shows(`
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
	w.press("/createroom The Nook\r")
	w.await("you created and joined The Nook")
	hall.send(wire.Private{Kind: wire.KindWhisper, From: "bob", To: "ann", Text: "psst"})
	hall.tell("lobby", event.Event{Kind: event.Chat, From: "bob", Text: "where is she"})
	w.press("quiet here\r")
	w.shows(`
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
	w.shows(`
 The Nook  bob (1)
joined The Nook
ann: quiet here
 ● ann in The Nook
>
`)
	w.resize(12, 3)
	w.shows("\n>\n\n\n")
	w.resize(40, 6)
	w.shows(`
 lobby (1)  The Nook  bob (1)

00:00 you created and joined The Nook
00:00 ann: quiet here
 ● ann in The Nook     next round 00:00
>
`)
	// The connection breaks; nothing is lost, nothing doubled.
	hall.cut()
	hall.tell("room:The Nook", event.Event{Kind: event.RoomChat, Room: "The Nook", From: "bob", Text: "found you"})
	w.press("back again\r")
	w.resize(40, 10)
	w.await(`(?s)ann: quiet here\n.*connected again\n\d\d:\d\d bob: found you\n\d\d:\d\d ann: back again\n`)
	if n := strings.Count(w.vt.screen(), "found you"); n != 1 {
		t.Errorf("a line is shown %d times", n)
	}
	w.press("\x03")
	w.leaves()
	want(t, "sign-outs", len(hall.commands(wire.SignOut)), 1)
}

// TestScreenHostile: whatever a player typed, and whatever a server lets through, the screen
// keeps its shape and the terminal is told nothing.
func TestScreenHostile(t *testing.T) {
	t.Parallel()
	hall := newFakeHall()
	w := openWindow(t, hall.listen(t), "ann", 50, 8)
	w.press("secret1\r")
	w.await("welcome, ann")
	for i, text := range []string{
		"\x1b[2J\x1b[H cleared", "\x1b]52;c;aGFja2Vk\x07 copied", "\u009b31m red", "\u202egnp.exe", "a\u200bb\u2060c\ufeffd",
		"line\r\nbob: forged", "\x1bPq\x1b\\", "\u2067turned\u2069", strings.Repeat("é\u0301\u0302\u0303\u0304\u0305\u0306", 3), "日本語のテキストです、幅は二倍です、折り返します",
		"👨‍👩‍👧‍👦 🇩🇪 ❤️", "\x00\x07\x08\x7f",
	} {
		hall.tell("lobby", event.Event{Kind: event.Chat, From: "bob\x1b[31m", Text: text})
		hall.tell("lobby", event.Event{Kind: event.Chat, From: "bob", Text: fmt.Sprint("still here ", i)})
		w.await(fmt.Sprint("bob: still here ", i, `\n ● ann`))
	}
	w.vt.mu.Lock()
	raw := w.vt.raw.String()
	w.vt.mu.Unlock()
	for _, bad := range []string{"\x1b]52", "\u009b", "\u202e", "\u2067", "\u200b", "\u2060", "\ufeff", "\x1bPq\x1b", "\x07", "\x00", "\x7f"} {
		if strings.Contains(raw, bad) {
			t.Errorf("the terminal was sent %q", bad)
		}
	}
	w.press("/QUIT\r")
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
	w.press("secret1\r")
	w.await(`(?s)old line 119\..*welcome, ann`)
	for range 25 {
		w.press("\x1b[5~")
	}
	w.until("the first line", func(screen string) bool {
		if strings.Contains(screen, "old line 000.") {
			return true
		}
		w.press("\x1b[5~")
		return false
	})
	hall.tell("lobby", event.Event{Kind: event.Chat, From: "bob", Text: "new line"})
	w.await(`▼ PgDn`)
	for range 40 {
		w.press("\x1b[6~")
	}
	w.await(`(?s)welcome, ann\n\d\d:\d\d bob: new line\n ● ann`)
	w.stop()
	w.leaves()
}

// TestScreenSignsIn: the ways in, with the masks that they need.
func TestScreenSignsIn(t *testing.T) {
	t.Parallel()
	hall := newFakeHall()
	w := openWindow(t, hall.listen(t), "", 60, 10)
	w.press("/SIGNIN ann wrong")
	w.await(`name> /SIGNIN ann •••••\n`)
	w.press("\r")
	w.await("wrong account or password")
	w.await(`name> ann\n`)
	w.press("\r\x1b", "") // the password is asked for; Escape goes back
	w.await(`name>\n`)
	w.press("/signup carl\r")
	w.await(`new password for carl>`)
	w.press("secret1\r")
	w.await("welcome, carl")
	w.press("/PASSWD secret1 other22")
	w.await(`> /PASSWD •••••••••••••••\n`)
	w.press("\x15")
	w.press("\x1b[A\x1b[A\x1b[A\x1b[A")
	w.await(`> /signup carl\n`)

	// Somebody takes the session over, and it is taken back.
	hall.locked(func() {
		hall.sessions["carl"].conn.write(wire.PrivateObject(wire.Private{Kind: wire.KindClosing, Reason: wire.SignedInElsewhere}, time.Now()))
		hall.refuse[wire.SignIn] = &fault.Error{Code: fault.AlreadySignedIn, Message: "can't sign in repeatedly"}
	})
	w.await("signed in elsewhere")
	w.await("○ disconnected")
	w.press("\x15carl\rsecret1\r")
	w.await(`end your other session\? y/n>`)
	hall.locked(func() { delete(hall.refuse, wire.SignIn) })
	w.press("y\r")
	w.await(`●\s+carl|● carl`)
	if all := hall.commands(wire.SignIn); !all[len(all)-1].Takeover {
		t.Error("it did not ask for a takeover")
	}
	w.vt.mu.Lock()
	raw := w.vt.raw.String()
	w.vt.mu.Unlock()
	for _, secret := range []string{"secret", "wrong\r", "other22"} {
		if strings.Contains(raw, secret) {
			t.Errorf("the terminal was sent %q", secret)
		}
	}
	w.press("\x04")
	w.leaves()
}
