package account

import (
	"database/sql"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"gamehall/shared/chatapi"
	"gamehall/shared/event"
	"gamehall/shared/name"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
	"gamehall/shared/storagetest"
	"gamehall/shared/streams"
)

// drained waits until everything that the lobby holds is stored and acknowledged.
func drained(t *testing.T, s *Service, ns *natstest.Server) {
	t.Helper()
	last, _, err := streams.Last(natstest.Context(t), ns.JetStream(t), streams.Events, string(chatapi.Lobby))
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the consumer has caught up", func() bool {
		done, err := s.caughtUp(natstest.Context(t), last.Seq)
		return err == nil && done
	})
}

// Replayed, doubled, out of order, among lines of chat, by one copy or two: the rows are
// the same, and the sum is.
func TestEventsInAnyOrder(t *testing.T) {
	t.Parallel()
	for copies := 1; copies <= 2; copies++ {
		t.Run(fmt.Sprint(copies, " copies"), func(t *testing.T) {
			t.Parallel()
			storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
				ns := natstest.Run(t)
				s := startOn(t, ns, d)
				if copies == 2 {
					startOn(t, ns, d)
				}
				js := ns.JetStream(t)
				var records []session.Record
				var events []event.Event
				for user := range 5 {
					for i := range 20 {
						r, end := began(fmt.Sprint("user", user), uint64(i+1), time.Hour-time.Duration(i)*time.Minute, 30*time.Second)
						records = append(records, r)
						e := event.Event{Kind: event.Joined, User: r.User, UserID: r.UserID, Epoch: r.Epoch(), Edge: r.Edge, Since: r.Since}
						l := e
						l.Kind, l.Until = event.Left, end
						events = append(events, e, l, l, e, event.Event{Kind: event.Chat, From: r.User, Text: "hi"})
					}
				}
				rand.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
				for i, e := range events {
					if _, err := streams.Publish(natstest.Context(t), js, string(chatapi.Lobby), fmt.Sprint("m", i), e); err != nil {
						t.Fatal(err)
					}
				}
				drained(t, s, ns)
				for _, r := range records {
					if got := stored(t, s, r); !got.Since.Equal(r.Since) || !got.Until.Equal(r.Since.Add(30*time.Second)) {
						t.Errorf("%s %d: %+v, want 30 s from %v", r.User, r.Epoch(), got, r.Since)
					}
				}
				all, err := s.store.of(natstest.Context(t), "id-user0")
				if err != nil {
					t.Fatal(err)
				}
				if got := online(all); got != 20*30*time.Second {
					t.Errorf("user0 was online %v, want 10 min", got)
				}
			})
		})
	}
}

// What happened while no copy ran is stored by the next one, on the same database.
func TestRestartCatchesUp(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		ns := natstest.Run(t)
		s := startOn(t, ns, d)
		ann, end := began("ann", 1, time.Hour, time.Minute)
		tell(t, ns, event.Joined, ann, nil)
		drained(t, s, ns)
		stop(t, s)
		tell(t, ns, event.Left, ann, func(e *event.Event) { e.Until = end })
		again, end2 := began("ann", 2, 30*time.Minute, time.Minute)
		tell(t, ns, event.Joined, again, nil)
		tell(t, ns, event.Left, again, func(e *event.Event) { e.Until = end2 })
		s = startOn(t, ns, d)
		drained(t, s, ns)
		all, err := s.store.of(natstest.Context(t), ann.UserID)
		if err != nil {
			t.Fatal(err)
		}
		if got := online(all); len(all) != 2 || got != 2*time.Minute {
			t.Errorf("%v in %d sessions, want 2 min in 2", got, len(all))
		}
	})
}

// An event that cannot be read is tried, told once and passed over; the next one counts.
func TestPoison(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	log := &natstest.Output{}
	s := startWith(t, ns, Config{Data: t.TempDir(), Log: slog.New(slog.NewTextHandler(log, nil))})
	js := ns.JetStream(t)
	for _, poison := range []string{"{broken", `{"event":"joined","user":"ann"}`} {
		if _, err := js.Publish(natstest.Context(t), string(chatapi.Lobby), []byte(poison)); err != nil {
			t.Fatal(err)
		}
	}
	ann, _ := began("ann", 1, time.Hour, time.Minute)
	tell(t, ns, event.Joined, ann, nil)
	drained(t, s, ns)
	if got := log.Count("cannot be read and is passed over"); got != 2 {
		t.Errorf("told %d times, want once for each", got)
	}
	if stored(t, s, ann).Epoch != 1 {
		t.Error("what came after it is not stored")
	}
	c, err := js.Consumer(natstest.Context(t), streams.Events, durable)
	if err != nil {
		t.Fatal(err)
	}
	// Three tries of each of the two, one of the third.
	if got := c.CachedInfo().Delivered.Consumer; got != 2*tries+1 {
		t.Errorf("%d deliveries, want %d", got, 2*tries+1)
	}
}

// While another program has the SQLite database locked, online time is told, and what is to be
// stored waits.
func TestLockedDatabase(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	dir := t.TempDir()
	log := &natstest.Output{}
	s := startWith(t, ns, Config{Data: dir, Log: slog.New(slog.NewTextHandler(log, nil))})
	ann := ns.SignIn(t, "ann", "edge1")
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "account.db")+"?_pragma=busy_timeout(20000)") // the service may be writing
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	lock, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if _, err := lock.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	bob, end := began("bob", 1, time.Hour, time.Minute)
	tell(t, ns, event.Left, bob, func(e *event.Event) { e.Until = end })
	until(t, "the write is given up for now", func() bool { return log.Count("not stored yet") > 0 })
	seconds(t, ns.Connect(t), ann)
	if _, err := lock.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	drained(t, s, ns)
	if got := stored(t, s, bob); !got.Until.Equal(end) {
		t.Errorf("%+v, want until %v", got, end)
	}
}

// The consumer may be deleted, to read everything again: nothing counts twice.
func TestConsumerMadeAgain(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		ns := natstest.Run(t)
		s := startOn(t, ns, d)
		js := ns.JetStream(t)
		ann, end := began("ann", 1, time.Hour, time.Minute)
		tell(t, ns, event.Joined, ann, nil)
		tell(t, ns, event.Left, ann, func(e *event.Event) { e.Until = end })
		drained(t, s, ns)
		if err := js.DeleteConsumer(natstest.Context(t), streams.Events, durable); err != nil {
			t.Fatal(err)
		}
		drained(t, s, ns)
		if got := stored(t, s, ann); !got.Since.Equal(ann.Since) || !got.Until.Equal(end) {
			t.Errorf("%+v, want %v to %v", got, ann.Since, end)
		}
		// And it goes on.
		bob, _ := began(name.UserID("bob"), 1, time.Hour, time.Minute)
		tell(t, ns, event.Joined, bob, nil)
		until(t, "the next one is stored", func() bool { return stored(t, s, bob).Epoch == 1 })
	})
}

// Lines of chat alone are left to wait for a moment, but not what a session's change tells of.
func TestChatIsLeftToWait(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := startWith(t, ns, Config{Data: t.TempDir()})
	ns.Rests(t, durable)
	ann, _ := began("ann", 1, time.Hour, time.Minute)
	tell(t, ns, event.Joined, ann, nil)
	ns.SignIn(t, "ann", "edge1")
	drained(t, s, ns)
	if stored(t, s, ann).Epoch != 1 {
		t.Error("who joined is not stored")
	}
}
