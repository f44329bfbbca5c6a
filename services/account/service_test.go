package account

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"

	"gamehall/shared/accountapi"
	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/event"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
	"gamehall/shared/storagetest"
	"gamehall/shared/streams"
)

// start runs a copy of the service on the database in dir until the test ends.
func start(t *testing.T, ns *natstest.Server, dir string) *Service {
	t.Helper()
	return startWith(t, ns, Config{Data: dir})
}

// startOn runs a copy of the service on the database d until the test ends.
func startOn(t *testing.T, ns *natstest.Server, d storagetest.Database) *Service {
	t.Helper()
	return startWith(t, ns, Config{DB: d.DB, Data: d.Data})
}

func startWith(t *testing.T, ns *natstest.Server, cfg Config) *Service {
	t.Helper()
	cfg.NATS = ns.Dialer()
	if cfg.Log == nil {
		cfg.Log = natstest.Quiet()
	}
	s, err := Start(natstest.Context(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

// stop may be called twice.
func stop(t *testing.T, s *Service) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), natstest.Wait)
	defer cancel()
	if err := s.Stop(ctx); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("stop: %v", err)
	}
}

// until waits for ok.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	ctx := natstest.Context(t)
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("still waiting: %s", what)
		case <-tick.C:
		}
	}
}

// tell stores joined or left of r as auth does.
func tell(t *testing.T, ns *natstest.Server, kind string, r session.Record, edit func(*event.Event)) streams.Msg {
	t.Helper()
	e := event.Event{Kind: kind, User: r.User, UserID: r.UserID, Epoch: r.Epoch(), Edge: r.Edge, Since: r.Since}
	if edit != nil {
		edit(&e)
	}
	js := ns.JetStream(t)
	if _, err := streams.Publish(natstest.Context(t), js, string(chatapi.Lobby), bus.NewID(), e); err != nil {
		t.Fatal(err)
	}
	m, _, err := streams.Last(natstest.Context(t), js, streams.Events, string(chatapi.Lobby))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// lease renews the lease of an edge and gives the server's time of it.
func lease(t *testing.T, ns *natstest.Server, edge string) time.Time {
	t.Helper()
	kv, err := ns.JetStream(t).KeyValue(natstest.Context(t), streams.Edges)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(session.Lease{Edge: edge, Since: time.Now().UTC()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(natstest.Context(t), edge, data); err != nil {
		t.Fatal(err)
	}
	e, err := kv.Get(natstest.Context(t), edge)
	if err != nil {
		t.Fatal(err)
	}
	return exact(e.Created())
}

// stored gives the session of r as the database has it; the zero span when it has none.
func stored(t *testing.T, s *Service, r session.Record) span {
	t.Helper()
	have, _, err := one(s.store.db.WithContext(natstest.Context(t)), span{UserID: r.UserID, Epoch: r.Epoch()})
	if err != nil {
		t.Fatal(err)
	}
	return have
}

// seen waits until the database knows that edge lived at that time.
func seen(t *testing.T, s *Service, edge string, at time.Time) {
	t.Helper()
	until(t, "the renewal is stored", func() bool {
		have, err := seenOf(s.store.db.WithContext(natstest.Context(t)), edge)
		return err == nil && have.Equal(at)
	})
}

// seconds asks for r's online time.
func seconds(t *testing.T, nc *nats.Conn, r session.Record) int64 {
	t.Helper()
	resp, err := accountapi.OnlineTime.Call(natstest.As(natstest.Context(t), r), nc, accountapi.OnlineTimeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return resp.Seconds
}

// began is a session of user that ended before, seconds ago and so long.
func began(user string, epoch uint64, ago, long time.Duration) (session.Record, time.Time) {
	r := session.Record{User: user, UserID: "id-" + user, Claimed: epoch, Edge: "edge1", Since: exact(time.Now().Add(-ago))}
	return r, r.Since.Add(long)
}

// Run ends well when it is told to, also while it waits for a NATS that is not there.
func TestRun(t *testing.T) {
	t.Parallel()
	t.Run("serving", func(t *testing.T) {
		t.Parallel()
		ns := natstest.Run(t)
		nc := ns.Connect(t)
		ann := ns.SignIn(t, "ann", "edge1")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- Run(ctx, Config{NATS: ns.Dialer(), Data: t.TempDir(), Log: natstest.Quiet()}) }()
		seconds(t, nc, ann)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Run("no nats", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		cfg := Config{NATS: bus.Dialer{URL: "nats://127.0.0.1:1", Log: natstest.Quiet()}, Data: t.TempDir(), Log: natstest.Quiet()}
		if err := Run(ctx, cfg); err == nil {
			t.Error("it ran without nats")
		}
	})
}
