package crowd_test

import (
	"context"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"gamehall/edge"
	"gamehall/services/account"
	"gamehall/services/auth"
	"gamehall/services/chat"
	"gamehall/services/game21"
	"gamehall/services/room"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
	"gamehall/tools/check/crowd"
	"gamehall/tools/check/history"
	"gamehall/tools/check/verify"
)

// TestCrowd lets a small crowd play in a hall that nobody breaks: what it wrote down keeps all
// promises, and there is enough of it.
func TestCrowd(t *testing.T) {
	t.Parallel()
	h := startHall(t)
	dir := filepath.Join(t.TempDir(), "run")
	folder, err := history.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	run := history.Run{
		Name: "test", Seed: 1, Wall: time.Now(), Start: history.Now(), Nodes: []string{"nats-1"},
		Settings: history.Settings{
			Edges: []string{"edge-1", "edge-2"}, Replicas: 1, Copies: 1,
			RoundPeriod: history.Duration(period), RoundDuration: history.Duration(duration),
		},
	}
	c, err := crowd.Start(t.Context(), crowd.Config{
		Run: "test", Seed: 1, Clients: 8, Folder: folder, Secret: "open-sesame", Think: 50 * time.Millisecond,
		Edges: func(string) ([]crowd.Endpoint, error) { return h.edges, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	play := time.NewTimer(3 * time.Second)
	<-play.C
	run.Healed = history.Now()
	c.Calm()
	run.Quiet = history.Now()
	if err := c.Quiet(natstest.Context(t), 1200*time.Millisecond); err != nil {
		t.Error(err)
	}
	c.Final()
	run.End = history.Now()
	if err := c.Leave(); err != nil {
		t.Fatal(err)
	}
	if err := folder.WriteStream("nats-1", h.messages(t)); err != nil {
		t.Fatal(err)
	}
	if err := folder.Finish(run); err != nil {
		t.Fatal(err)
	}
	read, err := history.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	report, err := verify.Check(read, verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if report.Verdict == verify.Violated {
		report.WriteText(t.Output(), read)
		t.Error("the crowd saw a promise broken")
	}
	if n := report.Counts; n.Acked < 50 || n.Received < 300 || n.Unknown > 20 {
		t.Errorf("%d acknowledged, %d received, %d unknown", n.Acked, n.Received, n.Unknown)
	}
	if len(c.Secrets()) < 8 {
		t.Errorf("the crowd knows %d secrets", len(c.Secrets()))
	}
}

const period, duration = 4 * time.Second, time.Second

// whole is a hall in this process.
type whole struct {
	ns    *natstest.Server
	edges []crowd.Endpoint
}

// startHall starts one of each service and two edges.
func startHall(t *testing.T) *whole {
	t.Helper()
	ns := natstest.Run(t)
	log, data := natstest.Quiet(), t.TempDir()
	dialer := ns.Dialer()
	ctx := natstest.Context(t)
	up(t)(auth.Start(ctx, auth.Config{NATS: dialer, Data: data, Log: log, PasswordMin: 6, PasswordHash: "m=8,t=1,p=1"}))
	up(t)(account.Start(ctx, account.Config{NATS: dialer, Data: data, Log: log}))
	up(t)(chat.Start(ctx, chat.Config{NATS: dialer, Log: log}))
	up(t)(room.Start(ctx, room.Config{NATS: dialer, Log: log}))
	up(t)(game21.Start(ctx, game21.Config{NATS: dialer, Data: data, Log: log, Period: period, Duration: duration}))
	h := &whole{ns: ns}
	for _, name := range []string{"edge-1", "edge-2"} {
		e, err := edge.Start(ctx, edge.Config{
			NATS: dialer, Log: log, TCP: "127.0.0.1:0", HTTP: "127.0.0.1:0", ConnectionsPerIP: 100,
			TrustedNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		})
		up(t)(e, err)
		h.edges = append(h.edges, crowd.Endpoint{Name: name, TCP: e.TCPAddr().String(), HTTP: e.HTTPAddr().String()})
	}
	return h
}

// up stops with the test what was started.
func up(t *testing.T) func(stopper, error) {
	t.Helper()
	return func(s stopper, err error) {
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), natstest.Wait)
			defer cancel()
			if err := s.Stop(ctx); err != nil {
				t.Errorf("stop: %v", err)
			}
		})
	}
}

type stopper interface {
	Stop(ctx context.Context) error
}

// messages reads both streams.
func (h *whole) messages(t *testing.T) func(func(history.Message, error) bool) {
	t.Helper()
	js := h.ns.JetStream(t)
	return func(yield func(history.Message, error) bool) {
		for _, stream := range []string{streams.Events, streams.Game21} {
			err := streams.RangeOf(t.Context(), js, stream, ">", 0, 1<<40, func(m streams.Msg) bool {
				return yield(history.Message{
					Stream: stream, Seq: m.Seq, Subject: m.Subject, ID: m.ID, Time: m.At, Data: jsontext.Value(m.Data),
				}, nil)
			})
			if err != nil {
				t.Error(err)
			}
		}
	}
}
