package game21

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/game21api"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
	"gamehall/shared/storagetest"
	"gamehall/shared/streams"
)

// hall is a NATS server with a driven clock, and what its edges would hear of the game.
type hall struct {
	t        testing.TB
	ns       server
	nc       *nats.Conn
	js       jetstream.JetStream
	clock    *driven
	db       storagetest.Database
	replicas int
	live     chan event.Event

	last *Service // the copy that was started last

	mu      sync.Mutex
	players map[string]session.Record
}

// server is one NATS server, or a cluster.
type server interface {
	Dialer() bus.Dialer
	Connect(t testing.TB) *nats.Conn
	JetStream(t testing.TB) jetstream.JetStream
	SignIn(t testing.TB, user, edge string) session.Record
}

// cluster signs in at its first node.
type cluster struct{ *natstest.Cluster }

func (c cluster) SignIn(t testing.TB, user, edge string) session.Record {
	t.Helper()
	return c.Nodes[0].SignIn(t, user, edge)
}

// dealt is the hand of every round, unless a test says otherwise.
var dealt = Numbers{2, 3, 5, 10}

// newHall is a hall at one minute to eleven.
func newHall(t testing.TB) *hall {
	t.Helper()
	return newHallOn(t, natstest.Run(t))
}

func newHallOn(t testing.TB, ns server) *hall {
	t.Helper()
	h := &hall{
		t: t, replicas: 1, ns: ns, nc: ns.Connect(t), js: ns.JetStream(t), db: storagetest.SQLite(t),
		clock: newDriven(utc(t, "2026-11-20 10:59:00")), live: make(chan event.Event, 1024),
		players: map[string]session.Record{},
	}
	if c, ok := ns.(cluster); ok {
		h.replicas = len(c.Nodes)
	}
	sub, err := h.nc.Subscribe(streams.Live(streams.GameChannel), func(m *nats.Msg) {
		var e event.Event
		if err := json.Unmarshal(m.Data, &e); err != nil {
			t.Errorf("a live event: %v", err)
		}
		h.live <- e
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Unsubscribe() })
	return h
}

// config is that of a copy: all copies share data, clock and NATS.
func (h *hall) config() Config {
	return Config{
		NATS: h.ns.Dialer(), DB: h.db.DB, Data: h.db.Data, Bare: true, Replicas: h.replicas, Log: natstest.Quiet(), Clock: h.clock,
		deal: func() (Numbers, error) { return dealt, nil },
		wrap: func(s store) store { return drivenStore{s, h.clock} },
	}
}

// copy starts a copy that ends with the test, unless the test stops it.
func (h *hall) copy(change ...func(*Config)) *Service {
	h.t.Helper()
	cfg := h.config()
	for _, c := range change {
		c(&cfg)
	}
	s, err := Start(natstest.Context(h.t), cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { h.end(s) })
	h.last = s
	return s
}

// end stops a copy that may be stopped.
func (h *hall) end(s *Service) {
	if s.bus.Conn().IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.t.Context()), natstest.Wait)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		h.t.Errorf("stop: %v", err)
	}
}

// as calls in the name of a user, who is signed in if need be.
func (h *hall) as(user string) context.Context {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	r, ok := h.players[user]
	if !ok {
		r = h.ns.SignIn(h.t, user, "edge")
		h.players[user] = r
	}
	return natstest.As(natstest.Context(h.t), r)
}

func (h *hall) answer(ctx context.Context, expression string) (game21api.AnswerResponse, error) {
	return game21api.Answer.Call(ctx, h.nc, game21api.AnswerRequest{Expression: expression})
}

// say answers in the name of a user, and must be taken.
func (h *hall) say(user, expression string) game21api.AnswerResponse {
	h.t.Helper()
	resp, err := h.answer(h.as(user), expression)
	if err != nil {
		h.t.Fatalf("%s answers %s: %v", user, expression, err)
	}
	return resp
}

// refused answers in the name of a user and must be refused with the code.
func (h *hall) refused(user, expression string, want fault.Code) string {
	h.t.Helper()
	_, err := h.answer(h.as(user), expression)
	if fault.CodeOf(err) != want {
		h.t.Fatalf("%s answers %s: %v, want %s", user, expression, err, want)
	}
	return err.Error()
}

func (h *hall) status() game21api.StatusResponse {
	h.t.Helper()
	resp, err := game21api.Status.Call(h.as("watcher"), h.nc, game21api.StatusRequest{})
	if err != nil {
		h.t.Fatalf("status: %v", err)
	}
	return resp
}

// planned waits until no round is open and the next one is planned, and gives when.
func (h *hall) planned() time.Time {
	h.t.Helper()
	var next time.Time
	natstest.Eventually(h.t, "the next round is planned", func() bool {
		s := h.status()
		next = s.NextAt
		return !s.Open && next.After(h.clock.Now())
	})
	return next
}

// hear gives what the hall is told next.
func (h *hall) hear() event.Event {
	h.t.Helper()
	select {
	case e := <-h.live:
		return e
	case <-time.After(natstest.Wait):
		h.t.Fatal("the hall is told nothing")
		return event.Event{}
	}
}

// expect waits for the next event, which must be of the kind.
func (h *hall) expect(kind string) event.Event {
	h.t.Helper()
	e := h.hear()
	if e.Kind != kind {
		h.t.Fatalf("the hall is told %+v, want %s", e, kind)
	}
	return e
}

// open lets time pass until the next round opens.
func (h *hall) open() event.Event {
	h.t.Helper()
	h.clock.until(h.planned())
	return h.expect(event.Game21Started)
}

