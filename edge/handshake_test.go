package edge_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gamehall/edge"
	"gamehall/shared/natstest"
)

// TestHandshake: whatever is wrong is refused before the upgrade.
func TestHandshake(t *testing.T) {
	t.Parallel()
	h := start(t, func(c *edge.Config) { c.AllowOrigins = []string{"https://play.example"} })
	host := h.edge.HTTPAddr().String()
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		t.Fatal(err)
	}
	origin := func(o ...string) map[string][]string { return map[string][]string{"Origin": o} }
	for name, tt := range map[string]struct {
		change map[string][]string
		status int
	}{
		"as it should be":           {nil, http.StatusSwitchingProtocols},
		"https in front of it":      {origin("https://" + host), http.StatusSwitchingProtocols},
		"an origin that is allowed": {origin("https://play.example"), http.StatusSwitchingProtocols},
		"the host in capitals":      {map[string][]string{"Host": {"LocalHost:" + port}, "Origin": {"http://localhost:" + port}}, http.StatusSwitchingProtocols},
		"other words in Connection": {map[string][]string{"Connection": {"keep-alive, Upgrade"}}, http.StatusSwitchingProtocols},
		"more than one subprotocol": {map[string][]string{"Sec-WebSocket-Protocol": {"chat, hall.v1"}}, http.StatusSwitchingProtocols},
		"compression offered":       {map[string][]string{"Sec-WebSocket-Extensions": {"permessage-deflate; client_max_window_bits"}}, http.StatusSwitchingProtocols},

		"no origin":                 {origin(), http.StatusForbidden},
		"an empty origin":           {origin(""), http.StatusForbidden},
		"the null origin":           {origin("null"), http.StatusForbidden},
		"another origin":            {origin("http://evil.example"), http.StatusForbidden},
		"two origins":               {origin("http://"+host, "http://evil.example"), http.StatusForbidden},
		"two origins in one":        {origin("http://" + host + " http://evil.example"), http.StatusForbidden},
		"a subdomain":               {map[string][]string{"Host": {"hall.example"}, "Origin": {"http://evil.hall.example"}}, http.StatusForbidden},
		"the domain above":          {map[string][]string{"Host": {"hall.example"}, "Origin": {"http://example"}}, http.StatusForbidden},
		"a suffix":                  {map[string][]string{"Host": {"hall.example"}, "Origin": {"http://evilhall.example"}}, http.StatusForbidden},
		"a prefix":                  {map[string][]string{"Host": {"hall.example"}, "Origin": {"http://hall.example.evil.example"}}, http.StatusForbidden},
		"another port":              {map[string][]string{"Host": {"hall.example:80"}, "Origin": {"http://hall.example:81"}}, http.StatusForbidden},
		"no port":                   {origin("http://127.0.0.1"), http.StatusForbidden},
		"userinfo":                  {origin("http://ann@" + host), http.StatusForbidden},
		"the host as userinfo":      {origin("http://" + host + "@evil.example"), http.StatusForbidden},
		"a path":                    {origin("http://" + host + "/"), http.StatusForbidden},
		"a query":                   {origin("http://" + host + "?"), http.StatusForbidden},
		"another scheme":            {origin("ftp://" + host), http.StatusForbidden},
		"a file":                    {origin("file://"), http.StatusForbidden},
		"no scheme":                 {origin(host), http.StatusForbidden},
		"an allowed origin, suffix": {origin("https://play.example.evil.example"), http.StatusForbidden},
		"an allowed origin, plain":  {origin("http://play.example"), http.StatusForbidden},

		"no subprotocol":        {map[string][]string{"Sec-WebSocket-Protocol": nil}, http.StatusBadRequest},
		"another subprotocol":   {map[string][]string{"Sec-WebSocket-Protocol": {"hall.v2"}}, http.StatusBadRequest},
		"a subprotocol in caps": {map[string][]string{"Sec-WebSocket-Protocol": {"HALL.V1"}}, http.StatusBadRequest},
		"a short key":           {map[string][]string{"Sec-WebSocket-Key": {"c2hvcnQ="}}, http.StatusBadRequest},
		"no key":                {map[string][]string{"Sec-WebSocket-Key": nil}, http.StatusBadRequest},
		"a nonce of 17 bytes":   {map[string][]string{"Sec-WebSocket-Key": {"AAAAAAAAAAAAAAAAAAAAAAA="}}, http.StatusBadRequest},
		"two keys":              {map[string][]string{"Sec-WebSocket-Key": {"dGhlIHNhbXBsZSBub25jZQ==", "x"}}, http.StatusBadRequest},
		"a key that is none":    {map[string][]string{"Sec-WebSocket-Key": {"************************"}}, http.StatusBadRequest},
		"version 8":             {map[string][]string{"Sec-WebSocket-Version": {"8"}}, http.StatusUpgradeRequired},
		"no version":            {map[string][]string{"Sec-WebSocket-Version": nil}, http.StatusBadRequest},
		"no upgrade":            {map[string][]string{"Upgrade": nil}, http.StatusBadRequest},
		"another upgrade":       {map[string][]string{"Upgrade": {"h2c"}}, http.StatusBadRequest},
		"no connection":         {map[string][]string{"Connection": nil}, http.StatusBadRequest},
		"connection: close":     {map[string][]string{"Connection": {"close"}}, http.StatusBadRequest},
		"POST":                  {map[string][]string{"": {"POST /ws HTTP/1.1"}, "Content-Length": {"0"}}, http.StatusMethodNotAllowed},
		"HEAD":                  {map[string][]string{"": {"HEAD /ws HTTP/1.1"}}, http.StatusMethodNotAllowed},
		"HTTP/1.0":              {map[string][]string{"": {"GET /ws HTTP/1.0"}}, http.StatusHTTPVersionNotSupported},
		"HTTP/0.9":              {map[string][]string{"": {"GET /ws"}}, http.StatusBadRequest},
		"two hosts":             {map[string][]string{"Host": {host, "evil.example"}}, http.StatusBadRequest},
		"no host":               {map[string][]string{"Host": nil}, http.StatusBadRequest},
		"a huge header":         {map[string][]string{"Cookie": {strings.Repeat("x", 8<<10)}}, http.StatusRequestHeaderFieldsTooLarge},
		"a huge path":           {map[string][]string{"": {"GET /ws?" + strings.Repeat("x", 9<<10) + " HTTP/1.1"}}, http.StatusRequestHeaderFieldsTooLarge},
		"a length and chunks":   {map[string][]string{"Content-Length": {"5"}, "Transfer-Encoding": {"chunked, identity"}}, http.StatusNotImplemented},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nc := dial(t, host)
			in := bufio.NewReader(nc)
			status, header := handshake(t, nc, in, handshakeOf(host, tt.change))
			if status != tt.status {
				t.Fatalf("status %d, want %d", status, tt.status)
			}
			if status != http.StatusSwitchingProtocols {
				return
			}
			if header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || header.Get("Sec-WebSocket-Protocol") != "hall.v1" || header.Get("Sec-WebSocket-Extensions") != "" {
				t.Errorf("it was accepted with %v", header)
			}
			c := &wsClient{t: t, nc: nc, in: in}
			c.send(ping)
			wantOutcome(t, c, "ok")
		})
	}
}

