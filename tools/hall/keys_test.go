package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
)

// TestKeys: each key is in a file that only its owner reads, stays what it was when keys are
// made again, and is told nowhere.
func TestKeys(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	code, out := runHall(t, "keys", dir)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, out)
	}
	first, err := readEnv(filepath.Join(dir, envFile))
	if err != nil {
		t.Fatal(err)
	}
	if len(first[routePassword]) != 32 {
		t.Errorf("the routes' password has %d characters, want 32", len(first[routePassword]))
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 1+1+2*len(services)+2 { // variables, operator, services, edges
		t.Errorf("there are %v", files)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o, want 600", f.Name(), info.Mode().Perm())
		}
		name, isKey := strings.CutSuffix(f.Name(), seedExt)
		if !isKey {
			continue
		}
		seed, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out, strings.TrimSpace(string(seed))) {
			t.Errorf("the key of %s is told", name)
		}
		pair, err := nkeys.ParseDecoratedNKey(seed)
		if err != nil {
			t.Fatal(err)
		}
		public, err := pair.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		if got := first[keyVariable(name)]; got != public {
			t.Errorf("%s is %s, want %s", keyVariable(name), got, public)
		}
	}
	if code, out := runHall(t, "keys", "--edges", "3", dir); code != exitOK {
		t.Fatalf("exit code %d: %s", code, out)
	}
	again, err := readEnv(filepath.Join(dir, envFile))
	if err != nil {
		t.Fatal(err)
	}
	if again["HALL_NKEY_EDGE3"] == "" {
		t.Error("the third edge has no key")
	}
	for name, value := range first {
		if again[name] != value {
			t.Errorf("%s changed", name)
		}
	}
}

// TestNATSRefused: what does not go together is said.
func TestNATSRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		args []string
		want string
	}{
		"routes alone":      {[]string{"nats", "--routes", "127.0.0.1:1"}, "--cluster"},
		"cluster alone":     {[]string{"nats", "--name", "n", "--cluster", "127.0.0.1:1"}, "--routes"},
		"no name":           {[]string{"nats", "--cluster", "127.0.0.1:1", "--routes", "127.0.0.1:1"}, "--name"},
		"any port":          {[]string{"nats", "--name", "n", "--cluster", "127.0.0.1:0", "--routes", "127.0.0.1:1"}, "port"},
		"route of no port":  {[]string{"nats", "--name", "n", "--cluster", "127.0.0.1:1", "--routes", "host"}, "--routes"},
		"name with a space": {[]string{"nats", "--name", "n n"}, "--name"},
		"open monitoring":   {[]string{"nats", "--nats-monitor", "0.0.0.0:8222"}, "--nats-monitor"},
		"variables alone":   {[]string{"nats", "--config-env", "x"}, "--config"},
		"two authorities":   {[]string{"nats", "--config", natsConf, "--nats-admin", "x"}, "--nats-admin"},
		"no config":         {[]string{"nats", "--data", t.TempDir(), "--config", "nowhere"}, "nowhere"},
		"no variables":      {[]string{"nats", "--data", t.TempDir(), "--config", natsConf}, "HALL_ROUTE_PASSWORD"},
		"no edges":          {[]string{"keys", "--edges", "0", t.TempDir()}, "--edges"},
		"owner by name":     {[]string{"keys", "--owner", "root", t.TempDir()}, "--owner"},
		"edge's name":       {[]string{"run", "edge", "--nats", "nats://127.0.0.1:1", "--edge-name", "a.b"}, "--edge-name"},
		"two credentials":   {[]string{"run", "edge", "--nats", "nats://127.0.0.1:1", "--nats-nkey", "x", "--nats-admin", "y"}, "--nats-nkey"},
		"user and nkey":     {[]string{"run", "edge", "--nats", "nats://u:p@127.0.0.1:1", "--nats-nkey", "x"}, "--nats-nkey"},
		"nkey for nothing":  {[]string{"up", "--nats-nkey", "x"}, "--nats-nkey"},
		"no such nkey":      {[]string{"run", "chat", "--nats", "nats://127.0.0.1:1", "--nats-nkey", "nowhere"}, "nowhere"},
		"nkey of no file":   {[]string{"run", "edge", "--nats", "nats://127.0.0.1:1", "--nats-nkey", t.TempDir()}, "edge.nk"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if code, out := runHall(t, tt.args...); code == exitOK || !strings.Contains(out, tt.want) {
				t.Errorf("exit code %d, want another than 0, and %q in: %s", code, tt.want, out)
			}
		})
	}
}
