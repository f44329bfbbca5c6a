package main

import (
	"context"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gamehall/shared/natstest"
	"gamehall/tools/client/vttest"
)

// TestClientPipe: the client as a pipe says what a terminal with nc would be told.
func TestClientPipe(t *testing.T) {
	t.Parallel()
	hall := startHall(t, t.TempDir())
	ann := hall.signIn("netease1", "123")
	ctx, cancel := context.WithTimeout(t.Context(), natstest.Wait)
	defer cancel()
	cmd := exec.CommandContext(ctx, "hall", "client", hall.tcp)
	cmd.Stdin = strings.NewReader("/WHO\n/SIGNIN netease2 123\nhi from a pipe\n/W netease1 psst\n/CREATEROOM Room 1\n/CHATROOM echo\n" +
		"/MEMBERS\n/HISTORY 1\n/QUITROOM\n/JOINROOM room 1\n/21GAME 1+1\n/SIGNIN netease1 123\nbye")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var got []string
	for line := range strings.Lines(string(out)) {
		m := regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (.*)\n$`).FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("line %q has no time", line)
		}
		got = append(got, m[1])
	}
	// Answers come in their order, and so does what a channel tells; either may overtake the
	// other.
	answers := []string{
		"system: please sign in first",
		"system: welcome, netease2",
		"(to netease1) psst",
		"system: you created and joined Room 1",
		"[Room 1] system: 1 here: netease2",
		"system: you left Room 1",
		"system: you joined Room 1",
		"system: no round is open",
		"system: can't sign in repeatedly",
		"system: bye, netease2",
	}
	said := []string{"netease2: hi from a pipe", "[Room 1] netease2: echo", "[Room 1] netease2: echo", "netease2: bye"}
	for _, line := range got {
		next := &said
		if strings.Contains(line, "system: ") || strings.HasPrefix(line, "(to ") {
			next = &answers
		}
		if len(*next) == 0 || !strings.HasPrefix(line, (*next)[0]) {
			t.Fatalf("got %q, want one of %q and %q; all it got is\n%s", line, answers, said, strings.Join(got, "\n"))
		}
		*next = (*next)[1:]
	}
	if len(answers)+len(said) > 0 {
		t.Errorf("%q and %q are missing in\n%s", answers, said, strings.Join(got, "\n"))
	}
	ann.hears("system: netease2 joined the hall")
	ann.hears("netease2: bye")
	ann.hears("system: netease2 left the hall")
	for _, line := range []string{"netease2: hi from a pipe", "(whisper) netease2: psst"} {
		if !slices.Contains(ann.seen, line) {
			t.Errorf("%q is not in %q", line, ann.seen)
		}
	}

	// What comes through a pipe is no password.
	code, text := runHall(t, "client", hall.tcp, "--user", "netease2")
	if code != exitUsage || !strings.Contains(text, "/SIGNIN name password") {
		t.Errorf("--user without a terminal: exit code %d, %q", code, text)
	}
	code, text = runHall(t, "client", "127.0.0.1:1")
	if code != exitFailed || !strings.Contains(text, "cannot connect") {
		t.Errorf("where nobody is: exit code %d, %q", code, text)
	}
}

// TestClientPlainUser: lines at a terminal, and the password is asked for unseen.
func TestClientPlainUser(t *testing.T) {
	t.Parallel()
	hall := startHall(t, t.TempDir())
	cmd := exec.Command("hall", "client", hall.tcp, "--plain", "--user", "netease1")
	w := vttest.Start(t, cmd, 78, 11)
	w.Await("password for netease1:")
	w.Hides()
	w.Press("123\r")
	w.Await(`password for netease1:\n.*system: welcome, netease1\n`)
	w.Press("hello\r")
	w.Await("netease1: hello")
	w.Press("/quit\r")
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// TestClientScreen: the client at a terminal, through a restart of the hall by kill -9.
func TestClientScreen(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	hall := startHall(t, data)
	bob := hall.signIn("netease2", "123")
	cmd := exec.Command("hall", "client", hall.tcp, "--user", "netease1")
	cmd.Env = append(cmd.Environ(), "TERM=xterm-256color", "LANG=C.UTF-8")
	w := vttest.Start(t, cmd, 78, 11)
	w.Await(`password for netease1>`)
	w.Press("123\r")
	w.Await("welcome, netease1")
	bob.hears("system: netease1 joined the hall")
	bob.says("hi, netease1")
	w.Await("netease2: hi, netease1")
	w.Press("hi, net\t")
	w.Await("> hi, netease")
	w.Press("\x15hello\r")
	bob.hears("netease1: hello")
	w.Press("/createroom Nook\r")
	w.Await(`(?s)lobby  Nook.*you created and joined Nook.*● netease1 in Nook`)
	bob.says("/W netease1 psst")
	w.Await(` Nook  netease2 \(1\)`)
	bob.says("/JOINROOM nook")
	w.Await(`(?s)2 in the room\n.*│ netease1\n.*│ netease2\n`)
	w.Press("one\r")
	bob.hears("[Nook] netease1: one")
	w.Resize(30, 7)
	w.Shows(`
 lobby  Nook  netease2 (1)

you created and joined Nook
netease2 joined
netease1: one
 ● netease1 in Nook
>
`)
	w.Resize(60, 14)

	hall.kill()
	w.Await("○ again in")
	w.Press("two\r")
	again := launch(t, "up", "--data", data, "--tcp", hall.tcp, "--http", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0")
	again.await(again.out, talkLine)
	w.Await(`connected again\n(.*\n)*.*netease1: two\n`)
	w.Press("three\r")
	w.Await(`netease1: two\n.*netease1: three\n`)
	for _, line := range []string{": one\n", ": two\n", ": three\n"} {
		if n := strings.Count(w.Screen.String(), line); n != 1 {
			t.Errorf("%q is shown %d times:\n%s", line, n, w.Screen)
		}
	}
	w.Press("\x03")
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	w.Restored()
}
