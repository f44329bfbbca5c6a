package auth

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/edgeapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/name"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
	"gamehall/shared/storagetest"
	"gamehall/shared/streams"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(storagetest.Main(m),
		// The embedded server keeps goroutines of its logger of limits and its clock.
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.init.0.func1"),
	)
}

// cheap is a hash for tests that are not about hashing.
const cheap = "m=8,t=1,p=1"

// password is that of all accounts in tests.
const password = "correct horse"

// start starts auth on ns with a cheap hash, a fresh folder and a reaper that never looks,
// unless change says otherwise.
func start(t testing.TB, ns *natstest.Server, change func(*Config)) *Service {
	t.Helper()
	cfg := Config{
		NATS: ns.Dialer(), Data: t.TempDir(), Log: natstest.Quiet(),
		PasswordHash: cheap, ReapEvery: time.Hour,
	}
	if change != nil {
		change(&cfg)
	}
	s, err := Start(natstest.Context(t), cfg)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return s
}

// on has a copy keep its accounts in d.
func on(d storagetest.Database) func(*Config) {
	return func(c *Config) { c.DB, c.Data = d.DB, d.Data }
}

// addAccounts creates accounts with the password of tests.
func addAccounts(t testing.TB, s *Service, names ...string) {
	t.Helper()
	for _, n := range names {
		if err := s.addAccount(natstest.Context(t), Credentials{Username: n, Password: password}); err != nil {
			t.Fatalf("add account %s: %v", n, err)
		}
	}
}

// signInReq is a good sign-in at a connection.
func signInReq(user, edge, conn string) authapi.SignInRequest {
	return authapi.SignInRequest{Username: user, Password: password, Edge: edge, Conn: conn, Trusted: true}
}

// mustSignIn signs in as a command of its own.
func mustSignIn(t testing.TB, nc *nats.Conn, req authapi.SignInRequest) authapi.SignInResponse {
	t.Helper()
	resp, err := authapi.SignIn.Call(natstest.Context(t), nc, req)
	if err != nil {
		t.Fatalf("sign %s in: %v", req.Username, err)
	}
	return resp
}

// as makes calls in the session of resp.
func as(t testing.TB, resp authapi.SignInResponse) context.Context {
	t.Helper()
	return bus.AsSession(natstest.Context(t), resp.User, resp.Session)
}

// edge plays an edge: it holds a lease, and answers from what the test says.
type edge struct {
	id string

	mu     sync.Mutex
	stands map[string]bool // by connection
	asked  int
	over   []edgeapi.TakeoverRequest
	onOver func(edgeapi.TakeoverRequest)
}

func startEdge(t testing.TB, ns *natstest.Server, id string) *edge {
	t.Helper()
	e := &edge{id: id, stands: map[string]bool{}}
	lease(t, ns, id)
	natstest.Answer(t, ns, edgeapi.Alive.To(id), func(_ context.Context, req edgeapi.AliveRequest) (edgeapi.AliveResponse, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.asked++
		return edgeapi.AliveResponse{Alive: e.stands[req.Conn]}, nil
	})
	natstest.Answer(t, ns, edgeapi.Takeover.To(id), func(_ context.Context, req edgeapi.TakeoverRequest) (edgeapi.TakeoverResponse, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.over = append(e.over, req)
		if e.onOver != nil {
			e.onOver(req)
		}
		return edgeapi.TakeoverResponse{}, nil
	})
	return e
}

// connect makes conn stand.
func (e *edge) connect(conn string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stands[conn] = true
}

// takeovers gives what the edge was told is over.
func (e *edge) takeovers() []edgeapi.TakeoverRequest {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.over)
}

// lease renews the lease of an edge and gives when, by the server's clock.
func lease(t testing.TB, ns *natstest.Server, edge string) time.Time {
	t.Helper()
	kv, err := ns.JetStream(t).KeyValue(natstest.Context(t), streams.Edges)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(session.Lease{Edge: edge, Since: time.Now()})
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
	return e.Created()
}

// endLease takes a lease away, as its expiry does.
func endLease(t testing.TB, ns *natstest.Server, edge string) {
	t.Helper()
	kv, err := ns.JetStream(t).KeyValue(natstest.Context(t), streams.Edges)
	if err != nil {
		t.Fatal(err)
	}
	if err := kv.Delete(natstest.Context(t), edge); err != nil {
		t.Fatal(err)
	}
}

// lobby hears what the hall is told from now on.
type lobby struct{ sub *nats.Subscription }

func hear(t testing.TB, ns *natstest.Server) lobby {
	t.Helper()
	nc := ns.Connect(t)
	sub, err := nc.SubscribeSync(streams.Live(streams.LobbyChannel))
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return lobby{sub}
}

// next waits for the next event.
func (l lobby) next(t testing.TB) event.Event {
	t.Helper()
	m, err := l.sub.NextMsgWithContext(natstest.Context(t))
	if err != nil {
		t.Fatalf("no event: %v", err)
	}
	var e event.Event
	if err := json.Unmarshal(m.Data, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// want waits for the next event and compares what it says of whom.
func (l lobby) want(t testing.TB, kind, user string, epoch uint64) event.Event {
	t.Helper()
	e := l.next(t)
	if e.Kind != kind || e.User != user || e.Epoch != epoch || e.UserID != name.UserID(user) {
		t.Fatalf("the hall heard %s of %s, epoch %d (id %s); want %s of %s, epoch %d", e.Kind, e.User, e.Epoch, e.UserID, kind, user, epoch)
	}
	return e
}

// told reads all that was stored in the lobby.
func told(t testing.TB, ns *natstest.Server) []event.Event {
	t.Helper()
	var all []event.Event
	err := streams.Range(natstest.Context(t), ns.JetStream(t), streams.Subject(streams.LobbyChannel), 0, 1<<40, func(m streams.Msg) bool {
		e, err := m.Decode(streams.LobbyChannel, 0)
		if err != nil {
			t.Error(err)
		}
		all = append(all, e.Event)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// record reads a user's session from the bucket.
func record(t testing.TB, s *Service, user string) (session.Record, bool) {
	t.Helper()
	r, found, err := s.sessions.read(natstest.Context(t), name.UserID(user))
	if err != nil {
		t.Fatal(err)
	}
	return r, found
}

// put writes a session as another copy of auth would have.
func put(t testing.TB, s *Service, r session.Record) session.Record {
	t.Helper()
	have, _ := record(t, s, r.User)
	r, err := s.sessions.write(natstest.Context(t), r, have.Revision)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// claimOf is the claim of a copy of auth that died right after it.
func claimOf(user, edge, conn, command string) session.Record {
	return session.Record{
		User: user, UserID: name.UserID(user), Session: bus.NewID(), State: session.Alive,
		Since: time.Now().UTC(), Edge: edge, Conn: conn, Command: command,
	}
}

// wantCode fails the test unless err has that code.
func wantCode(t testing.TB, err error, want fault.Code) {
	t.Helper()
	if got := fault.CodeOf(err); got != want {
		t.Errorf("code %q, want %q (error: %v)", got, want, err)
	}
}
