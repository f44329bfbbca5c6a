package edge_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gamehall/edge"
	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/name"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// hall is an edge with its neighbours played: whoever says the password "123" is signed in,
// whatever is said is stored.
type hall struct {
	ns   *natstest.Server
	edge *edge.Edge
}

// start starts an edge with the neighbours that every test needs.
func start(t *testing.T, change func(*edge.Config)) *hall {
	t.Helper()
	h := &hall{ns: natstest.Run(t)}
	js := h.ns.JetStream(t)
	natstest.Answer(t, h.ns, authapi.SignIn, func(ctx context.Context, r authapi.SignInRequest) (authapi.SignInResponse, error) {
		if r.Password != "123" {
			return authapi.SignInResponse{}, fault.New(fault.WrongCredentials, "wrong account or password")
		}
		rec := h.ns.SignIn(t, r.Username, r.Edge)
		seq, err := streams.Publish(ctx, js, string(chatapi.Lobby), fmt.Sprintf("joined.%s.%d", rec.UserID, rec.Epoch()),
			event.Event{Kind: event.Joined, User: rec.User, UserID: rec.UserID, Epoch: rec.Epoch()})
		return authapi.SignInResponse{User: rec.User, UserID: rec.UserID, Session: rec.Session, Epoch: rec.Epoch(), Seq: seq, Since: rec.Since}, err
	})
	natstest.Answer(t, h.ns, authapi.SignOut, func(ctx context.Context, _ authapi.SignOutRequest) (authapi.SignOutResponse, error) {
		return authapi.SignOutResponse{}, nil
	})
	natstest.Answer(t, h.ns, chatapi.Say, func(ctx context.Context, r chatapi.SayRequest) (chatapi.SayResponse, error) {
		seq, err := streams.Publish(ctx, js, string(chatapi.Lobby), bus.NewID(), event.Event{Kind: event.Chat, From: "someone", Text: r.Text})
		return chatapi.SayResponse{Seq: seq}, err
	})
	cfg := edge.Config{NATS: h.ns.Dialer(), TrustedNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Log: natstest.Quiet()}
	if change != nil {
		change(&cfg)
	}
	var err error
	if h.edge, err = edge.Start(natstest.Context(t), cfg); err != nil {
		t.Fatalf("start edge: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), natstest.Wait)
		defer cancel()
		if err := h.edge.Stop(ctx); err != nil {
			t.Errorf("stop edge: %v", err)
		}
	})
	return h
}

// client is a player's terminal.
type client struct {
	t  *testing.T
	nc net.Conn
	in *bufio.Reader
}

func (h *hall) connect(t *testing.T) *client {
	t.Helper()
	nc, err := new(net.Dialer).DialContext(natstest.Context(t), "tcp", h.edge.TCPAddr().String())
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return &client{t: t, nc: nc, in: bufio.NewReader(nc)}
}

// signIn connects and signs user in.
func (h *hall) signIn(t *testing.T, user string) *client {
	t.Helper()
	c := h.connect(t)
	c.send("/SIGNIN " + user + " 123")
	c.want("system: welcome, " + user)
	return c
}

func (c *client) send(line string) {
	c.t.Helper()
	if _, err := c.nc.Write([]byte(line + "\n")); err != nil {
		c.t.Fatalf("send %q: %v", line, err)
	}
}

// line reads the next line, without its time.
func (c *client) line() string {
	c.t.Helper()
	if err := c.nc.SetReadDeadline(time.Now().Add(natstest.Wait)); err != nil {
		c.t.Fatal(err)
	}
	line, err := c.in.ReadString('\n')
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	const stamp = "2006-01-02 15:04:05 "
	if len(line) < len(stamp) {
		c.t.Fatalf("short line %q", line)
	}
	if _, err := time.Parse(stamp, line[:len(stamp)]); err != nil {
		c.t.Fatalf("line %q: %v", line, err)
	}
	return strings.TrimSuffix(line[len(stamp):], "\n")
}

func (c *client) want(line string) {
	c.t.Helper()
	if got := c.line(); got != line {
		c.t.Fatalf("got %q, want %q", got, line)
	}
}

// userID is the id of a user whose name is canonical.
func userID(user string) string { return name.UserID(user) }
