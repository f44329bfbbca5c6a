//go:build postgres

package account

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gamehall/shared/accountapi"
	"gamehall/shared/bus"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/storagetest"
)

// The stores' race, while connections are cut.
func TestTwoStoresAreCutOff(t *testing.T) {
	t.Parallel()
	d := storagetest.Postgres(t)
	admin := storagetest.Admin(t, d)
	twoStores(t, d, func() {
		_, err := admin.Exec(natstest.Context(t), `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		if err != nil {
			t.Error(err)
		}
	})
}

// While Postgres is away, what is told waits in the stream, and a question is answered
// unavailable in time; once it is back all of it is stored, by two copies, once.
func TestPostgresIsAway(t *testing.T) {
	t.Parallel()
	server := storagetest.StartServer(t)
	d := server.Database(t)
	ns := natstest.Run(t)
	log := &natstest.Output{}
	s := startWith(t, ns, Config{DB: d.DB, Log: slog.New(slog.NewTextHandler(log, nil))})
	startOn(t, ns, d)
	ann := ns.SignIn(t, "ann", "edge1")
	server.Stop(t, syscall.SIGQUIT)
	const sessions = 20
	for n := range sessions {
		r, end := began("bob", uint64(n+1), time.Hour-time.Duration(n)*time.Minute, 30*time.Second)
		tell(t, ns, event.Joined, r, nil)
		tell(t, ns, event.Left, r, func(e *event.Event) { e.Until = end })
	}
	_, err := accountapi.OnlineTime.Call(natstest.As(natstest.Context(t), ann), ns.Connect(t), accountapi.OnlineTimeRequest{}, bus.Attempt(natstest.Wait))
	if code := fault.CodeOf(err); code != fault.Unavailable {
		t.Errorf("online time while postgres is away: %v, want unavailable", err)
	}
	server.Start(t)
	drained(t, s, ns)
	all, err := s.store.of(natstest.Context(t), "id-bob")
	if err != nil {
		t.Fatal(err)
	}
	if got := online(all); got != sessions*30*time.Second {
		t.Errorf("bob was online %v in %d sessions, want 10 min in %d", got, len(all), sessions)
	}
	if log.Count("internal") > 0 {
		t.Error("it was an internal error")
	}
}

// BenchmarkTell is how fast two copies store, each a batch at a time.
func BenchmarkTell(b *testing.B) {
	d := storagetest.Postgres(b)
	var stores [2]*store
	for i := range stores {
		s, err := openStore(b.Context(), d.At(b, "account"), natstest.Quiet())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.close() })
		stores[i] = s
	}
	base := exact(time.Now().Add(-time.Hour))
	for _, copies := range []int{1, 2} {
		b.Run(fmt.Sprint("copies=", copies), func(b *testing.B) {
			var user atomic.Uint64
			b.SetParallelism(1)
			done := make(chan error, copies)
			for i := range copies {
				go func() {
					var err error
					for n := i; n < b.N && err == nil; n += copies {
						batch := make([]told, batchMost)
						for k := range batch {
							id := fmt.Sprint("user", user.Add(1))
							batch[k] = told{span: span{UserID: id, Epoch: 1, User: id, Edge: "edge1", Since: base}, By: base}
						}
						err = stores[i].tell(context.WithoutCancel(b.Context()), batch)
					}
					done <- err
				}()
			}
			for range copies {
				if err := <-done; err != nil {
					b.Error(err)
				}
			}
			b.ReportMetric(float64(b.N*batchMost)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
