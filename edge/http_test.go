package edge_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"gamehall/edge"
	"gamehall/shared/natstest"
)

func dialHTTP(t *testing.T, h *hall) net.Conn {
	t.Helper()
	nc, err := new(net.Dialer).DialContext(natstest.Context(t), "tcp", h.edge.HTTPAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(natstest.Wait)); err != nil {
		t.Fatal(err)
	}
	return nc
}

// A browser connects before it has anything to ask; an edge that stops does not fail for it.
func TestStopWithSilentHTTP(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	for _, begun := range []string{"", "GET / HT", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"} {
		nc := dialHTTP(t, h)
		if _, err := io.WriteString(nc, begun); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(natstest.Context(t), 10*time.Second)
	defer cancel()
	if err := h.edge.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// One address holds so many HTTP connections and no more; a trusted one as many as it likes.
func TestHTTPConnectionsOfAnAddress(t *testing.T) {
	t.Parallel()
	h := start(t, func(cfg *edge.Config) { cfg.TrustedNets, cfg.ConnectionsPerIP = nil, 2 })
	ask := func(nc net.Conn) error {
		if _, err := io.WriteString(nc, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			return err
		}
		resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return errors.Join(err, resp.Body.Close())
	}
	first, second := dialHTTP(t, h), dialHTTP(t, h)
	for _, nc := range []net.Conn{first, second} {
		if err := ask(nc); err != nil {
			t.Fatalf("a connection within the limit: %v", err)
		}
	}
	if err := ask(dialHTTP(t, h)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("one connection too many: %v, want it closed", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	natstest.Eventually(t, "there is room again", func() bool { return ask(dialHTTP(t, h)) == nil })
	if err := ask(second); err != nil {
		t.Errorf("the one that stayed: %v", err)
	}
}

// A name that was made to mean this machine gives its page no way in.
func TestDNSRebinding(t *testing.T) {
	t.Parallel()
	h := start(t, func(cfg *edge.Config) { cfg.AllowOrigins = []string{"https://hall.example"} })
	_, port, err := net.SplitHostPort(h.edge.HTTPAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{
		"evil.example": http.StatusForbidden, "evil.example:" + port: http.StatusForbidden,
		"127.0.0.1.evil.example": http.StatusForbidden, "192.0.2.1": http.StatusForbidden,
		"127.0.0.1:" + port: http.StatusSwitchingProtocols, "localhost:" + port: http.StatusSwitchingProtocols,
		"[::1]:" + port: http.StatusSwitchingProtocols,
	} {
		for _, origin := range []string{"http://" + host, "https://hall.example"} {
			nc := dialHTTP(t, h)
			_, err := io.WriteString(nc, "GET /ws HTTP/1.1\r\nHost: "+host+"\r\nOrigin: "+origin+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: hall.v1\r\n\r\n")
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if origin == "https://hall.example" {
				want = http.StatusSwitchingProtocols
			}
			if resp.StatusCode != want {
				t.Errorf("host %s, origin %s: %d, want %d", host, origin, resp.StatusCode, want)
			}
		}
	}
}
