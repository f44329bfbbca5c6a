package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// target is a server that is measured.
type target struct {
	name    string
	address string
	dialect Dialect
	pids    Processes
	stop    func() error
}

// startsWithin bounds the start of a server.
const startsWithin = 60 * time.Second

// stopsWithin is how long a server may take to end by itself.
const stopsWithin = 10 * time.Second

// spawn starts the program that this process is with other arguments, as a child that ends with
// it, and waits until it writes what ready matches; the address is made of what the parentheses
// caught. What it logs goes to log.
func spawn(ctx context.Context, name string, d Dialect, log string, ready *regexp.Regexp, args ...string) (*target, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	logTo, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer logTo.Close()
	cmd := exec.Command(self, args...) //nolint:noctx,gosec // it is this program, and is stopped by a signal, in order
	cmd.Env, cmd.Stderr = plainEnvironment(), logTo
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL} // Ctrl-C is ours to pass on
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	address := make(chan string, 1)
	ended := make(chan error, 1)
	go func() {
		in := bufio.NewScanner(out)
		for in.Scan() {
			if m := ready.FindStringSubmatch(in.Text()); m != nil {
				address <- net.JoinHostPort(m[1], m[2])
			}
		}
		_, _ = io.Copy(io.Discard, out) // what follows a line that is too long
		ended <- cmd.Wait()
	}()
	s := &target{name: name, dialect: d, pids: Processes{cmd.Process.Pid}}
	s.stop = func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM) // fails when it has ended
		select {
		case err = <-ended:
		case <-time.After(stopsWithin):
			_ = cmd.Process.Kill()
			err = errors.Join(fmt.Errorf("%s did not stop within %s", name, stopsWithin), <-ended)
		}
		return err
	}
	select {
	case s.address = <-address:
		return s, nil
	case err := <-ended:
		return nil, fmt.Errorf("%s ended before it was ready: %w: %s", name, err, tail(log))
	case <-time.After(startsWithin):
		return nil, errors.Join(fmt.Errorf("%s is not ready after %s: %s", name, startsWithin, tail(log)), s.stop())
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), s.stop())
	}
}

// plainEnvironment is ours without settings for a hall: a server under test has its flags.
func plainEnvironment() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "HALL_") {
			env = append(env, e)
		}
	}
	return env
}

// tail is the end of a log.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "" // there is none
	}
	const most = 2000
	return strings.TrimSpace(string(text[max(0, len(text)-most):]))
}

var (
	listening = regexp.MustCompile(`^listening (\S+):(\d+)$`)
	talk      = regexp.MustCompile(`^  talk     nc (\S+) (\d+) `)
	web       = regexp.MustCompile(`^  web      http://(\S+):(\d+)$`)
)

// startRelay starts one of the servers of this package.
func startRelay(ctx context.Context, which, folder string) (*target, error) {
	log := filepath.Join(folder, which+".log")
	return spawn(ctx, which, Bare, log, listening, "load", which, "--tcp", "127.0.0.1:0")
}

// startHall starts hall up with the data in folder, and what keeps it from slowing a load down
// switched off: the rate of a session, the cost of a password's hash, the limits of one address
// and being away.
func startHall(ctx context.Context, folder string, d Dialect, more ...string) (*target, error) {
	args := append([]string{
		"up", "--data", filepath.Join(folder, "data"),
		"--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0",
		"--rate", "0", "--password-hash", "m=8,t=1,p=1", "--connections-per-ip", "1000000",
		"--away-after", "0", "--idle-after", "0", "--no-demo-accounts",
		"--game21-first", "24h", "--log-level", "warn",
	}, more...)
	ready := talk
	if d == WebSocket {
		ready = web
	}
	return spawn(ctx, "hall", d, filepath.Join(folder, "hall.log"), ready, args...)
}