// told is all that the channel has, as it is stored.
func (h *hall) told() []event.Event {
	h.t.Helper()
	var all []event.Event
	err := streams.Range(natstest.Context(h.t), h.js, string(game21api.Game), 0, ^uint64(0), func(m streams.Msg) bool {
		e, err := m.Decode(streams.GameChannel, 0)
		if err != nil {
			h.t.Error(err)
		}
		all = append(all, e.Event)
		return true
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

// toldTo is told once that has the end of a round: of three replicas one may be behind.
func (h *hall) toldTo(round int) []event.Event {
	h.t.Helper()
	for ctx := natstest.Context(h.t); ; {
		all := h.told()
		if n := len(all); n > 0 && all[n-1].Kind == event.Game21Ended && all[n-1].Round == round {
			return all
		}
		if ctx.Err() != nil {
			h.t.Fatalf("the channel does not have the end of round %d", round)
		}
	}
}

// short writes events as "started 7", "answered 7 ann", "ended 7 ann".
func short(events []event.Event) []string {
	out := make([]string, 0, len(events))
	for _, e := range events {
		s := e.Kind[len("game21."):] + " " + strconv.Itoa(e.Round)
		if who := e.User + e.Winner; who != "" {
			s += " " + who
		}
		out = append(out, s)
	}
	return out
}

func wantTold(t testing.TB, got []event.Event, want ...string) {
	t.Helper()
	if s := short(got); !slices.Equal(s, want) {
		t.Errorf("the hall was told %q, want %q", s, want)
	}
}

// closed is log once that has the close.
func (h *hall) closed(round int) []Entry {
	h.t.Helper()
	for ctx := natstest.Context(h.t); ; {
		entries := h.log(round)
		if slices.ContainsFunc(entries, func(e Entry) bool { _, ok := e.(Close); return ok }) {
			return entries
		}
		if ctx.Err() != nil {
			h.t.Fatalf("the log of round %d has no close", round)
		}
	}
}

// log is all that the log of a round has, as it is stored.
func (h *hall) log(round int) []Entry {
	h.t.Helper()
	st := natsStore{js: h.js, log: natstest.Quiet()}
	entries, err := st.Read(natstest.Context(h.t), uint64(round), 0)
	if err != nil {
		h.t.Fatal(err)
	}
	return entries
}

func (h *hall) scores(user string) game21api.ScoresResponse {
	h.t.Helper()
	resp, err := game21api.Scores.Call(h.as(user), h.nc, game21api.ScoresRequest{})
	if err != nil {
		h.t.Fatalf("scores: %v", err)
	}
	return resp
}

// errDead is what a dead copy's store says.
var errDead = errors.New("dead")

// mortal is a store that dies at one of its writes, before or after it is done, and is dead
// from then on, as its copy would be after a kill -9.
type mortal struct {
	store
	dieAt  int32 // the write, counted from 1; 0 is never
	after  bool
	writes atomic.Int32
	dead   chan struct{}
	once   sync.Once
}

func newMortal(dieAt int32, after bool) *mortal {
	return &mortal{dieAt: dieAt, after: after, dead: make(chan struct{})}
}

func (m *mortal) isDead() bool {
	select {
	case <-m.dead:
		return true
	default:
		return false
	}
}

func (m *mortal) die() error {
	m.once.Do(func() { close(m.dead) })
	return errDead
}

// point is a boundary: do is what is done there.
func (m *mortal) point(do func() error) error {
	if m.isDead() {
		return errDead
	}
	here := m.writes.Add(1) == m.dieAt
	if here && !m.after {
		return m.die()
	}
	err := do()
	if here {
		return m.die()
	}
	return err
}

func (m *mortal) Schedule(ctx context.Context) (Schedule, uint64, error) {
	if m.isDead() {
		return Schedule{}, 0, errDead
	}
	return m.store.Schedule(ctx)
}

func (m *mortal) LatestOpen(ctx context.Context) (Open, bool, error) {
	if m.isDead() {
		return Open{}, false, errDead
	}
	return m.store.LatestOpen(ctx)
}

func (m *mortal) ClosedBefore(ctx context.Context, a Answer) (closed bool, err error) {
	if m.isDead() {
		return false, errDead
	}
	return m.store.ClosedBefore(ctx, a)
}

func (m *mortal) AnswerOf(ctx context.Context, round uint64, userID string) (Answer, bool, error) {
	if m.isDead() {
		return Answer{}, false, errDead
	}
	return m.store.AnswerOf(ctx, round, userID)
}

func (m *mortal) Reschedule(ctx context.Context, s Schedule, revision uint64) error {
	return m.point(func() error { return m.store.Reschedule(ctx, s, revision) })
}

func (m *mortal) WriteOpen(ctx context.Context, o Open) error {
	return m.point(func() error { return m.store.WriteOpen(ctx, o) })
}

func (m *mortal) WriteAnswer(ctx context.Context, a Answer) (seq uint64, fresh bool, err error) {
	err = m.point(func() (err error) {
		seq, fresh, err = m.store.WriteAnswer(ctx, a)
		return err
	})
	return seq, fresh, err
}

func (m *mortal) WriteClose(ctx context.Context, c Close) error {
	return m.point(func() error { return m.store.WriteClose(ctx, c) })
}

// Closes is no write, but the boundary before the scores.
func (m *mortal) Closes(ctx context.Context, after uint64, most int) (closes []Close, err error) {
	err = m.point(func() (err error) {
		closes, err = m.store.Closes(ctx, after, most)
		return err
	})
	return closes, err
}

func (m *mortal) Tell(ctx context.Context, id string, e event.Event, after uint64) (seq uint64, err error) {
	err = m.point(func() (err error) {
		seq, err = m.store.Tell(ctx, id, e, after)
		return err
	})
	return seq, err
}

// command makes calls with ctx one command.
func command(ctx context.Context, id string) context.Context { return bus.WithCommand(ctx, id) }
