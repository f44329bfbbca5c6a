package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"

	"gamehall/tools/check/verify"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	controls := flag.Bool("controls", false, "before each mutant, run its check without it")
	flag.Parse()
	err := try(ctx, os.Stdout, flag.Args(), *controls)
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// folder is where the patches are, from the root of the tree.
const folder = "tools/check/mutants"

// try runs the control and the mutants, or those that are named, and tells the outcome of each. It
// fails when one was not caught, or the control was.
func try(ctx context.Context, out io.Writer, names []string, controls bool) error {
	mod, err := run(exec.CommandContext(ctx, "go", "env", "GOMOD"))
	if err != nil {
		return err
	}
	root := filepath.Dir(strings.TrimSpace(mod))
	all, err := mutants(filepath.Join(root, folder))
	if err != nil {
		return err
	}
	all = append([]mutant{control()}, all...)
	for _, name := range names {
		if !slices.ContainsFunc(all, func(m mutant) bool { return m.name == name }) {
			return fmt.Errorf("there is no mutant %s", name)
		}
	}
	var wrong []error
	for _, m := range all {
		if len(names) > 0 && !slices.Contains(names, m.name) {
			continue
		}
		_, _ = fmt.Fprintf(out, "%s: %s\n  hall check %s\n", m.name, m.says, strings.Join(m.flags, " "))
		if controls && m.patch != "" {
			wrong = append(wrong, tell(ctx, out, root, mutant{name: m.name + " without it", flags: m.flags, short: true}))
		}
		wrong = append(wrong, tell(ctx, out, root, m))
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return errors.Join(wrong...)
}

// tell tries a mutant and tells the outcome; its error is that it was not as it should be.
func tell(ctx context.Context, out io.Writer, root string, m mutant) error {
	begun := time.Now()
	o, err := m.check(ctx, root)
	if err == nil {
		err = m.judge(o)
	}
	if err != nil {
		_, _ = fmt.Fprintf(out, "  WRONG after %.0f s: %v\n", time.Since(begun).Seconds(), err)
		return fmt.Errorf("%s: %w", m.name, err)
	}
	_, _ = fmt.Fprintf(out, "  %s after %.0f s%s\n", o.Verdict, time.Since(begun).Seconds(), o.broken())
	for _, v := range o.Violations {
		if slices.Contains(m.caught, v.ID) {
			_, _ = fmt.Fprintf(out, "  %s: %s\n", v.ID, v.Text)
			break
		}
	}
	return nil
}

// outcome is what hall check wrote, and its exit code.
type outcome struct {
	Verdict    verify.Verdict     `json:"verdict"`
	Broken     map[verify.ID]int  `json:"broken"`
	Violations []verify.Violation `json:"violations"`
	exit       int
	folder     string
}

// broken tells what was found.
func (o outcome) broken() string {
	var b strings.Builder
	for _, id := range verify.IDs() {
		if n := o.Broken[id]; n > 0 {
			_, _ = fmt.Fprintf(&b, ", %s %d times", id, n)
		}
	}
	return b.String()
}

// judge tells what is wrong with the outcome: a mutant must be caught, a control must pass.
func (m mutant) judge(o outcome) error {
	found := slices.ContainsFunc(m.caught, func(id verify.ID) bool { return o.Broken[id] > 0 })
	switch {
	case m.short && o.Verdict == verify.Invalid: // nothing was found, in what there was
	case m.patch == "" && o.exit != 0:
		return fmt.Errorf("the hall as it is did not pass: %s%s; all of it is in %s", o.Verdict, o.broken(), o.folder)
	case m.patch != "" && (o.exit != 1 || !found):
		return fmt.Errorf("it was not caught: %s (exit code %d)%s; all of it is in %s", o.Verdict, o.exit, o.broken(), o.folder)
	}
	if err := os.RemoveAll(o.folder); err != nil {
		return err
	}
	return nil
}

// check builds the hall with the mutant and runs the check on it. The outcome's folder is left to
// the caller.
func (m mutant) check(ctx context.Context, root string) (o outcome, err error) {
	if o.folder, err = os.MkdirTemp("", "hall-mutant-"); err != nil {
		return o, err
	}
	overlay := ""
	if m.patch != "" {
		if overlay, _, err = m.overlay(ctx, root, o.folder); err != nil {
			return o, err
		}
	}
	binary, report := filepath.Join(o.folder, "hall"), filepath.Join(o.folder, "report.json")
	if err := build(ctx, root, overlay, binary, "./tools/hall"); err != nil {
		return o, err
	}
	log, err := os.Create(filepath.Join(o.folder, "check.log"))
	if err != nil {
		return o, err
	}
	defer log.Close()
	args := append([]string{"check", "--json", report, "--keep", filepath.Join(o.folder, "run")}, m.flags...)
	cmd := exec.CommandContext(ctx, binary, args...) //nolint:gosec // it was just built
	cmd.Stdout, cmd.Stderr = log, log
	// It ends what it started.
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(syscall.SIGTERM) }, time.Minute
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		return o, err
	}
	if ctx.Err() != nil {
		return o, context.Cause(ctx)
	}
	o.exit = cmd.ProcessState.ExitCode()
	data, err := os.ReadFile(report)
	if err != nil {
		return o, fmt.Errorf("the check did not come to an end, see %s: %w", log.Name(), err)
	}
	err = json.Unmarshal(data, &o)
	return o, err
}
