package auth

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
)

// crowd signs so many users in at e1, with tokens, and lets their connections go.
func crowd(t testing.TB, s *Service, nc *nats.Conn, n int) []holder {
	t.Helper()
	all := make([]holder, n)
	for i := range all {
		user := fmt.Sprintf("user%d", i)
		addAccounts(t, s, user)
		all[i] = signInWithToken(t, nc, user, "e1", "c-"+user)
		all[i].detach(t, nc, authapi.DetachRequest{})
	}
	return all
}

// returning is the resume of h at a connection, and who has the session if that goes well.
func (h holder) returning(conn string) (authapi.Returning, holder) {
	next := holder{secret: bus.NewID()}
	return authapi.Returning{Token: h.token(), NextHash: authapi.HashToken(next.secret), Conn: conn}, next
}

// resumeAll resumes several by a command, and gives their outcomes.
func resumeAll(t testing.TB, nc *nats.Conn, command, edge string, each ...authapi.Returning) []authapi.Resumed {
	t.Helper()
	ctx := bus.WithCommand(natstest.Context(t), command)
	got, err := authapi.Resume.Call(ctx, nc, authapi.ResumeRequest{Edge: edge, Each: each})
	if err != nil || len(got.Each) != len(each) || got.SignInResponse != (authapi.SignInResponse{}) {
		t.Fatalf("resume %d: %+v, %v", len(each), got, err)
	}
	return got.Each
}

// Of several that come back in one request each has the outcome that it would have alone: a bad
// token, a spent one and two of one user among them spoil nothing for the others.
func TestResumeEach(t *testing.T) {
	t.Parallel()
	ns, s, nc, e1 := setUp(t)
	e2 := startEdge(t, ns, "e2")
	e2.connect("n6")
	e2.connect("twice")
	users := crowd(t, s, nc, 20)
	spent := users[3]
	users[3] = spent.mustResume(t, nc, "e1", "c3")
	e1.connect("c3")
	over, err := authapi.SignOut.Call(as(t, users[4].mustResume(t, nc, "e1", "c4").SignInResponse), nc, authapi.SignOutRequest{})
	if err != nil || over.Seq == 0 {
		t.Fatal(err)
	}
	each, next := make([]authapi.Returning, len(users)+3), make([]holder, len(users)+3)
	for i, h := range users {
		each[i], next[i] = h.returning(fmt.Sprint("n", i))
	}
	want := map[int]fault.Code{2: fault.BadToken, 4: fault.BadToken, 5: fault.BadRequest}
	each[2].Token = authapi.Token(users[2].UserID, bus.NewID())
	each[3], next[3] = spent.returning("n3") // whose successor is in use
	want[3] = fault.BadToken
	each[5].Conn = "c.5"
	each[20], next[20] = users[6].returning("twice")
	each[21], next[21] = users[2].returning("after-a-guess")
	each[22].Token, each[22].NextHash = "nonsense", "x"
	want[22] = fault.BadToken
	outcomes := resumeAll(t, nc, bus.NewID(), "e2", each...)
	wins := 0
	for i, o := range outcomes {
		if i == 6 || i == 20 { // of one token one is good
			if o.Err() == nil {
				wins++
				want[26-i] = fault.BadToken
			} else {
				want[i] = fault.BadToken
			}
		}
	}
	for i, o := range outcomes {
		if fault.CodeOf(o.Err()) != want[i] {
			t.Errorf("%d: %+v, want %q", i, o, want[i])
		}
		if o.Err() != nil {
			continue
		}
		r, _ := record(t, s, o.User)
		if r.Session != o.Session || r.Edge != "e2" || r.Conn != each[i].Conn || r.UserID != o.UserID ||
			r.Epoch() != o.Epoch || r.Joined != o.Seq || !r.Detached.IsZero() || o.Epoch == 0 {
			t.Errorf("%d was told %+v, and is %+v", i, o, r)
		}
		next[i].SignInResponse = o.SignInResponse
		next[i].mustResume(t, nc, "e2", each[i].Conn) // the token that follows is good
	}
	if wins != 1 {
		t.Errorf("a token was good for %d", wins)
	}
}

// A request of several that is sent again, since the copy of auth that had it died, gets the first
// answers, and so does each of them that asks again by itself.
func TestResumeEachRetry(t *testing.T) {
	t.Parallel()
	ns, s, nc, _ := setUp(t)
	users := crowd(t, s, nc, 18)
	each := make([]authapi.Returning, len(users))
	for i, h := range users {
		each[i], _ = h.returning(fmt.Sprint("n", i))
	}
	command := bus.NewID()
	// Of some the first copy had no time to store anything.
	first := resumeAll(t, nc, command, "e2", each[:10]...)
	if err := s.Stop(natstest.Context(t)); err != nil {
		t.Fatal(err)
	}
	s = start(t, ns, nil)
	again := resumeAll(t, nc, command, "e2", each...)
	for i, o := range again {
		if o.Err() != nil || i < len(first) && o != first[i] {
			t.Errorf("%d: again %+v, first %+v", i, o, first[min(i, len(first)-1)])
		}
	}
	alone := each[12].Alone("e2")
	alone.Again = true
	got, err := authapi.Resume.Call(bus.WithCommand(natstest.Context(t), authapi.ResumeID(command, 12)), nc, alone)
	if err != nil || got.SignInResponse != again[12].SignInResponse {
		t.Errorf("asked for by itself: %+v, %v; want %+v", got, err, again[12])
	}
	for i, o := range again {
		if r, _ := record(t, s, o.User); r.Session != o.Session || r.Conn != each[i].Conn {
			t.Errorf("%d: %+v", i, r)
		}
	}
}

