package vttest

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/creack/pty"
)

// patience bounds every wait.
const patience = 30 * time.Second

// Terminal is a pseudo-terminal, seen from where the person sits.
type Terminal struct {
	Screen *Screen

	t    testing.TB
	keys *os.File
}

// Open gives a terminal, and the file by which a program of this process has it.
func Open(t testing.TB, width, height int) (*Terminal, *os.File) {
	t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	seen := watch(t, master, width, height)
	seen.size(width, height)
	t.Cleanup(func() { _ = tty.Close() })
	return seen, tty
}

// Start starts cmd in a terminal of its own. Its end is the caller's business; it is killed
// with the test.
func Start(t testing.TB, cmd *exec.Cmd, width, height int) *Terminal {
	t.Helper()
	master, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: uint16(width), Rows: uint16(height)})
	if err != nil {
		t.Fatal(err)
	}
	term := watch(t, master, width, height)
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // fails when it has ended
	return term
}

func watch(t testing.TB, master *os.File, width, height int) *Terminal {
	t.Helper()
	term := &Terminal{Screen: NewScreen(width, height), t: t, keys: master}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			if n > 0 {
				_, _ = term.Screen.Write(buf[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = master.Close()
		<-done
	})
	return term
}

// Press types keys, as the terminal sends them.
func (w *Terminal) Press(keys string) {
	w.t.Helper()
	if _, err := w.keys.WriteString(keys); err != nil {
		w.t.Fatal(err)
	}
}

// Resize changes the window. The system tells the program that Start started; who has the
// file of Open must be told.
func (w *Terminal) Resize(width, height int) {
	w.t.Helper()
	w.Screen.Resize(width, height)
	w.size(width, height)
}

func (w *Terminal) size(width, height int) {
	w.t.Helper()
	if err := pty.Setsize(w.keys, &pty.Winsize{Cols: uint16(width), Rows: uint16(height)}); err != nil {
		w.t.Fatal(err)
	}
}

// Hides waits until what is typed is no longer shown by the terminal itself. A program that
// asks for a password has it so; what was typed before that may have been shown.
func (w *Terminal) Hides() {
	w.t.Helper()
	raw, err := w.keys.SyscallConn()
	if err != nil {
		w.t.Fatal(err)
	}
	for begun := time.Now(); ; {
		var state *term.State
		if failed := raw.Control(func(fd uintptr) { state, err = term.GetState(fd) }); failed != nil || err != nil {
			w.t.Fatal(failed, err)
		}
		if state.Lflag&syscall.ECHO == 0 {
			return
		}
		if time.Since(begun) > patience {
			w.t.Fatalf("the terminal goes on showing what is typed:\n%s", w.Screen)
		}
		runtime.Gosched()
	}
}

// Await waits until the screen matches a regular expression.
func (w *Terminal) Await(pattern string) {
	w.t.Helper()
	w.Until(pattern, regexp.MustCompile(pattern).MatchString)
}

var clock = regexp.MustCompile(`\b\d\d:\d\d\b`)

// Shows waits until the screen is want, row by row; a line end before the first row does not
// count. Times of day are 00:00 in it.
func (w *Terminal) Shows(want string) {
	w.t.Helper()
	want = strings.TrimPrefix(want, "\n")
	w.Until("\n"+want, func(screen string) bool { return clock.ReplaceAllString(screen, "00:00") == want })
}

// Until waits until ok likes the screen; what says what that is.
func (w *Terminal) Until(what string, ok func(screen string) bool) {
	w.t.Helper()
	deadline := time.After(patience)
	for {
		more := w.Screen.next()
		if ok(w.Screen.String()) {
			return
		}
		select {
		case <-more:
		case <-deadline:
			w.t.Fatalf("the terminal does not show %s, but:\n%s", what, w.Screen)
		}
	}
}

// Restored waits until the program has given the screen back, and asserts that it sent
// nothing unknown.
func (w *Terminal) Restored() {
	w.t.Helper()
	w.Until("what was there before", func(string) bool { return !w.Screen.Alternate() })
	if odd := w.Screen.Unknown(); len(odd) > 0 {
		w.t.Errorf("the terminal was sent %q", odd)
	}
}
