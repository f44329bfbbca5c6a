package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"gamehall/shared/natstest"
)

// TestTLS: with a certificate both ports speak TLS, to terminals, programs and browsers.
func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key, trusts := natstest.Certificate(t)
	at := openDoors(t, "--tls-cert", cert, "--tls-key", key, "--game21-first", "1h")
	if !strings.HasPrefix(at.web, "https://") {
		t.Errorf("people are told to open %s", at.web)
	}
	secured := func(addr string) net.Conn {
		t.Helper()
		nc, err := (&tls.Dialer{Config: trusts}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
		return nc
	}
	nc := secured(at.tcp)
	one := &terminal{t: t, nc: nc, in: bufio.NewReader(nc)}
	one.send("/SIGNIN netease1 123")
	if got := one.line(); got != "system: welcome, netease1" {
		t.Fatalf("a terminal was told %q", got)
	}
	nc = secured(at.tcp)
	two := &program{t: t, nc: nc, in: bufio.NewReader(nc)}
	two.asks(`{"id":"1","type":"signin","username":"netease2","password":"123"}`)
	d := ws.Dialer{Protocols: []string{"hall.v1"}, TLSConfig: trusts, Header: ws.HandshakeHeaderHTTP(http.Header{"Origin": {"https://" + at.http}})}
	nc, early, _, err := d.Dial(t.Context(), "wss://"+at.http+"/ws")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	if early == nil {
		early = bufio.NewReader(nc)
	}
	three := &program{t: t, nc: nc, in: early, socket: true}
	three.asks(`{"id":"1","type":"signin","username":"netease3","password":"123"}`)
	for _, want := range []string{"system: netease2 joined the hall", "system: netease3 joined the hall"} {
		if got := one.line(); got != want {
			t.Fatalf("a terminal was told %q, want %q", got, want)
		}
	}
	if got := two.want(); got.Event != "joined" || got.User != "netease3" {
		t.Errorf("a program was told %+v", got)
	}
}

func TestTLSFlags(t *testing.T) {
	t.Parallel()
	cert, key, _ := natstest.Certificate(t)
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"--tls-cert", cert}, "--tls-key"},
		{[]string{"--tls-key", key}, "--tls-cert"},
	} {
		if _, err := parsed(t, append([]string{"up"}, tt.args...)...); !errors.As(err, new(usageError)) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%v: %v, want %s asked for", tt.args, err, tt.says)
		}
	}
	// What leaves this machine is encrypted, or the operator is told that it is not.
	for _, tt := range []struct {
		args []string
		warn bool
	}{
		{nil, false},
		{[]string{"--tcp", "0.0.0.0:7021"}, true},
		{[]string{"--http", "0.0.0.0:7080"}, true},
		{[]string{"--tcp", "0.0.0.0:7021", "--tls-cert", cert, "--tls-key", key}, false},
	} {
		var told bytes.Buffer
		up := parsedUp(t, tt.args...)
		up.warnPlain(slog.New(slog.NewTextHandler(&told, nil)))
		if warned := strings.Contains(told.String(), "unencrypted"); warned != tt.warn {
			t.Errorf("%v: logged %q, want a warning: %v", tt.args, told.String(), tt.warn)
		}
	}
}
