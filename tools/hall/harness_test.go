package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gamehall/shared/natstest"
)

// TestMain makes this test binary serve as the program when it is called "hall", so that
// tests have a real process to talk to and to kill. HALL_BINARY names another one to try.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hall": main})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits runs a program and asserts its exit code: exits 2 hall up --nothing.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code program args")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code, err = exit.ExitCode(), nil
	}
	if err != nil {
		ts.Fatalf("%q: %v", args[1:], err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("%q: exit code %d, want %s", args[1:], code, args[0])
	}
}

// process is the program, running.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	data  string
	tcp   string // where lines are spoken
	nats  string // URL
	out   *natstest.Output
	log   *natstest.Output
	ended chan struct{}
	err   error // of Wait, once ended is closed
}

var (
	talkLine    = regexp.MustCompile(`(?m)^  talk     nc (\S+) (\d+)          then type: /SIGNIN netease1 123$`)
	inspectLine = regexp.MustCompile(`(?m)^  inspect  nats -s (nats://\S+) service ls$`)
	openLine    = regexp.MustCompile(`msg=open part=edge tcp=(\S+)`)
)

// startHall starts hall up on free ports and waits until it is open. No round of 21 starts
// on the hour, in the midst of what a test wants to hear.
func startHall(t *testing.T, data string, args ...string) *process {
	t.Helper()
	p := launch(t, append([]string{
		"up", "--data", data, "--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0",
		"--game21-first", "1h",
	}, args...)...)
	p.data = data
	talk := p.await(p.out, talkLine)
	p.tcp, p.nats = net.JoinHostPort(talk[1], talk[2]), p.await(p.out, inspectLine)[1]
	return p
}

// launch starts the program. Whatever it may do, it is gone with the test.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	binary := os.Getenv("HALL_BINARY")
	if binary == "" {
		binary = "hall"
	}
	return begin(t, exec.Command(binary, args...))
}

// begin is launch for a command that runs the program in its place.
func begin(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, out: &natstest.Output{}, log: &natstest.Output{}, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // fails when it has ended
		<-p.ended
		if t.Failed() {
			t.Logf("%q logged:\n%s", cmd.Args, p.log)
		}
	})
	return p
}

// await waits until the program wrote what re matches, and gives what its parentheses
// caught.
func (p *process) await(out *natstest.Output, re *regexp.Regexp) []string {
	p.t.Helper()
	deadline := time.After(2 * natstest.Wait)
	for {
		text, more := out.Text()
		if caught := re.FindStringSubmatch(text); caught != nil {
			return caught
		}
		select {
		case <-more:
		case <-p.ended:
			p.t.Fatalf("it ended without writing %v: %v", re, p.err)
		case <-deadline:
			p.t.Fatalf("it does not write %v, but:\n%s", re, text)
		}
	}
}

// kill is kill -9.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	<-p.ended
}

// stops sends sig and asserts that the hall ends with 0 within 5 s.
func (p *process) stops(sig os.Signal) {
	p.t.Helper()
	begun := time.Now()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(natstest.Wait):
		p.t.Fatalf("%v does not stop the hall", sig)
	}
	if p.err != nil {
		p.t.Errorf("after %v: %v, want exit code 0", sig, p.err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		p.t.Errorf("it stopped %v after %v, want 5 s at most", took, sig)
	}
}

// visitor is somebody at a terminal with nc.
type visitor struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	seen []string // all lines, without their times
}

func (p *process) connect() *visitor {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.tcp)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = conn.Close() })
	return &visitor{t: p.t, conn: conn, in: bufio.NewReader(conn)}
}

// signIn connects and signs user in.
func (p *process) signIn(user, password string) *visitor {
	p.t.Helper()
	v := p.connect()
	v.says("/SIGNIN " + user + " " + password)
	v.hears("system: welcome, " + user)
	return v
}

func (v *visitor) says(line string) {
	v.t.Helper()
	if _, err := fmt.Fprintf(v.conn, "%s\n", line); err != nil {
		v.t.Fatal(err)
	}
}

// hears waits for a line with this text, whatever is said before it.
func (v *visitor) hears(text string) {
	v.t.Helper()
	v.hearsMatch("^" + regexp.QuoteMeta(text) + "$")
}

// hearsMatch waits for a line whose text matches, and gives what the pattern's parentheses
// caught.
func (v *visitor) hearsMatch(pattern string) []string {
	v.t.Helper()
	re := regexp.MustCompile(pattern)
	for {
		if caught := re.FindStringSubmatch(v.line(pattern)); caught != nil {
			return caught
		}
	}
}

// hearsNext asserts what the very next line is.
func (v *visitor) hearsNext(text string) {
	v.t.Helper()
	if got := v.line(text); got != text {
		v.t.Fatalf("heard %q, want %q", got, text)
	}
}

// line reads one line and takes its time off, which is now, give or take.
func (v *visitor) line(waitingFor string) string {
	v.t.Helper()
	if err := v.conn.SetReadDeadline(time.Now().Add(natstest.Wait)); err != nil {
		v.t.Fatal(err)
	}
	line, err := v.in.ReadString('\n')
	if err != nil {
		v.t.Fatalf("waiting for %q: %v; heard %q", waitingFor, err, v.seen)
	}
	if len(line) < 21 {
		v.t.Fatalf("line %q has no time", line)
	}
	if _, err := time.ParseInLocation(time.DateTime+" ", line[:20], time.Local); err != nil {
		v.t.Fatalf("line %q has no time: %v", line, err)
	}
	text := strings.TrimSuffix(line[20:], "\n")
	v.seen = append(v.seen, text)
	return text
}

// closed asserts that the hall closes the connection.
func (v *visitor) closed() {
	v.t.Helper()
	if err := v.conn.SetReadDeadline(time.Now().Add(natstest.Wait)); err != nil {
		v.t.Fatal(err)
	}
	for {
		line, err := v.in.ReadString('\n')
		switch {
		case err == nil:
			v.seen = append(v.seen, line)
		case errors.Is(err, os.ErrDeadlineExceeded):
			v.t.Fatal("the connection stays open")
		default:
			return
		}
	}
}

// files gives the names in a folder.
func files(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range found {
		names = append(names, filepath.Base(f))
	}
	return names
}

// runHall runs the program to its end and gives its exit code and what it wrote.
func runHall(t *testing.T, args ...string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), natstest.Wait)
	defer cancel()
	cmd := exec.CommandContext(ctx, "hall", args...)
	// One that hangs tells where.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) }
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return exitOK, string(out)
	case errors.As(err, &exit):
		return exit.ExitCode(), string(out)
	}
	t.Fatal(err)
	return 0, ""
}
