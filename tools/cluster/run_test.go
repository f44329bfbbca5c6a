package cluster

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"gamehall/shared/natstest"
)

// TestMain makes this test binary serve as a program that the tests run: "serve", as one of a
// hall's processes, or "wrong", called wrongly.
func TestMain(m *testing.M) {
	testscript.Main(&leakless{m}, map[string]func(){"serve": serve, "wrong": func() { os.Exit(calledWrongly) }})
}

type leakless struct{ m *testing.M }

func (l *leakless) Run() int {
	code := l.m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		return 1
	}
	return code
}

// serve says that it serves and waits for the signal to stop. With the argument "once" it dies
// the first time, which it knows by a file.
func serve() {
	note(os.Args[1], "begin")
	if len(os.Args) > 2 {
		if _, err := os.Stat(os.Args[2]); err != nil {
			note(os.Args[2], "died")
			os.Exit(1)
		}
	}
	ctx, stop := notify()
	defer stop()
	_, _ = os.Stderr.WriteString("it ser")
	_, _ = os.Stderr.WriteString("ves\n")
	<-ctx.Done()
	note(os.Args[1], "end")
}

func note(path, text string) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	_, _ = f.WriteString(filepath.Base(os.Args[0]) + " " + text + " " + time.Now().Format(time.RFC3339Nano) + "\n")
	_ = f.Close()
}

func logger(to *natstest.Output) *slog.Logger { return slog.New(slog.NewTextHandler(to, nil)) }

// TestRun: what dies is started again, nothing is open before everything serves, and what was
// started first is stopped last.
func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	process := func(name string, stage Stage, args ...string) Process {
		return Process{Name: name, Args: append([]string{file(name)}, args...), Serves: "it serves", Stage: stage}
	}
	plan := []Process{process("n1", NATS), process("chat", Service, file("died")), process("edge1", Edge)}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var log natstest.Output
	err := Run(ctx, program(t, "serve"), plan, file("logs"), logger(&log), stop)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "it is started again") || !strings.Contains(log.String(), "process=chat") {
		t.Errorf("the death of chat is not told:\n%s", &log)
	}
	var ends []string
	for _, p := range plan {
		lines := strings.Split(strings.TrimSpace(read(t, file(p.Name))), "\n")
		last := strings.Fields(lines[len(lines)-1])
		if last[1] != "end" {
			t.Errorf("%s was not stopped: %q", p.Name, lines)
		}
		ends = append(ends, last[2])
	}
	if slices.Reverse(ends); !slices.IsSorted(ends) {
		t.Errorf("edge, service, NATS ended at %v", ends)
	}
	if got := read(t, filepath.Join(file("logs"), "edge1.log")); got != "it serves\n" {
		t.Errorf("the log of edge1 is %q", got)
	}
}

// TestRunWrongly: flags that are wrong do not get better by trying again.
func TestRunWrongly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var log natstest.Output
	plan := []Process{{Name: "n1", Serves: "it serves"}, {Name: "edge1", Serves: "it serves", Stage: Edge}}
	err := Run(t.Context(), program(t, "wrong"), plan, dir, logger(&log), func() { t.Error("it is open") })
	if err == nil || !strings.Contains(err.Error(), "n1") || !strings.Contains(err.Error(), filepath.Join(dir, "n1.log")) {
		t.Errorf("%v: want what was called wrongly, and where its log is", err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
