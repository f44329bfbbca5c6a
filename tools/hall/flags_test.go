package main

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// parsed reads args as the program does.
func parsed(t *testing.T, args ...string) (command, error) {
	t.Helper()
	var out bytes.Buffer
	return parse(args, &out, &out)
}

func parsedUp(t *testing.T, args ...string) *upCommand {
	t.Helper()
	c, err := parsed(t, append([]string{"up"}, args...)...)
	if err != nil {
		t.Fatalf("hall up %q: %v", args, err)
	}
	up, ok := c.(*upCommand)
	if !ok {
		t.Fatalf("hall up is a %T", c)
	}
	return up
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	up := parsedUp(t)
	check := func(flag string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s is %v, want %v", flag, got, want)
		}
	}
	check("--tcp", up.TCP, listen{"127.0.0.1", 7021})
	check("--http", up.HTTP, listen{"127.0.0.1", 7080})
	check("--nats-listen", up.NATSListen, listen{"127.0.0.1", 4222})
	check("--db", up.DB, "sqlite")
	check("--replicas", up.Replicas, 1)
	check("--demo-accounts", up.demo(), true)
	check("--password-min", up.passwordMin(), 6)
	check("--password-hash", up.PasswordHash, hashFlags{19456, 2, 1})
	check("--connections-per-ip", up.ConnectionsPerIP, 32)
	check("--rate", up.Rate, 5.0)
	check("--burst", up.Burst, 20)
	check("--away-after", up.AwayAfter, 5*time.Minute)
	check("--idle-after", up.IdleAfter, 30*time.Minute)
	check("--room-empty", up.RoomEmpty, time.Minute)
	check("--game21-period", up.Game21Period, time.Hour)
	check("--game21-first", up.Game21First, time.Duration(0))
	check("--game21-duration", up.Game21Duration, 2*time.Minute)
	if want := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}; !slices.Equal(up.TrustedNet, want) {
		t.Errorf("--trusted-net is %v, want %v", up.TrustedNet, want)
	}
	if !strings.HasSuffix(up.Data, "data") {
		t.Errorf("--data is %s", up.Data)
	}
	c, err := parsed(t, "run", "auth", "edge", "--nats", "nats://127.0.0.1:4222")
	if err != nil {
		t.Fatal(err)
	}
	run, ok := c.(*runCommand)
	if !ok {
		t.Fatalf("hall run is a %T", c)
	}
	check("--demo-accounts of run", run.demo(), false)
	check("--password-min of run", run.passwordMin(), 8)
	check("networks trusted by run", len(run.TrustedNet), 0)
}