// What a client sends before it has the answer of its handshake is not lost.
func TestHandshakeAndMore(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	nc := dial(t, h.edge.HTTPAddr().String())
	c := &wsClient{t: t, nc: nc, in: bufio.NewReader(nc)}
	request := handshakeOf(h.edge.HTTPAddr().String(), nil) + string(text(ping).bytes()) + string(text(valid(4000)).bytes()[:2000])
	if status, _ := handshake(t, nc, c.in, request); status != http.StatusSwitchingProtocols {
		t.Fatalf("status %d", status)
	}
	c.write(text(valid(4000)).bytes()[2000:])
	wantOutcome(t, c, "ok")
	wantOutcome(t, c, "ok")
}

// A header that comes slowly is given up after 10 s.
func TestHandshakeSlow(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	nc := dial(t, h.edge.HTTPAddr().String())
	begun := time.Now()
	if _, err := nc.Write([]byte("GET /ws HTTP/1.1\r\nHost: hall\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := nc.SetReadDeadline(begun.Add(natstest.Wait)); err != nil {
		t.Fatal(err)
	}
	var late net.Error
	if _, err := io.Copy(io.Discard, nc); errors.As(err, &late) && late.Timeout() {
		t.Fatal("the connection stands")
	}
	if took := time.Since(begun); took < 9*time.Second || took > 12*time.Second {
		t.Errorf("closed after %v, want 10 s", took)
	}
}

// The limit of connections is told as HTTP, and each counts once.
func TestHandshakeLimit(t *testing.T) {
	t.Parallel()
	h := start(t, func(c *edge.Config) {
		c.TrustedNets = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		c.ConnectionsPerIP = 20
	})
	host := h.edge.HTTPAddr().String()
	clients := make([]*wsClient, 20) // of the 32 that may come in 10 s
	for i := range clients {
		clients[i] = messagesTo(t, h.edge)
	}
	nc := dial(t, host)
	if status, _ := handshake(t, nc, bufio.NewReader(nc), handshakeOf(host, nil)); status != http.StatusTooManyRequests {
		t.Errorf("the 21st: status %d, want %d", status, http.StatusTooManyRequests)
	}
	// One that is refused for another reason does not count.
	for range 5 {
		nc := dial(t, host)
		if status, _ := handshake(t, nc, bufio.NewReader(nc), handshakeOf(host, map[string][]string{"Origin": nil})); status != http.StatusForbidden {
			t.Fatalf("status %d", status)
		}
	}
	clients[0].write(closeCode(1000, "").bytes())
	clients[0].until()
	natstest.Eventually(t, "there is room again", func() bool {
		nc := dial(t, host)
		defer nc.Close()
		status, _ := handshake(t, nc, bufio.NewReader(nc), handshakeOf(host, nil))
		return status == http.StatusSwitchingProtocols
	})
}

// A flood of pings is answered no faster than commands are, and others do not notice.
func TestPingFlood(t *testing.T) {
	t.Parallel()
	h := start(t, func(c *edge.Config) { c.Rate, c.Burst = 50, 10 })
	flood, other := messagesTo(t, h.edge), messagesTo(t, h.edge)
	begun := time.Now()
	const pings = 60
	flood.write([]byte(strings.Repeat(string(pingOf("x").bytes()), pings)))
	other.send(ping)
	wantOutcome(t, other, "ok")
	for range pings {
		if _, payload, err := flood.read(); err != nil || payload != "x" {
			t.Fatalf("read %q, %v", payload, err)
		}
	}
	if took := time.Since(begun); took < (pings-10-1)*time.Second/50 {
		t.Errorf("%d pings were answered within %v, at 50 a second", pings, took)
	}
}
