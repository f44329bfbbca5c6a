package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const (
	// again is how long a process that ended by itself is left before it is started again: a
	// port may be in use for a moment, and a fault that stays must not take all of the CPU.
	again = time.Second
	// stopWithin is how long a process may take to end after SIGTERM; it promises 5 s.
	stopWithin = 10 * time.Second
	// calledWrongly is the program's exit code for flags that are wrong: to start it again
	// would not help.
	calledWrongly = 2
)

// Run runs the processes of plan with the program binary until ctx ends; opened is called once
// when all of them serve. What they log goes to files in logs. One that ends by itself is
// reported to log and started again; only one that was called wrongly ends everything, with an
// error.
func Run(ctx context.Context, binary string, plan []Process, logs string, log *slog.Logger, opened func()) error {
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return fmt.Errorf("make the folder of the logs: %w", err)
	}
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	var stages [Edge + 1]stage
	for _, p := range plan {
		stages[p.Stage].add(&runner{Process: p, binary: binary, logs: logs, log: log, giveUp: giveUp, serves: make(chan struct{})})
	}
	for i := range stages {
		stages[i].start(ctx)
		stages[i].await(ctx)
	}
	if ctx.Err() == nil {
		opened()
		<-ctx.Done()
	}
	log.Info("stopping")
	for i := range stages {
		stages[len(stages)-1-i].stop()
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// stage is the processes that start, and stop, side by side.
type stage struct {
	runners []*runner
	end     context.CancelFunc
	all     sync.WaitGroup
}

func (s *stage) add(r *runner) { s.runners = append(s.runners, r) }

// start starts them, unless ctx is over. They outlive ctx until stop.
func (s *stage) start(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	ctx, s.end = context.WithCancel(context.WithoutCancel(ctx))
	for _, r := range s.runners {
		s.all.Go(func() { r.keep(ctx) })
	}
}

// await waits until all of them serve, or ctx ends.
func (s *stage) await(ctx context.Context) {
	for _, r := range s.runners {
		select {
		case <-r.serves:
		case <-ctx.Done():
		}
	}
}

// stop ends them and waits.
func (s *stage) stop() {
	if s.end == nil {
		return
	}
	s.end()
	s.all.Wait()
}

// runner keeps one process running.
type runner struct {
	Process
	binary, logs string
	log          *slog.Logger
	giveUp       context.CancelCauseFunc
	serves       chan struct{} // closed when it served the first time
	once         sync.Once
}

// keep starts the process, and starts it again whenever it ends, until ctx does.
func (r *runner) keep(ctx context.Context) {
	for ctx.Err() == nil {
		begun := time.Now()
		err := r.run(ctx)
		if ctx.Err() != nil {
			if err != nil {
				r.log.Warn("did not stop in order", "process", r.Name, "error", err)
			}
			return
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) && err != nil || exit != nil && exit.ExitCode() == calledWrongly {
			r.giveUp(fmt.Errorf("%s: %w: see %s", r.Name, err, r.file()))
			return
		}
		r.log.Warn("a process ended, it is started again", "process", r.Name, "after", time.Since(begun).Round(time.Millisecond), "status", status(err), "log", r.file())
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

// status tells how a process ended.
func status(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

func (r *runner) file() string { return filepath.Join(r.logs, r.Name+".log") }

// run runs the process once. When ctx ends it is asked to stop, and killed when it does not.
func (r *runner) run(ctx context.Context) (err error) {
	file, err := os.OpenFile(r.file(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	cmd := exec.CommandContext(ctx, r.binary, r.Args...) //nolint:gosec // the program itself, as the plan says
	cmd.Env = append(os.Environ(), r.Env...)
	cmd.Stdout = file
	cmd.Stderr = &watcher{to: file, text: []byte(r.Serves), seen: func() { r.once.Do(func() { close(r.serves) }) }}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopWithin
	cmd.SysProcAttr = apart()
	if err := cmd.Start(); err != nil {
		return err
	}
	r.log.Debug("started", "process", r.Name, "pid", cmd.Process.Pid)
	err = cmd.Wait()
	if ctx.Err() != nil && cmd.ProcessState.Success() { // it stopped as it was asked to
		return nil
	}
	return err
}

// watcher passes on what is written, and tells when some text is.
type watcher struct {
	to   io.Writer
	text []byte
	seen func()
	rest []byte // of a line
}

// Write implements [io.Writer].
func (w *watcher) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	if bytes.Contains(w.rest, w.text) {
		w.seen()
	}
	if end := bytes.LastIndexByte(w.rest, '\n'); end >= 0 {
		w.rest = append(w.rest[:0], w.rest[end+1:]...)
	}
	return w.to.Write(p)
}
