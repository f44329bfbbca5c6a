package edge_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/chatapi"
	"gamehall/shared/event"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// flood tells the lobby n lines of 2,000 bytes, numbered from the first on.
func (h *hall) flood(t *testing.T, first, n int) {
	t.Helper()
	var last jetstream.PubAckFuture
	for i := range n {
		text := fmt.Sprintf("line %d %s", first+i, strings.Repeat("x", 1980))
		var err error
		if last, err = h.js.PublishAsync(streams.Subject(streams.LobbyChannel), encode(t, event.Event{Kind: event.Chat, From: "somebody", Text: text}), jetstream.WithStallWait(natstest.Wait)); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-h.js.PublishAsyncComplete():
	case <-natstest.Context(t).Done():
		t.Fatal("the lines are not stored")
	}
	select {
	case err := <-last.Err():
		t.Fatal(err)
	default:
	}
}

// wantFlood reads n lines of a flood, numbered from the first on.
func (c *client) wantFlood(first, n int) {
	c.t.Helper()
	for i := range n {
		if got, want := c.line(), fmt.Sprintf("somebody: line %d ", first+i); !strings.HasPrefix(got, want) {
			c.t.Fatalf("got %.40q, want %q", got, want)
		}
	}
}

// A client that stops reading in a busy lobby is closed, with the reason, once much waits for
// it and it has taken nothing for 5 s. Nobody else notices. What it has not had ends with a
// whole line.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	const many = 6000 // 12 MB: more than the kernel holds, and 4 MiB
	h := start(t, nil)
	ann, eve := h.signIn(t, "ann"), h.connect(t)
	if err := eve.nc.SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	eve.send("/SIGNIN eve 123")
	eve.want("system: welcome, eve")
	ann.want("system: eve joined the hall")
	// A little waits for long.
	h.flood(t, 0, 500)
	ann.wantFlood(0, 500)
	h.edge.Sweep(time.Now().Add(30 * time.Second))
	eve.wantFlood(0, 500)
	// Much waits, but not for long.
	for first := 500; first < 500+many; first += 500 {
		h.flood(t, first, 500)
		ann.wantFlood(first, 500)
	}
	natstest.Eventually(t, "the socket is full", func() bool { return h.metric(t, "hall_edge_stalled_connections") == 1 })
	h.edge.Sweep(time.Now().Add(-time.Second))
	if h.edge.Closing() != 0 {
		t.Fatal("closed at once")
	}
	h.edge.Sweep(time.Now().Add(6 * time.Second))
	if err := eve.nc.SetReadDeadline(time.Now().Add(natstest.Wait)); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(eve.in)
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatalf("the last words were destroyed: %v", err)
	}
	rest := strings.Split(strings.TrimSuffix(string(all), "\n"), "\n")
	for i, line := range rest {
		want := fmt.Sprintf("somebody: line %d ", 500+i)
		if i == len(rest)-1 {
			want = "system: you read too slowly, please connect again"
		}
		if len(line) < len(stamp) || !strings.HasPrefix(line[len(stamp):], want) {
			t.Fatalf("line %d of %d is %.60q, want %q", i, len(rest), line, want)
		}
	}
	ann.want("system: eve left the hall")
	ann.quiet()
	natstest.Eventually(t, "the connection is gone", func() bool { return h.metric(t, "hall_edge_connections") == 1 })
	if got := h.metric(t, `hall_edge_closed_connections_total{reason="slow_consumer"}`); got != 1 {
		t.Errorf("%d connections were closed for reading too slowly, want 1", got)
	}
}

// A slow client that takes its bytes as it can gets them all, whole and in order, with the
// answers to its commands between them.
func TestSlowButSteadyReader(t *testing.T) {
	t.Parallel()
	const many = 2000
	h := start(t, nil)
	eve := h.connect(t)
	if err := eve.nc.SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	eve.send("/SIGNIN eve 123")
	eve.want("system: welcome, eve")
	h.flood(t, 0, many)
	eve.send("/PING", "/ROUND", "/PING")
	answers := map[string]int{"system: pong": 2, "system: no round is open": 1}
	for i := 0; i < many; {
		line := eve.line()
		if strings.HasPrefix(line, fmt.Sprintf("somebody: line %d ", i)) {
			i++
			continue
		}
		if answers[line]--; answers[line] < 0 {
			t.Fatalf("got %.60q, want line %d", line, i)
		}
	}
	for left := answers["system: pong"] + answers["system: no round is open"]; left > 0; left-- {
		if line := eve.line(); answers[line] == 0 {
			t.Fatalf("got %.60q, want one of %v", line, answers)
		} else {
			answers[line]--
		}
	}
	eve.quiet()
}

// Whoever asks for much and reads it in its own time gets all of it: the next command waits
// until most of what was asked for before has been read.
func TestReaderOfMuchHistory(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	events := make([]event.Stored, chatapi.HistoryMost)
	for i := range events {
		events[i].Event = event.Event{Kind: event.Chat, From: "ann", Text: strings.Repeat("x", 2000)}
	}
	natstest.Answer(t, h.ns, chatapi.History, func(context.Context, chatapi.HistoryRequest) (chatapi.HistoryResponse, error) {
		return chatapi.HistoryResponse{Events: events}, nil
	})
	eve := h.signIn(t, "eve")
	const times = 100 // some 20 MB
	eve.send(slices.Repeat([]string{"/HISTORY 100"}, times)...)
	natstest.Eventually(t, "the socket is full", func() bool { return h.metric(t, "hall_edge_stalled_connections") == 1 })
	for i := range times * len(events) {
		if line := eve.line(); !strings.HasPrefix(line, "ann: xxx") {
			t.Fatalf("line %d is %.60q", i, line)
		}
	}
	eve.quiet()
}