// TestLoopback: what everybody knows or can guess is for this machine only.
func TestLoopback(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--tcp", "0.0.0.0:7021"},
		{"--tcp", ":7021"},
		{"--http", "192.0.2.1:80"},
		{"--nats-listen", "[::]:4222"},
		{"--tcp", "hall.example:7021"},
		{"--nats", "nats://nats.example:4222"},
	} {
		if up := parsedUp(t, args...); up.demo() || up.passwordMin() != 8 {
			t.Errorf("%v: demo accounts %v, passwords of %d, want none, and 8", args, up.demo(), up.passwordMin())
		}
		for _, more := range [][]string{{"--demo-accounts"}, {"--password-hash", "m=8,t=1,p=1"}} {
			_, err := parsed(t, slices.Concat([]string{"up"}, args, more)...)
			if !errors.As(err, new(usageError)) || !strings.Contains(err.Error(), more[0]) {
				t.Errorf("%v %v: %v, want it refused by name", args, more, err)
			}
		}
	}
	for _, args := range [][]string{
		{"--tcp", "[::1]:7021", "--http", "localhost:0", "--nats-listen", "127.9.9.9:0"},
		{"--nats", "nats://127.0.0.1:4222,nats://localhost:4223"},
	} {
		if up := parsedUp(t, append(args, "--password-hash", "m=8,t=1,p=1")...); !up.demo() {
			t.Errorf("%v: no demo accounts", args)
		}
	}
	if up := parsedUp(t, "--no-demo-accounts"); up.demo() || up.passwordMin() != 8 {
		t.Error("--no-demo-accounts changes nothing")
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	run := func(args ...string) []string { return append([]string{"run"}, args...) }
	up := func(args ...string) []string { return append([]string{"up"}, args...) }
	tests := []struct {
		args []string
		says string
	}{
		{nil, "hall up"},
		{[]string{"down"}, "down"},
		{up("--nothing"), "--nothing"},
		{up("extra"), "extra"},
		{up("--tcp", "7021"), "host:port"},
		{up("--tcp", "127.0.0.1:port"), "port"},
		{up("--tcp", "127.0.0.1:65536"), "65535"},
		{up("--db", "mysql"), "--db: it can be sqlite"},
		{up("--db", "mysql://u:secret@h/db"), "postgres://user:password@host:5432/database"},
		{up("--db", "postgres://u:sec#secret@h/db"), "%40 for @"},
		{up("--db", "postgres://u:secret@h/db?sslmode=secret"), "sslmode"},
		{run("room", "--nats", "nats://h:1", "--db", "postgres://u:secret@h/db"), "--db is for auth, account, game21"},
		{up("--replicas", "2"), "1, 3 or 5"},
		{up("--rate", "-1"), "--rate"},
		{up("--rate", "NaN"), "--rate"},
		{up("--burst", "0"), "--burst"},
		{up("--connections-per-ip", "0"), "--connections-per-ip"},
		{up("--away-after", "-1s"), "--away-after"},
		{up("--idle-after", "-1s"), "--idle-after"},
		{up("--room-empty", "0s"), "--room-empty"},
		{up("--password-min", "0"), "--password-min"},
		{up("--password-min", "129"), "--password-min"},
		{up("--password-hash", "m=19456"), "m from"},
		{up("--password-hash", "m=19456,t=2,p=1,m=1"), "m=19456,t=2,p=1"},
		{up("--password-hash", "m=7,t=1,p=1"), "m from"},
		{up("--password-hash", "m=4194304,t=1,p=1"), "m from"},
		{up("--trusted-net", "10.0.0.0"), "10.0.0.0/8"},
		{up("--data", ""), "folder"},
		{up("--tcp", "7021"), "127.0.0.1:7021"},
		{up("--http", "7080"), "127.0.0.1:7080"},
		{up("--nats-listen", "4222"), "127.0.0.1:4222"},
		{up("--http", "127.0.0.1:7021"), "--http"},
		{up("--away-after", "5"), "5m"},
		{up("--room-empty", "soon"), "5m"},
		{up("--burst", "many"), "whole number"},
		{up("--burst", "99999999999999999999"), "whole number"},
		{up("--password-min", "1.5"), "whole number"},
		{up("--rate", "fast"), "a number such as 5"},
		{up("--replicas", "3"), "cluster"},
		{up("--replicas", "5"), "--nats"},
		{up("--allow-origin", "hall.example"), "https://hall.example"},
		{up("--allow-origin", "ftp://hall.example"), "--allow-origin"},
		{up("--allow-origin", "https://hall.example/"), "--allow-origin"},
		{up("--allow-origin", "https://hall.example/play?a=b#c"), "--allow-origin"},
		{up("--allow-origin", "https://ann@hall.example"), "--allow-origin"},
		{up("--allow-origin", "https://hall.example:0"), "port"},
		{up("--allow-origin", "https://hall.example:65536"), "port"},
		{up("--allow-origin", "https://hall.example:"), "port"},
		{up("--allow-origin", "*"), "--allow-origin"},
		{up("--game21-duration", "0s"), "--game21-duration"},
		{up("--game21-duration", "2h"), "--game21-period"},
		{up("--game21-first", "-1s"), "--game21-first"},
		{up("--nats", "127.0.0.1:4222"), "nats://user:password@host:4222"},
		{up("--log-level", "loud"), "debug, info, warn, error"},
		{up("--log-level", "info+2"), "debug, info, warn, error"},
		{up("--log-format", "xml"), "--log-format"},
		{run(), "part"},
		{run("auth"), "--nats"},
		{run("bank", "--nats", "nats://h:1"), "bank"},
		{run("room", "--nats", "nats://h:1", "--tcp", "127.0.0.1:1"), "--tcp is for edge"},
		{run("edge", "--nats", "nats://h:1", "--game21-period", "1h"), "--game21-period is for game21"},
		{run("edge", "--nats", "nats://h:1", "--no-demo-accounts"), "--demo-accounts is for auth"},
		{run("auth", "--nats", "nats://h:1", "--demo-accounts"), "--demo-accounts"},
		{run("edge", "--nats", "nats://h:1", "--nats-listen", "127.0.0.1:1"), "--nats-listen"},
	}
	for _, tt := range tests {
		_, err := parsed(t, tt.args...)
		if !errors.As(err, new(usageError)) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("hall %q: %v, want wrong use, and %q", tt.args, err, tt.says)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("hall %q tells a password: %v", tt.args, err)
		}
	}
}

