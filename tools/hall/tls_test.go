package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// selfMade gives the files of a certificate for 127.0.0.1, and what trusts it.
func selfMade(t *testing.T) (cert, key string, trusts *tls.Config) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	inPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(cert, inPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(inPEM)
	return cert, key, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
}

// TestTLS: with a certificate both ports speak TLS, to terminals, programs and browsers.
func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key, trusts := selfMade(t)
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
	cert, key, _ := selfMade(t)
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