// What the mirror does not know yet spoils nothing for those beside it.
func TestResumeEachWhileTheMirrorIsBehind(t *testing.T) {
	t.Parallel()
	_, s, nc, _ := setUp(t)
	users := crowd(t, s, nc, 18)
	natstest.Eventually(t, "the mirror knows all", func() bool {
		for _, h := range users {
			if r, found := s.directory.Peek(h.UserID); !found || r.Detached.IsZero() {
				return false
			}
		}
		return true
	})
	s.directory.Close()
	for _, i := range []int{0, 9} {
		users[i] = users[i].mustResume(t, nc, "e1", "between")
		users[i].detach(t, nc, authapi.DetachRequest{})
	}
	each := make([]authapi.Returning, len(users))
	for i, h := range users {
		each[i], _ = h.returning(fmt.Sprint("n", i))
	}
	for i, o := range resumeAll(t, nc, bus.NewID(), "e2", each...) {
		if r, _ := record(t, s, fmt.Sprint("user", i)); o.Err() != nil || r.Session != o.Session || r.Conn != each[i].Conn {
			t.Errorf("%d: %+v, and it is %+v", i, o, r)
		}
	}
}

// The connection that an edge holds is the edge's to close: it is not told to. Of any other it is.
func TestResumeOfTheHeld(t *testing.T) {
	t.Parallel()
	for what, tt := range map[string]struct {
		edge string
		held func(holder) string
		told int
	}{
		"by that edge":      {"e1", func(h holder) string { return h.Session }, 0},
		"by another edge":   {"e2", func(h holder) string { return h.Session }, 1},
		"another session":   {"e1", func(holder) string { return bus.NewID() }, 1},
		"nothing is said":   {"e1", func(holder) string { return "" }, 1},
		"several, and held": {"e1", func(h holder) string { return h.Session }, 0},
		"several, not held": {"e1", func(holder) string { return "" }, 1},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			_, s, nc, e1 := setUp(t)
			h := signInWithToken(t, nc, "ann", "e1", "c1")
			e1.connect("c1")
			one, _ := h.returning("c2")
			one.Held = tt.held(h)
			if strings.HasPrefix(what, "several") {
				if o := resumeAll(t, nc, bus.NewID(), tt.edge, one)[0]; o.Err() != nil {
					t.Fatal(o.Err())
				}
			} else if _, err := authapi.Resume.Call(natstest.Context(t), nc, one.Alone(tt.edge)); err != nil {
				t.Fatal(err)
			}
			if over := e1.takeovers(); len(over) != tt.told {
				t.Errorf("the edge was told %+v, want %d", over, tt.told)
			}
			if r, _ := record(t, s, "ann"); r.Conn != "c2" || r.Prev != nil {
				t.Errorf("the record: %+v", r)
			}
		})
	}
}

func TestResumeEachRefuses(t *testing.T) {
	t.Parallel()
	_, s, nc, _ := setUp(t)
	h := signInWithToken(t, nc, "ann", "e1", "c1")
	one, _ := h.returning("c2")
	many := make([]authapi.Returning, authapi.ResumeMost+1)
	for i := range many {
		many[i] = one
	}
	for what, req := range map[string]authapi.ResumeRequest{
		"too many":       {Edge: "e2", Each: many},
		"no edge":        {Each: many[:2]},
		"one of its own": {Edge: "e2", Each: many[:2], Token: one.Token, NextHash: one.NextHash},
		"again":          {Edge: "e2", Each: many[:2], Again: true},
		"no token":       {Edge: "e2", Each: []authapi.Returning{one, {NextHash: one.NextHash}}},
		"no next hash":   {Edge: "e2", Each: []authapi.Returning{one, {Token: one.Token}}},
	} {
		if got, err := authapi.Resume.Call(natstest.Context(t), nc, req); fault.CodeOf(err) != fault.BadRequest {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	if r, _ := record(t, s, "ann"); r.Session != h.Session {
		t.Errorf("the session became %+v", r)
	}
}

// As many as may share a request fit one, whatever their ids.
func TestResumeEachFits(t *testing.T) {
	t.Parallel()
	req := authapi.ResumeRequest{Edge: strings.Repeat("e", 2*tokenMost+1)}
	for range authapi.ResumeMost {
		one, _ := holder{SignInResponse: authapi.SignInResponse{UserID: strings.Repeat("u", 26)}, secret: bus.NewID()}.returning(bus.NewID())
		one.Lost = authapi.Lost{Session: bus.NewID(), Ago: 30_000, Silent: true}
		req.Each = append(req.Each, one)
	}
	data, err := json.Marshal(req)
	if err != nil || len(data) > bus.MaxRequest {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}