// TestOrigins: the edge compares with what browsers send.
func TestOrigins(t *testing.T) {
	t.Parallel()
	up := parsedUp(t, "--allow-origin", "https://Hall.Example:443", "--allow-origin", "http://127.0.0.1:8080,http://[::1]:80")
	if got, want := up.allowOrigins(), []string{"https://hall.example", "http://127.0.0.1:8080", "http://[::1]"}; !slices.Equal(got, want) {
		t.Errorf("--allow-origin is %v, want %v", got, want)
	}
	if up := parsedUp(t, "--db", "postgres://u:p%40ss@h/db"); up.DB != "postgres://u:p%40ss@h/db" {
		t.Errorf("--db is %s", up.DB)
	}
	if up := parsedUp(t, "--nats", "nats://127.0.0.1:4222", "--replicas", "3"); up.Replicas != 3 {
		t.Errorf("--replicas is %d, want 3 in a cluster", up.Replicas)
	}
}

// TestEnvironment changes the environment, so it runs alone.
func TestEnvironment(t *testing.T) { //nolint:paralleltest // it sets the environment
	for name, value := range map[string]string{
		"HALL_GAME21_PERIOD":      "8s",
		"HALL_GAME21_DURATION":    "4s",
		"HALL_GAME21_FIRST":       "2s",
		"HALL_TRUSTED_NET":        "10.0.0.0/8,fd00::/8",
		"HALL_NATS_LISTEN":        "127.0.0.1:0",
		"HALL_DEMO_ACCOUNTS":      "false",
		"HALL_CONNECTIONS_PER_IP": "7",
		"HALL_VERSION":            "1",
		"HALL_TCP":                "127.0.0.1:1",
	} {
		t.Setenv(name, value)
	}
	up := parsedUp(t, "--tcp", "127.0.0.1:2")
	if up.Game21Period != 8*time.Second || up.Game21Duration != 4*time.Second || up.Game21First != 2*time.Second {
		t.Errorf("the game's flags are %v %v %v", up.Game21Period, up.Game21Duration, up.Game21First)
	}
	if len(up.TrustedNet) != 2 || up.NATSListen.port != 0 || up.ConnectionsPerIP != 7 || up.demo() {
		t.Errorf("trusted %v, nats %v, connections %d, demo accounts %v", up.TrustedNet, up.NATSListen, up.ConnectionsPerIP, up.demo())
	}
	if up.TCP.port != 2 {
		t.Errorf("--tcp is %v, want the flag before the environment", up.TCP)
	}
	// The environment may serve several processes: what is for other parts is no fault.
	if _, err := parsed(t, "run", "room", "--nats", "nats://127.0.0.1:4222"); err != nil {
		t.Errorf("hall run room: %v", err)
	}
}

// TestEnvironmentRefused: a fault names where its value is from. It changes the environment,
// so it runs alone.
func TestEnvironmentRefused(t *testing.T) {
	for name, value := range map[string]string{
		"HALL_AWAY_AFTER": "soon",
		"HALL_REPLICAS":   "2",
		"HALL_TCP":        "7021",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			_, err := parsed(t, "up")
			if !errors.As(err, new(usageError)) || !strings.Contains(err.Error(), "(from the environment: "+name) {
				t.Errorf("hall up with %s=%s: %v, want wrong use that names it", name, value, err)
			}
		})
	}
	t.Setenv("HALL_REPLICAS", "1")
	if _, err := parsed(t, "up", "--replicas", "2"); err == nil || strings.Contains(err.Error(), "HALL_REPLICAS") {
		t.Errorf("hall up --replicas 2: %v, want it told without the environment", err)
	}
}
