package edge_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gamehall/edge"
	"gamehall/shared/natstest"
)

// secured starts a hall whose edge speaks TLS.
func secured(t *testing.T) (*hall, *tls.Config) {
	t.Helper()
	cert, key, trusts := natstest.Certificate(t)
	return start(t, func(c *edge.Config) { c.TLSCert, c.TLSKey = cert, key }), trusts
}

func dialTLS(t *testing.T, addr string, trusts *tls.Config) *tls.Conn {
	t.Helper()
	nc := tls.Client(dial(t, addr), trusts)
	if err := nc.HandshakeContext(natstest.Context(t)); err != nil {
		t.Fatalf("handshake: %v", err)
	}
	return nc
}

// Lines, frames and messages over TLS: all hear each other.
func TestTLS(t *testing.T) {
	t.Parallel()
	h, trusts := secured(t)
	ann := dialTLS(t, h.edge.TCPAddr().String(), trusts)
	in := bufio.NewReader(ann)
	want := func(text string) {
		t.Helper()
		if err := ann.SetReadDeadline(time.Now().Add(natstest.Wait)); err != nil {
			t.Fatal(err)
		}
		if line, err := in.ReadString('\n'); err != nil || line[len(stamp):] != text+"\n" {
			t.Fatalf("read %q, %v; want %q", line, err, text)
		}
	}
	say := func(line string) {
		t.Helper()
		if _, err := ann.Write([]byte(line + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	say("/SIGNIN ann 123")
	want("system: welcome, ann")

	nc := dialTLS(t, h.edge.TCPAddr().String(), trusts)
	bob := &frameClient{t: t, nc: nc, in: bufio.NewReader(nc)}
	enter(t, bob, "bob")
	want("system: bob joined the hall")

	nc = dialTLS(t, h.edge.HTTPAddr().String(), trusts)
	if p := nc.ConnectionState().NegotiatedProtocol; p == "h2" {
		t.Error("HTTP/2 is offered, over which no WebSocket can be opened")
	}
	cat := &wsClient{t: t, nc: nc, in: bufio.NewReader(nc)}
	host := h.edge.HTTPAddr().String()
	request := handshakeOf(host, map[string][]string{"Origin": {"https://" + host}})
	if status, _ := handshake(t, nc, cat.in, request); status != http.StatusSwitchingProtocols {
		t.Fatalf("handshake: status %d", status)
	}
	enter(t, cat, "cat")
	want("system: cat joined the hall")
	wantOutcome(t, bob, "joined cat")

	// More than a record holds, and more than a socket takes at once.
	long := strings.Repeat("x", 1900)
	for range 200 {
		h.line(t, long)
	}
	for range 200 {
		want("somebody: " + long)
		wantOutcome(t, bob, "chat "+long)
		wantOutcome(t, cat, "chat "+long)
	}
	// Its last words arrive, and then TLS's.
	say("/QUIT")
	want("system: bye, ann")
	if _, err := in.ReadString('\n'); !errors.Is(err, io.EOF) {
		t.Errorf("after the last word: %v, want a clean end", err)
	}
	wantOutcome(t, bob, "left ann")
	cat.write(closeCode(1000, "").bytes())
	if got := cat.until(); len(got) != 3 || got[1] != "close 1000" {
		t.Errorf("after its close: %q", got)
	}
}

// Who speaks TLS where it is not spoken, or does not where it is, is told so by the end of the
// connection, at once.
func TestTLSOrNot(t *testing.T) {
	t.Parallel()
	plain := start(t, nil)
	secret, trusts := secured(t)
	ends := func(t *testing.T, nc net.Conn, send string) {
		t.Helper()
		begun := time.Now()
		if _, err := nc.Write([]byte(send)); err != nil {
			t.Fatal(err)
		}
		if err := nc.SetReadDeadline(begun.Add(natstest.Wait)); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(nc)
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			t.Fatal("the connection stands")
		}
		if len(got) != 0 || time.Since(begun) > 5*time.Second {
			t.Errorf("it said %q, and ended after %v", got, time.Since(begun))
		}
	}
	for name, addr := range map[string]string{"tcp": secret.edge.TCPAddr().String(), "http": secret.edge.HTTPAddr().String()} {
		for _, send := range []string{"/", "/PING\n", "\x00\x00\x00\x17" + ping, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"} {
			t.Run("plain to "+name, func(t *testing.T) {
				t.Parallel()
				ends(t, dial(t, addr), send)
			})
		}
	}
	for name, addr := range map[string]string{"tcp": plain.edge.TCPAddr().String(), "http": plain.edge.HTTPAddr().String()} {
		t.Run("tls to "+name, func(t *testing.T) {
			t.Parallel()
			ends(t, dial(t, addr), "\x16\x03\x01")
			begun := time.Now()
			if err := tls.Client(dial(t, addr), trusts).HandshakeContext(natstest.Context(t)); err == nil || time.Since(begun) > 5*time.Second {
				t.Errorf("the handshake ended with %v after %v", err, time.Since(begun))
			}
		})
	}
}

// A handshake that is begun must end within 10 s.
func TestTLSSlowHandshake(t *testing.T) {
	t.Parallel()
	h, _ := secured(t)
	for _, addr := range []string{h.edge.TCPAddr().String(), h.edge.HTTPAddr().String()} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			nc := dial(t, addr)
			begun := time.Now()
			if _, err := nc.Write([]byte("\x16\x03\x01\x02\x00\x01")); err != nil {
				t.Fatal(err)
			}
			if err := nc.SetReadDeadline(begun.Add(natstest.Wait)); err != nil {
				t.Fatal(err)
			}
			var late net.Error
			if _, err := io.Copy(io.Discard, nc); errors.As(err, &late) && late.Timeout() {
				t.Fatal("the connection stands")
			}
			if took := time.Since(begun); took < 9*time.Second || took > 13*time.Second {
				t.Errorf("closed after %v, want 10 s", took)
			}
		})
	}
}

// An edge that stops says so over TLS, too.
func TestTLSStop(t *testing.T) {
	t.Parallel()
	h, trusts := secured(t)
	nc := dialTLS(t, h.edge.TCPAddr().String(), trusts)
	bob := &frameClient{t: t, nc: nc, in: bufio.NewReader(nc)}
	enter(t, bob, "bob")
	stopped := make(chan error, 1)
	go func() { stopped <- h.edge.Stop(natstest.Context(t)) }()
	if got := bob.rest(); len(got) != 1 || got[0] != "closing restart" {
		t.Errorf("it was told %q", got)
	}
	_ = nc.Close()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestTLSRefusesToStart(t *testing.T) {
	t.Parallel()
	cert, key, _ := natstest.Certificate(t)
	other, _, _ := natstest.Certificate(t)
	ns := natstest.Run(t)
	for name, files := range map[string][2]string{
		"no key": {cert, ""}, "no certificate": {"", key}, "a key of another": {other, key},
		"no such file": {cert + "x", key}, "the wrong way round": {key, cert},
	} {
		e, err := edge.Start(natstest.Context(t), edge.Config{NATS: ns.Dialer(), TLSCert: files[0], TLSKey: files[1], Log: natstest.Quiet()})
		if err == nil {
			t.Errorf("%s: it started", name)
			_ = e.Stop(natstest.Context(t))
			continue
		}
		if !strings.Contains(err.Error(), "the certificate "+files[0]+" with the key "+files[1]) {
			t.Errorf("%s: %v, want the files named", name, err)
		}
	}
}
