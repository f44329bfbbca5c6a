package edge_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"gamehall/edge"
	"gamehall/shared/event"
	"gamehall/shared/name"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// hall is an edge with its neighbours played.
type hall struct {
	*neighbours
	ns   *natstest.Server
	edge *edge.Edge

	spoiled bool // stopping cuts something off
}

// start starts an edge with neighbours that do what they are asked.
func start(t *testing.T, change func(*edge.Config)) *hall {
	t.Helper()
	return startWith(t, &neighbours{}, change)
}

// startWith starts an edge with those neighbours.
func startWith(t *testing.T, n *neighbours, change func(*edge.Config)) *hall {
	t.Helper()
	h := &hall{neighbours: n, ns: natstest.Run(t)}
	n.start(t, h.ns)
	h.edge = h.another(t, change)
	return h
}

// another starts one more edge.
func (h *hall) another(t *testing.T, change func(*edge.Config)) *edge.Edge {
	t.Helper()
	cfg := edge.Config{NATS: h.ns.Dialer(), TrustedNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Log: natstest.Quiet()}
	if change != nil {
		change(&cfg)
	}
	e, err := edge.Start(natstest.Context(t), cfg)
	if err != nil {
		t.Fatalf("start edge: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), natstest.Wait)
		defer cancel()
		if err := e.Stop(ctx); (err != nil) != h.spoiled {
			t.Errorf("stop edge: %v, want an error: %v", err, h.spoiled)
		}
	})
	return e
}

// tell stores an event in a channel, as a service does, and gives its sequence.
func (h *hall) tell(t *testing.T, channel string, e event.Event) uint64 {
	t.Helper()
	seq, err := h.store(natstest.Context(t), channel, "", e)
	if err != nil {
		t.Fatalf("tell %s: %v", channel, err)
	}
	return seq
}

// line tells the lobby a line of somebody and gives its sequence.
func (h *hall) line(t *testing.T, text string) uint64 {
	t.Helper()
	return h.tell(t, streams.LobbyChannel, event.Event{Kind: event.Chat, From: "somebody", Text: text})
}

// encode gives v as JSON.
func encode(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// record gives the session of a user.
func (h *hall) record(t *testing.T, user string) session.Record {
	t.Helper()
	e, err := h.kv.Get(natstest.Context(t), userID(user))
	if err != nil {
		t.Fatalf("the session of %s: %v", user, err)
	}
	r, err := session.Parse(e)
	if err != nil {
		t.Fatalf("the session of %s: %v", user, err)
	}
	return r
}

// ended waits until user's session was ended by its edge.
func (h *hall) ended(t *testing.T, user string) {
	t.Helper()
	select {
	case got := <-h.ends:
		if got != user {
			t.Fatalf("the session of %s was ended, want %s", got, user)
		}
	case <-natstest.Context(t).Done():
		t.Fatalf("the session of %s was not ended", user)
	}
}

// get asks the HTTP port as an operator does, and gives the status.
func (h *hall) get(t *testing.T, path string) int {
	t.Helper()
	status, _ := h.fetch(t, path)
	return status
}

func (h *hall) fetch(t *testing.T, path string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(natstest.Context(t), http.MethodGet, "http://"+h.edge.HTTPAddr().String()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

// metric gives a figure of the edge.
func (h *hall) metric(t *testing.T, name string) int {
	t.Helper()
	_, body := h.fetch(t, "/metrics")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return int(n)
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// client is a player's terminal.
type client struct {
	t  *testing.T
	nc *net.TCPConn
	in *bufio.Reader
}

func (h *hall) connect(t *testing.T) *client {
	t.Helper()
	return connectTo(t, h.edge)
}

func connectTo(t *testing.T, e *edge.Edge) *client {
	t.Helper()
	nc, err := new(net.Dialer).DialContext(natstest.Context(t), "tcp", e.TCPAddr().String())
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		t.Fatalf("connected by %T", nc)
	}
	return &client{t: t, nc: tcp, in: bufio.NewReader(tcp)}
}

// signIn connects and signs user in.
func (h *hall) signIn(t *testing.T, user string) *client {
	t.Helper()
	c := h.connect(t)
	c.send("/SIGNIN " + user + " 123")
	c.want("system: welcome, " + user)
	return c
}

func (c *client) send(lines ...string) {
	c.t.Helper()
	c.write(strings.Join(lines, "\n") + "\n")
}

// write sends bytes as they are.
func (c *client) write(data string) {
	c.t.Helper()
	if _, err := c.nc.Write([]byte(data)); err != nil {
		c.t.Fatalf("send %.80q: %v", data, err)
	}
}

const stamp = "2006-01-02 15:04:05 "

// line reads the next line, without its time.
func (c *client) line() string {
	c.t.Helper()
	if err := c.nc.SetReadDeadline(time.Now().Add(natstest.Wait)); err != nil {
		c.t.Fatal(err)
	}
	line, err := c.in.ReadString('\n')
	if err != nil {
		c.t.Fatalf("read after %q: %v", line, err)
	}
	if len(line) < len(stamp) {
		c.t.Fatalf("short line %q", line)
	}
	if _, err := time.Parse(stamp, line[:len(stamp)]); err != nil {
		c.t.Fatalf("line %q: %v", line, err)
	}
	return strings.TrimSuffix(line[len(stamp):], "\n")
}

func (c *client) want(lines ...string) {
	c.t.Helper()
	for _, line := range lines {
		if got := c.line(); got != line {
			c.t.Fatalf("got %q, want %q", got, line)
		}
	}
}

// quiet checks that nothing is on its way: the next that comes is the answer to a ping.
func (c *client) quiet() {
	c.t.Helper()
	c.send("/PING")
	c.want("system: pong")
}

// wantEnd checks that the edge closes the connection and says no more.
func (c *client) wantEnd() {
	c.t.Helper()
	if err := c.nc.SetReadDeadline(time.Now().Add(natstest.Wait)); err != nil {
		c.t.Fatal(err)
	}
	line, err := c.in.ReadString('\n')
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		c.t.Fatal("the connection was not closed")
	}
	if err == nil || line != "" {
		c.t.Fatalf("got %q, want the end", line)
	}
}

// wantCleanEnd is wantEnd, without a reset that could destroy what was said last.
func (c *client) wantCleanEnd() {
	c.t.Helper()
	if err := c.nc.SetReadDeadline(time.Now().Add(natstest.Wait)); err != nil {
		c.t.Fatal(err)
	}
	if line, err := c.in.ReadString('\n'); !errors.Is(err, io.EOF) || line != "" {
		c.t.Fatalf("got %q, %v; want the end", line, err)
	}
}

// reset closes the connection with an RST.
func (c *client) reset() {
	c.t.Helper()
	if err := errors.Join(c.nc.SetLinger(0), c.nc.Close()); err != nil {
		c.t.Fatal(err)
	}
}

// userID is the id of a user whose name is canonical.
func userID(user string) string { return name.UserID(user) }
