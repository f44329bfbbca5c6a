package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"gamehall/tools/check/history"
)

// pollEvery is how often a file or a process is looked at while somebody waits for it.
const pollEvery = 20 * time.Millisecond

// process is one of the hall's processes. It may be started again after its end; its log goes
// on in the same file.
type process struct {
	name   string
	binary string
	args   []string
	log    string // file
	serves string // what it logs once it serves

	mu     sync.Mutex
	cmd    *exec.Cmd
	ended  chan struct{} // closed when cmd has ended; nil before the first start
	status string        // once ended is closed
	code   int
	meant  bool  // somebody asked for the end
	from   int64 // where in the log this life begins
	exits  []history.Exit
	starts int
}

// start starts the process, which must not run. It does not wait until it serves.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	defer out.Close()
	info, err := out.Stat()
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.from = info.Size()
	cmd := exec.Command(p.binary, p.args...) //nolint:gosec,noctx // our own program; who owns the process ends it by signals
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = alone()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.starts++
	ended := make(chan struct{})
	p.cmd, p.ended, p.meant = cmd, ended, false
	go func() {
		defer close(ended)
		_ = cmd.Wait() // the state tells it
		p.mu.Lock()
		defer p.mu.Unlock()
		p.status, p.code = cmd.ProcessState.String(), cmd.ProcessState.ExitCode()
		p.exits = append(p.exits, history.Exit{T: history.Now(), Process: p.name, Status: p.status, Meant: p.meant})
	}()
	return nil
}

// pid is the process's id; 0 when it does not run.
func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || done(p.ended) {
		return 0
	}
	return p.cmd.Process.Pid
}

func done(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// signal sends sig. That the process has ended is no error.
func (p *process) signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil
	}
	if sig == syscall.SIGKILL || sig == syscall.SIGTERM {
		p.meant = true
	}
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: signal %v: %w", p.name, sig, err)
	}
	return nil
}

// kill ends the process as kill -9 does and waits for that.
func (p *process) kill() error {
	err := p.signal(syscall.SIGKILL)
	if ended := p.end(); ended != nil {
		<-ended
	}
	return err
}

// end is closed when the process has ended; nil when it was never started.
func (p *process) end() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// stop asks the process to end and waits. It gives the time that took; after drainWithin it kills.
func (p *process) stop() (time.Duration, error) {
	ended := p.end()
	if ended == nil || done(ended) {
		return 0, nil
	}
	begun := time.Now()
	if err := p.signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	t := time.NewTimer(drainWithin)
	defer t.Stop()
	select {
	case <-ended:
	case <-t.C:
		return time.Since(begun), errors.Join(fmt.Errorf("%s did not end within %s of SIGTERM", p.name, drainWithin), p.kill())
	}
	took := time.Since(begun)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.code != 0 {
		return took, fmt.Errorf("%s ended with %s after SIGTERM", p.name, p.status)
	}
	return took, nil
}

// Where a port of a process is taken, by somebody who drew it between our looking and its listening
// or while it was down, it says so and ends; whoever has it may not have it for long.
const (
	portTaken  = "address already in use"
	portsAgain = 200 * time.Millisecond
)

// serving returns once the process, which was started, serves. One that ended because a port was
// taken is started again, until ctx ends.
func (p *process) serving(ctx context.Context) error {
	for {
		err := p.ready(ctx)
		if err == nil || !p.lacksPort() || !wait(ctx, portsAgain) {
			return err
		}
		if err := p.start(); err != nil {
			return err
		}
	}
}

// lacksPort tells whether the process ended because a port was taken. That end is nobody's fault,
// and is forgotten.
func (p *process) lacksPort() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !done(p.ended) {
		return false
	}
	text, err := tail(p.log, p.from)
	if err != nil || !bytes.Contains(text, []byte(portTaken)) || len(p.exits) == 0 {
		return false
	}
	p.exits = p.exits[:len(p.exits)-1]
	return true
}

// ready returns once the process serves. It fails when the process or ctx ends first.
func (p *process) ready(ctx context.Context) error {
	p.mu.Lock()
	from, ended := p.from, p.ended
	p.mu.Unlock()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		over := done(ended) // looked at first: the last words count
		text, err := tail(p.log, from)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", p.name, err)
		case bytes.Contains(text, []byte(p.serves)):
			return nil
		case over:
			return fmt.Errorf("%s ended (%s) before it served: %s", p.name, p.state(), lastLines(text, 5))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s does not serve: %w; it says: %s", p.name, context.Cause(ctx), lastLines(text, 5))
		}
	}
}

func (p *process) state() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// tail reads a file from an offset on.
func tail(path string, from int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.NewSectionReader(f, from, 1<<40))
}

func lastLines(text []byte, n int) string {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-n):], []byte("\n")))
}

// ports finds n ports of 127.0.0.1 that are free. They are below those that the system gives
// to who connects: a port must stay free while its process is down.
func ports(n int, draw func(int) int) ([]string, error) {
	const first, last = 12_000, 32_000
	var all []string
	taken := map[int]bool{}
	for range 100 * n {
		port := first + draw(last-first)
		if taken[port] || !free(port) {
			continue
		}
		taken[port] = true
		all = append(all, "127.0.0.1:"+strconv.Itoa(port))
		if len(all) == n {
			return all, nil
		}
	}
	return nil, fmt.Errorf("%d free ports from %d to %d cannot be found", n, first, last)
}

func free(port int) bool {
	var lc net.ListenConfig
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:"+strconv.Itoa(port))
	return err == nil && ln.Close() == nil
}
