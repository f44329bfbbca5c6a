package main

import (
	"bytes"
	"net"
	"os"
	"strings"
	"testing"

	"gamehall/shared/natstest"
)

// TestUnlistened: each fault names its own flag, and advice that fits.
func TestUnlistened(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	tests := []struct {
		name, at string
		says     []string
	}{
		{"taken", taken.Addr().String(), []string{taken.Addr().String(), "stop what listens there", "with --tcp"}},
		{"not ours", "192.0.2.1:7021", []string{"192.0.2.1:7021", "this machine has no such address"}},
		{"no such host", "nowhere.invalid:7021", []string{"nowhere.invalid", "must be an address of this machine"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			up := parsedUp(t, "--tcp", tt.at, "--http", "127.0.0.1:0")
			err := up.portsFree(natstest.Context(t))
			if err == nil {
				t.Fatalf("%s is free", tt.at)
			}
			for _, says := range append(tt.says, "--tcp") {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%v: want %q in it", err, says)
				}
			}
			if strings.Contains(err.Error(), "--http") {
				t.Errorf("%v: --http is not concerned", err)
			}
		})
	}
}

// TestHelpful: who loses a port after it was found free is told of the same flag.
func TestHelpful(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	_, refused := net.Listen("tcp", taken.Addr().String())
	up := parsedUp(t, "--http", taken.Addr().String())
	if err := up.helpful(refused); err == nil || !strings.HasPrefix(err.Error(), "--http") {
		t.Errorf("%v: want --http", err)
	}
	up = parsedUp(t, "--tcp", taken.Addr().String())
	if err := up.helpful(refused); err == nil || !strings.HasPrefix(err.Error(), "--tcp") {
		t.Errorf("%v: want --tcp", err)
	}
}

// TestBanner: people are told addresses that they can use as they stand.
func TestBanner(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		says []string
		not  string
	}{
		{
			"on loopback", nil,
			[]string{"  talk     nc localhost 1 ", "/SIGNIN netease1 123", "  play     " + typedAs(os.Args[0]) + " client localhost:1\n", "  web      http://127.0.0.1:2\n"},
			"note",
		},
		{
			"off loopback",
			[]string{"--tcp", "0.0.0.0:7021"},
			[]string{"/SIGNUP", "no demo accounts", "--tcp 0.0.0.0:7021"},
			"netease1",
		},
		{
			"demo accounts not wanted",
			[]string{"--tcp", "0.0.0.0:7021", "--no-demo-accounts"},
			[]string{"/SIGNUP"},
			"note",
		},
		{
			"others at nats",
			[]string{"--nats-listen", ":4222"},
			[]string{"no demo accounts", "--nats-listen :4222", "nats-admin.txt"},
			"netease1",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			parsedUp(t, tt.args...).tell(&out, addresses{tcp: "[::]:1", http: "127.0.0.1:2"}, "nats://localhost:3")
			for _, says := range tt.says {
				if !strings.Contains(out.String(), says) {
					t.Errorf("want %q in:\n%s", says, out.String())
				}
			}
			if strings.Contains(out.String(), tt.not) {
				t.Errorf("%q is in:\n%s", tt.not, out.String())
			}
		})
	}
}

func TestTypedAs(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string]string{
		"./hall": "./hall", "/usr/local/bin/hall": "/usr/local/bin/hall", "hall": "hall",
		"/tmp/go-build123/b001/exe/hall":                                  "go run ./tools/hall",
		"/home/ann/cache/28/" + strings.Repeat("2894bcde", 8) + "-d/hall": "go run ./tools/hall",
	} {
		if got := typedAs(arg); got != want {
			t.Errorf("%s is typed as %q, want %q", arg, got, want)
		}
	}
}
