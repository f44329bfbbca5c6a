package check

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// script is a process that runs a shell script.
func script(t *testing.T, text string) *process {
	t.Helper()
	p := &process{name: "script-1", binary: "/bin/sh", args: []string{"-c", text}, serves: "serving", log: filepath.Join(t.TempDir(), "log")}
	t.Cleanup(func() { _ = p.kill() })
	return p
}

// TestProcess starts, serves, ends, and starts again; each life is looked at by itself.
func TestProcess(t *testing.T) {
	t.Parallel()
	p := script(t, `trap 'exit 0' TERM; echo serving; while :; do sleep 0.05; done`)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for life := range 2 {
		if err := p.start(); err != nil {
			t.Fatal(err)
		}
		if err := p.ready(ctx); err != nil {
			t.Fatal(err)
		}
		if p.pid() == 0 {
			t.Error("a process that serves has no id")
		}
		if life == 0 {
			if err := p.kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := p.stop(); err != nil {
		t.Error(err)
	}
	if p.pid() != 0 {
		t.Error("a process that ended has an id")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.exits) != 2 || p.exits[0].Status != "signal: killed" || p.exits[1].Status != "exit status 0" || !p.exits[0].Meant {
		t.Errorf("it ended as %+v", p.exits)
	}
}

// TestProcessFails tells what a process said that ended before it served, and one that ends
// otherwise than asked for.
func TestProcessFails(t *testing.T) {
	t.Parallel()
	p := script(t, `echo "no such port"; exit 3`)
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	if err := p.ready(t.Context()); err == nil || !strings.Contains(err.Error(), "no such port") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("ready: %v", err)
	}
	p = script(t, `trap 'exit 1' TERM; echo serving; while :; do sleep 0.05; done`)
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	if err := p.ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.stop(); err == nil {
		t.Error("a process that ended with 1 ended well")
	}
}

// TestProcessWithoutPort starts a process again whose port was taken, and says nothing of that end.
func TestProcessWithoutPort(t *testing.T) {
	t.Parallel()
	p := script(t, `if mkdir "$0" 2>/dev/null; then echo "bind: address already in use"; exit 1; fi
		trap 'exit 0' TERM; echo serving; while :; do sleep 0.05; done`)
	p.args = append(p.args, filepath.Join(t.TempDir(), "tried"))
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	if err := p.serving(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.stop(); err != nil {
		t.Error(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.exits) != 1 || p.exits[0].Status != "exit status 0" || p.starts != 2 {
		t.Errorf("it was started %d times and ended as %+v", p.starts, p.exits)
	}

	// As long as the port is taken it is no use.
	p = script(t, `echo "bind: address already in use"; exit 1`)
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := p.serving(ctx); err == nil || !strings.Contains(err.Error(), portTaken) {
		t.Errorf("serving: %v", err)
	}
}

// TestScan finds what no log may have.
func TestScan(t *testing.T) {
	t.Parallel()
	tests := []struct {
		line, kind string
	}{
		{`level=INFO msg="serving" part=edge`, ""},
		{`panic: runtime error: index out of range`, "panic"},
		{`WARNING: DATA RACE`, "race"},
		{`level=INFO msg=in password=` + secret + `-player001`, "secret"},
		{`level=INFO msg=in token="abcdefghijklmnop"`, "secret"},
		{`level=INFO msg=in token="abcdefghijklmnoq"`, ""},
	}
	for _, tt := range tests {
		p := script(t, "cat <<'X'\n"+tt.line+"\nX\n")
		if err := p.start(); err != nil {
			t.Fatal(err)
		}
		<-p.end()
		found, err := scanLog("script-1", p.log, []string{"abcdefghijklmnop"})
		if err != nil {
			t.Fatal(err)
		}
		kind := ""
		if len(found) > 0 {
			kind = found[0].Kind
		}
		if kind != tt.kind {
			t.Errorf("%s: %q, want %q", tt.line, kind, tt.kind)
		}
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	all, err := ports(30, rand.IntN)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range all {
		if seen[p] {
			t.Errorf("%s was given twice", p)
		}
		seen[p] = true
	}
}
