package auth

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/edgeapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/name"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// holder is a client with a token, and the session that it has.
type holder struct {
	authapi.SignInResponse
	secret string
}

func (h holder) token() string { return authapi.Token(h.UserID, h.secret) }

// signInWithToken signs user in as an edge does for a client that can keep a token.
func signInWithToken(t testing.TB, nc *nats.Conn, user, edge, conn string) holder {
	t.Helper()
	h := holder{secret: bus.NewID()}
	req := signInReq(user, edge, conn)
	req.TokenHash = authapi.HashToken(h.secret)
	h.SignInResponse = mustSignIn(t, nc, req)
	return h
}

// resume spends h's token at a connection, and gives who has the session then.
func (h holder) resume(ctx context.Context, nc *nats.Conn, edge, conn string) (holder, error) {
	next := holder{secret: bus.NewID()}
	got, err := authapi.Resume.Call(ctx, nc, authapi.ResumeRequest{
		Token: h.token(), NextHash: authapi.HashToken(next.secret), Edge: edge, Conn: conn,
	})
	next.SignInResponse = got.SignInResponse
	return next, err
}

func (h holder) mustResume(t testing.TB, nc *nats.Conn, edge, conn string) holder {
	t.Helper()
	next, err := h.resume(natstest.Context(t), nc, edge, conn)
	if err != nil {
		t.Fatalf("resume: %v", err)
	}
	return next
}

func (h holder) wantRefused(t testing.TB, nc *nats.Conn, want fault.Code) {
	t.Helper()
	_, err := h.resume(natstest.Context(t), nc, "e9", "c9")
	wantCode(t, err, want)
}

func (h holder) detach(t testing.TB, nc *nats.Conn, req authapi.DetachRequest) {
	t.Helper()
	if _, err := authapi.Detach.Call(as(t, h.SignInResponse), nc, req); err != nil {
		t.Fatalf("detach: %v", err)
	}
}

// setUp starts auth with ann's account, and plays an edge.
func setUp(t testing.TB) (*natstest.Server, *Service, *nats.Conn, *edge) {
	t.Helper()
	ns := natstest.Run(t)
	s := start(t, ns, nil)
	addAccounts(t, s, "ann")
	nc := ns.Connect(t)
	return ns, s, nc, startEdge(t, ns, "e1")
}

// A resumed session keeps its place, and its old id is worth nothing any more.
func TestResume(t *testing.T) {
	t.Parallel()
	ns, s, nc, e1 := setUp(t)
	hall := hear(t, ns)
	was := signInWithToken(t, nc, "ann", "e1", "c1")
	hall.want(t, event.Joined, "ann", was.Epoch)
	was.detach(t, nc, authapi.DetachRequest{})
	if r, _ := record(t, s, "ann"); r.Detached.IsZero() || !r.Live() {
		t.Errorf("after the loss of its connection: %+v, want it detached and live", r)
	}
	is := was.mustResume(t, nc, "e2", "c2")
	if is.User != "ann" || is.UserID != was.UserID || is.Epoch != was.Epoch || is.Seq != was.Seq || !is.Since.Equal(was.Since) {
		t.Errorf("resumed %+v, was %+v: want the same user, epoch, join and beginning", is.SignInResponse, was.SignInResponse)
	}
	if is.Session == was.Session {
		t.Error("the resumed session has its old id: the old connection could speak for it")
	}
	r, _ := record(t, s, "ann")
	if r.Edge != "e2" || r.Conn != "c2" || !r.Detached.IsZero() || r.State != session.Alive {
		t.Errorf("the record after the resume: %+v", r)
	}
	// Whatever the edge of the old connection says now comes too late.
	for what, call := range map[string]func(context.Context) error{
		"sign out": func(ctx context.Context) error {
			_, err := authapi.SignOut.Call(ctx, nc, authapi.SignOutRequest{})
			return err
		},
		"detach": func(ctx context.Context) error {
			_, err := authapi.Detach.Call(ctx, nc, authapi.DetachRequest{})
			return err
		},
		"away": func(ctx context.Context) error {
			_, err := authapi.Presence.Call(ctx, nc, authapi.PresenceRequest{Away: true})
			return err
		},
	} {
		if err := call(as(t, was.SignInResponse)); fault.CodeOf(err) != fault.NotSignedIn {
			t.Errorf("%s by the old id: %v, want not_signed_in", what, err)
		}
	}
	if now, _ := record(t, s, "ann"); now.Revision != r.Revision {
		t.Errorf("the old connection changed the session to %+v", now)
	}
	if len(e1.takeovers()) != 0 {
		t.Errorf("the old edge was told %+v, although its connection was gone", e1.takeovers())
	}
	out, err := authapi.SignOut.Call(as(t, is.SignInResponse), nc, authapi.SignOutRequest{})
	if err != nil || out.User != "ann" {
		t.Fatalf("sign out: %+v, %v", out, err)
	}
	hall.want(t, event.Left, "ann", was.Epoch)
	if n := len(told(t, ns)); n != 2 {
		t.Errorf("the hall heard %d events, want joined and left alone", n)
	}
}

// A token is good for one resume; the next one is another.
func TestResumeRotates(t *testing.T) {
	t.Parallel()
	_, _, nc, e1 := setUp(t)
	first := signInWithToken(t, nc, "ann", "e1", "c1")
	first.detach(t, nc, authapi.DetachRequest{})
	second := first.mustResume(t, nc, "e1", "c2")
	e1.connect("c2")
	first.wantRefused(t, nc, fault.BadToken)
	second.detach(t, nc, authapi.DetachRequest{})
	first.wantRefused(t, nc, fault.BadToken)
	third := second.mustResume(t, nc, "e1", "c3")
	third.detach(t, nc, authapi.DetachRequest{})
	first.wantRefused(t, nc, fault.BadToken)
	second.wantRefused(t, nc, fault.BadToken)
	third.mustResume(t, nc, "e1", "c4")
}

func TestResumeRefuses(t *testing.T) {
	t.Parallel()
	_, _, nc, _ := setUp(t)
	h := signInWithToken(t, nc, "ann", "e1", "c1")
	good, next := h.token(), authapi.HashToken(bus.NewID())
	for what, tt := range map[string]struct {
		req  authapi.ResumeRequest
		code fault.Code
	}{
		"a guess":         {authapi.ResumeRequest{Token: authapi.Token(h.UserID, bus.NewID()), NextHash: next, Edge: "e2", Conn: "c"}, fault.BadToken},
		"the hash":        {authapi.ResumeRequest{Token: authapi.Token(h.UserID, authapi.HashToken(h.secret)), NextHash: next, Edge: "e2", Conn: "c"}, fault.BadToken},
		"another user":    {authapi.ResumeRequest{Token: authapi.Token(name.UserID("bob"), h.secret), NextHash: next, Edge: "e2", Conn: "c"}, fault.BadToken},
		"no secret":       {authapi.ResumeRequest{Token: h.UserID, NextHash: next, Edge: "e2", Conn: "c"}, fault.BadToken},
		"an empty secret": {authapi.ResumeRequest{Token: h.UserID + ".", NextHash: next, Edge: "e2", Conn: "c"}, fault.BadToken},
		"no user":         {authapi.ResumeRequest{Token: "." + h.secret, NextHash: next, Edge: "e2", Conn: "c"}, fault.BadToken},
		"a wildcard":      {authapi.ResumeRequest{Token: "*." + h.secret, NextHash: next, Edge: "e2", Conn: "c"}, fault.BadToken},
		"other case":      {authapi.ResumeRequest{Token: string(bytes.ToUpper([]byte(good))), NextHash: next, Edge: "e2", Conn: "c"}, fault.BadToken},
		"more behind it":  {authapi.ResumeRequest{Token: good + "0", NextHash: next, Edge: "e2", Conn: "c"}, fault.BadToken},
		"no token":        {authapi.ResumeRequest{NextHash: next, Edge: "e2", Conn: "c"}, fault.BadRequest},
		"no next hash":    {authapi.ResumeRequest{Token: good, Edge: "e2", Conn: "c"}, fault.BadRequest},
		"no edge":         {authapi.ResumeRequest{Token: good, NextHash: next, Conn: "c"}, fault.BadRequest},
		"a bad edge":      {authapi.ResumeRequest{Token: good, NextHash: next, Edge: "e.2.3", Conn: "c"}, fault.BadRequest},
	} {
		if _, err := authapi.Resume.Call(natstest.Context(t), nc, tt.req); fault.CodeOf(err) != tt.code {
			t.Errorf("%s: %v, want %s", what, err, tt.code)
		}
	}
	// A session whose client has no token cannot be resumed, with an empty one neither.
	_, s2, nc2, _ := setUp(t)
	in := mustSignIn(t, nc2, signInReq("ann", "e1", "c1"))
	holder{SignInResponse: in, secret: bus.NewID()}.wantRefused(t, nc2, fault.BadToken)
	if r, _ := record(t, s2, "ann"); r.Session != in.Session {
		t.Errorf("the record is %+v", r)
	}
}

// Whoever reads the bucket cannot resume anything: no secret is stored anywhere, and what is
// sent over NATS is a hash but for the token that is being spent.
func TestResumeStoresNoSecret(t *testing.T) {
	t.Parallel()
	ns, s, nc, _ := setUp(t)
	first := signInWithToken(t, nc, "ann", "e1", "c1")
	first.detach(t, nc, authapi.DetachRequest{})
	second := first.mustResume(t, nc, "e2", "c2")
	second.detach(t, nc, authapi.DetachRequest{Silent: true})
	kv, err := ns.JetStream(t).KeyValue(natstest.Context(t), streams.Sessions)
	if err != nil {
		t.Fatal(err)
	}
	e, err := kv.Get(natstest.Context(t), first.UserID)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []holder{first, second} {
		if bytes.Contains(e.Value(), []byte(h.secret)) {
			t.Errorf("the secret is in the record: %s", e.Value())
		}
		if !bytes.Contains(e.Value(), []byte(authapi.HashToken(h.secret))) {
			t.Errorf("the hash is not in the record, so that this test shows nothing: %s", e.Value())
		}
	}
	for _, ev := range told(t, ns) {
		if ev.Kind == event.Joined && ev.UserID != first.UserID {
			t.Errorf("the hall was told %+v", ev)
		}
	}
	if r, _ := record(t, s, "ann"); len(r.TokenHash) != 64 {
		t.Errorf("the hash is %q, want SHA-256", r.TokenHash)
	}
}

// Of two that come with one token, at the same instant and at two copies of auth, one wins.
func TestResumeRace(t *testing.T) {
	t.Parallel()
	ns, s, nc, _ := setUp(t)
	addAccounts(t, start(t, ns, nil), "ann")
	e2 := startEdge(t, ns, "e2")
	h := signInWithToken(t, nc, "ann", "e1", "c1")
	for round := range 20 {
		h.detach(t, nc, authapi.DetachRequest{})
		got := make([]holder, 8)
		errs := make([]error, len(got))
		var all sync.WaitGroup
		for i := range got {
			conn := "c" + strconv.Itoa(i)
			e2.connect(conn)
			all.Go(func() { got[i], errs[i] = h.resume(natstest.Context(t), nc, "e2", conn) })
		}
		all.Wait()
		winners := 0
		for i, err := range errs {
			switch fault.CodeOf(err) {
			case "":
				winners++
				h = got[i]
			case fault.BadToken:
			default:
				t.Errorf("round %d: %v, want one winner and bad_token for the rest", round, err)
			}
		}
		if r, _ := record(t, s, "ann"); winners != 1 || r.Session != h.Session {
			t.Fatalf("round %d: %d of %d won, and the session is %s", round, winners, len(got), r.Session)
		}
	}
}

// The connection that a token was spent for is gone, and sent nothing: its client may never
// have got the next token, so the spent one works once more.
func TestResumeSpentToken(t *testing.T) {
	t.Parallel()
	for what, tt := range map[string]struct {
		gone   bool // detached before the spent token comes
		silent bool // as the edge or the detach says
		stands bool // the edge says that the connection stands
		lost   bool // the edge is dead
		leased bool // and its lease still stands
		code   fault.Code
	}{
		"gone, sent nothing":                  {gone: true, silent: true},
		"gone, sent something":                {gone: true, code: fault.BadToken},
		"not yet told gone, sent nothing":     {silent: true},
		"not yet told gone, sent something":   {code: fault.BadToken},
		"stands, sent nothing":                {stands: true, silent: true, code: fault.Unavailable},
		"stands, sent something":              {stands: true, code: fault.BadToken},
		"its edge is dead":                    {lost: true},
		"its edge has just died":              {lost: true, leased: true},
		"its edge is dead, after it was told": {gone: true, lost: true, code: fault.BadToken},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ns, _, nc, _ := setUp(t)
			if !tt.lost || tt.leased {
				lease(t, ns, "e2")
			}
			if !tt.lost {
				natstest.Answer(t, ns, edgeapi.Alive.To("e2"), func(_ context.Context, req edgeapi.AliveRequest) (edgeapi.AliveResponse, error) {
					if req.Conn != "c2" {
						t.Errorf("asked for connection %s", req.Conn)
					}
					return edgeapi.AliveResponse{Alive: tt.stands, Silent: tt.silent}, nil
				})
			}
			first := signInWithToken(t, nc, "ann", "e1", "c1")
			first.detach(t, nc, authapi.DetachRequest{})
			second := first.mustResume(t, nc, "e2", "c2")
			if tt.gone {
				second.detach(t, nc, authapi.DetachRequest{Silent: tt.silent})
			}
			ctx, cancel := context.WithTimeout(natstest.Context(t), 2*time.Second)
			defer cancel()
			again, err := first.resume(ctx, nc, "e1", "c3")
			wantCode(t, err, tt.code)
			if err != nil {
				return
			}
			// Once more, not twice; and the token that nobody got is worth nothing.
			startEdge(t, ns, "e3")
			second.wantRefused(t, nc, fault.BadToken)
			again.detach(t, nc, authapi.DetachRequest{})
			first.wantRefused(t, nc, fault.BadToken)
			again.mustResume(t, nc, "e1", "c4")
		})
	}
}

// A token is worth nothing after the end of its session, however that ended.
func TestResumeAfterTheEnd(t *testing.T) {
	t.Parallel()
	for what, end := range map[string]func(t *testing.T, s *Service, nc *nats.Conn, h holder){
		"sign-out": func(t *testing.T, _ *Service, nc *nats.Conn, h holder) {
			if _, err := authapi.SignOut.Call(as(t, h.SignInResponse), nc, authapi.SignOutRequest{}); err != nil {
				t.Fatal(err)
			}
		},
		"takeover": func(t *testing.T, _ *Service, nc *nats.Conn, _ holder) {
			req := signInReq("ann", "e1", "c2")
			req.Takeover = true
			mustSignIn(t, nc, req)
		},
		"another sign-in over the detached session": func(t *testing.T, _ *Service, nc *nats.Conn, h holder) {
			h.detach(t, nc, authapi.DetachRequest{})
			mustSignIn(t, nc, signInReq("ann", "e1", "c2"))
		},
		"30 s, before the reaper came": func(t *testing.T, s *Service, nc *nats.Conn, h holder) {
			h.detach(t, nc, authapi.DetachRequest{})
			ago(t, s, authapi.ResumeFor+time.Millisecond)
		},
		"30 s, and the reaper": func(t *testing.T, s *Service, nc *nats.Conn, h holder) {
			h.detach(t, nc, authapi.DetachRequest{})
			ago(t, s, authapi.ResumeFor+time.Millisecond)
			sweep(t, s)
			if r, found := record(t, s, "ann"); found {
				t.Errorf("the reaper left %+v", r)
			}
		},
		"an end that has begun": func(t *testing.T, s *Service, _ *nats.Conn, _ holder) {
			r, _ := record(t, s, "ann")
			r.State = session.Ending
			put(t, s, r)
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			_, s, nc, e1 := setUp(t)
			h := signInWithToken(t, nc, "ann", "e1", "c1")
			e1.connect("c1")
			end(t, s, nc, h)
			h.wantRefused(t, nc, fault.BadToken)
		})
	}
}

// ago makes ann's session one that was detached so long ago.
func ago(t testing.TB, s *Service, d time.Duration) session.Record {
	t.Helper()
	r, _ := record(t, s, "ann")
	if r.Detached.IsZero() {
		t.Fatalf("%+v is not detached", r)
	}
	r.Detached = time.Now().Add(-d).UTC()
	r.Until = r.Detached.Add(-time.Second)
	r.Since = r.Until.Add(-time.Second)
	return put(t, s, r)
}

// sweep lets a reaper look once, when the directory knows what the bucket has.
func sweep(t testing.TB, s *Service) {
	t.Helper()
	natstest.Eventually(t, "the directory knows", func() bool {
		have, found := record(t, s, "ann")
		known, is := s.directory.Peek(name.UserID("ann"))
		return found == is && (!found || known.Revision == have.Revision)
	})
	if err := (&reaper{s: s}).look(natstest.Context(t)); err != nil {
		t.Fatal(err)
	}
}

// Within its 30 s a detached session stands, whatever becomes of its edge; then it ends once,
// with the online time up to when its client was last heard.
func TestDetached(t *testing.T) {
	t.Parallel()
	ns, s, nc, _ := setUp(t)
	hall := hear(t, ns)
	h := signInWithToken(t, nc, "ann", "e1", "c1")
	hall.want(t, event.Joined, "ann", h.Epoch)
	heard := time.Now().UTC()
	h.detach(t, nc, authapi.DetachRequest{Until: heard})
	h.detach(t, nc, authapi.DetachRequest{Until: heard.Add(time.Hour)}) // a repetition changes nothing
	endLease(t, ns, "e1")
	sweep(t, s)
	r, found := record(t, s, "ann")
	if !found || !r.Live() || !r.Until.Equal(heard) || time.Since(r.Detached) > natstest.Wait {
		t.Fatalf("after its edge died: %+v, want it detached", r)
	}
	ago(t, s, authapi.ResumeFor-5*time.Second)
	sweep(t, s)
	if r, found := record(t, s, "ann"); !found || !r.Live() {
		t.Fatalf("5 s before its time was up: %+v", r)
	}
	r = ago(t, s, authapi.ResumeFor+time.Millisecond)
	sweep(t, s)
	sweep(t, s)
	left := hall.want(t, event.Left, "ann", h.Epoch)
	if !left.Until.Equal(r.Until) {
		t.Errorf("it is said to have left at %v, was last heard at %v", left.Until, r.Until)
	}
	if n := len(told(t, ns)); n != 2 {
		t.Errorf("the hall heard %d events, want joined and left alone", n)
	}
}

// A client that was silent for long before its edge closed the connection has 30 s from then.
func TestDetachedAfterSilence(t *testing.T) {
	t.Parallel()
	_, s, nc, _ := setUp(t)
	h := signInWithToken(t, nc, "ann", "e1", "c1")
	r, _ := record(t, s, "ann")
	r.Since = time.Now().Add(-time.Minute).UTC()
	put(t, s, r)
	heard := time.Now().Add(-40 * time.Second).UTC()
	h.detach(t, nc, authapi.DetachRequest{Until: heard})
	sweep(t, s)
	if r, found := record(t, s, "ann"); !found || !r.Until.Equal(heard) {
		t.Fatalf("%+v, want it to wait, with the time it was heard", r)
	}
	h.mustResume(t, nc, "e2", "c2")
	if r, _ := record(t, s, "ann"); !r.Until.IsZero() || !r.Detached.IsZero() {
		t.Errorf("after the resume: %+v", r)
	}
}

// Without a token nobody can come back, so the session ends at once.
func TestDetachWithoutToken(t *testing.T) {
	t.Parallel()
	ns, s, nc, _ := setUp(t)
	hall := hear(t, ns)
	in := mustSignIn(t, nc, signInReq("ann", "e1", "c1"))
	hall.want(t, event.Joined, "ann", in.Epoch)
	if _, err := authapi.Detach.Call(as(t, in), nc, authapi.DetachRequest{}); err != nil {
		t.Fatal(err)
	}
	hall.want(t, event.Left, "ann", in.Epoch)
	if r, found := record(t, s, "ann"); found {
		t.Errorf("left over: %+v", r)
	}
	_, err := authapi.Detach.Call(bus.As(natstest.Context(t), "ann"), nc, authapi.DetachRequest{})
	wantCode(t, err, fault.NotSignedIn)
}

// A sign-in over a detached session wins, and the hall hears of both.
func TestSignInOverDetached(t *testing.T) {
	t.Parallel()
	ns, _, nc, e1 := setUp(t)
	hall := hear(t, ns)
	h := signInWithToken(t, nc, "ann", "e1", "c1")
	e1.connect("c1") // as an edge that has not noticed yet
	heard := time.Now().UTC()
	h.detach(t, nc, authapi.DetachRequest{Until: heard})
	in := mustSignIn(t, nc, signInReq("ann", "e1", "c2"))
	hall.want(t, event.Joined, "ann", h.Epoch)
	if left := hall.want(t, event.Left, "ann", h.Epoch); !left.Until.Equal(heard) {
		t.Errorf("it left at %v, was last heard at %v", left.Until, heard)
	}
	hall.want(t, event.Joined, "ann", in.Epoch)
	if in.Epoch <= h.Epoch || len(e1.takeovers()) != 0 {
		t.Errorf("epoch %d after %d, and the edge was told %+v", in.Epoch, h.Epoch, e1.takeovers())
	}
}

// The old connection of a client that comes back on another one is closed.
func TestResumeClosesTheOld(t *testing.T) {
	t.Parallel()
	_, _, nc, e1 := setUp(t)
	was := signInWithToken(t, nc, "ann", "e1", "c1")
	e1.connect("c1")
	was.mustResume(t, nc, "e2", "c2")
	over := e1.takeovers()
	if len(over) != 1 || over[0] != (edgeapi.TakeoverRequest{Conn: "c1", Session: was.Session, Resumed: true}) {
		t.Errorf("the old edge was told %+v", over)
	}
}

// An edge that does not answer at once is told later, by whichever copy of auth.
func TestResumeClosesTheOldLater(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := start(t, ns, nil)
	addAccounts(t, s, "ann")
	nc := ns.Connect(t)
	lease(t, ns, "e1")
	lease(t, ns, "e2")
	hall := hear(t, ns)
	was := signInWithToken(t, nc, "ann", "e1", "c1")
	is := was.mustResume(t, nc, "e2", "c2")
	e1 := startEdge(t, ns, "e1")
	p := &reaper{s: s}
	for range 2 { // what is begun is taken over at the second look
		natstest.Eventually(t, "the directory knows", func() bool {
			have, _ := record(t, s, "ann")
			known, _ := s.directory.Peek(name.UserID("ann"))
			return known.Revision == have.Revision
		})
		if err := p.look(natstest.Context(t)); err != nil {
			t.Fatal(err)
		}
	}
	over := e1.takeovers()
	if len(over) != 1 || over[0] != (edgeapi.TakeoverRequest{Conn: "c1", Session: was.Session, Resumed: true}) {
		t.Errorf("the old edge was told %+v", over)
	}
	if r, _ := record(t, s, "ann"); r.Prev != nil || r.Session != is.Session {
		t.Errorf("left to do: %+v", r)
	}
	hall.want(t, event.Joined, "ann", was.Epoch)
	if n := len(told(t, ns)); n != 1 {
		t.Errorf("the hall heard %d events, want one joining", n)
	}
}

// The retry of a resume that went well gets the same answer, at another copy of auth too.
func TestResumeRetry(t *testing.T) {
	t.Parallel()
	ns, s, nc, _ := setUp(t)
	h := signInWithToken(t, nc, "ann", "e1", "c1")
	h.detach(t, nc, authapi.DetachRequest{})
	req := authapi.ResumeRequest{Token: h.token(), NextHash: authapi.HashToken(bus.NewID()), Edge: "e2", Conn: "c2"}
	ctx := bus.WithCommand(natstest.Context(t), bus.NewID())
	first, err := authapi.Resume.Call(ctx, nc, req)
	if err != nil {
		t.Fatal(err)
	}
	again, err := authapi.Resume.Call(ctx, nc, req)
	if err != nil || again.SignInResponse != first.SignInResponse {
		t.Errorf("the retry: %+v, %v; want %+v", again, err, first)
	}
	if err := s.Stop(natstest.Context(t)); err != nil {
		t.Fatal(err)
	}
	start(t, ns, nil)
	if again, err = authapi.Resume.Call(ctx, nc, req); err != nil || again.SignInResponse != first.SignInResponse {
		t.Errorf("the retry at another copy: %+v, %v; want %+v", again, err, first)
	}
}

// What began with the session as it was must not end it after its client came back.
func TestEndsMeetResumes(t *testing.T) {
	t.Parallel()
	for what, end := range map[string]func(s *Service, ctx context.Context, old session.Record) error{
		"a dead edge": func(s *Service, ctx context.Context, old session.Record) error { return s.bury(ctx, old) },
		"30 s":        func(s *Service, ctx context.Context, old session.Record) error { return s.do(ctx, expire, old) },
		"a sign-out": func(s *Service, ctx context.Context, old session.Record) error {
			_, err := s.end(ctx, old, ending{})
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ns, s, nc, _ := setUp(t)
			was := signInWithToken(t, nc, "ann", "e1", "c1")
			was.detach(t, nc, authapi.DetachRequest{})
			old, _ := record(t, s, "ann")
			endLease(t, ns, "e1")
			is := was.mustResume(t, nc, "e2", "c2")
			if err := end(s, natstest.Context(t), old); err != nil && !errors.Is(err, errOver) {
				t.Fatal(err)
			}
			if r, found := record(t, s, "ann"); !found || !r.Live() || r.Session != is.Session {
				t.Errorf("the session that came back was ended: %+v", r)
			}
		})
	}
}

// hall up ends the sessions of its former life, but whoever has a token may come back: after
// a kill, from the last renewal of the edge on; after an orderly stop, from the stop on.
func TestEndFormerDetaches(t *testing.T) {
	t.Parallel()
	ns, s, nc, _ := setUp(t)
	addAccounts(t, s, "bob", "cat", "dan")
	renewed := lease(t, ns, "e1")
	ann := signInWithToken(t, nc, "ann", "e1", "c1")
	bob := mustSignIn(t, nc, signInReq("bob", "e1", "c2"))
	cat := signInWithToken(t, nc, "cat", "e2", "c3") // its edge gave its lease up
	cat.detach(t, nc, authapi.DetachRequest{})
	dan := signInWithToken(t, nc, "dan", "e2", "c4") // nobody knows when its edge was last there
	s = start(t, ns, func(c *Config) { c.FormerEdges = []string{"e1", "e2"} })
	// The lease was renewed before ann signed in, so the join is the nearest.
	if r, found := record(t, s, "ann"); !found || r.Detached.IsZero() || r.Detached.After(renewed.Add(renewedLate)) || !r.Live() {
		t.Errorf("ann (renewed %v): %+v, want her detached", renewed, r)
	}
	if r, found := record(t, s, "bob"); found {
		t.Errorf("bob, who cannot come back (epoch %d), is left: %+v", bob.Epoch, r)
	}
	if r, found := record(t, s, "cat"); !found || r.Detached.IsZero() || !r.Live() {
		t.Errorf("cat: %+v, want her detached", r)
	}
	if r, found := record(t, s, "dan"); found {
		t.Errorf("dan (epoch %d) is left: %+v", dan.Epoch, r)
	}
	ann.mustResume(t, nc, "e3", "c1")
	cat.mustResume(t, nc, "e3", "c3")
}

// Who asks for the outcome of a command again claims nothing by that, whatever happened since.
func TestAgainClaimsNothing(t *testing.T) {
	t.Parallel()
	ns, s, nc, _ := setUp(t)
	command := bus.NewID()
	ctx := bus.WithCommand(natstest.Context(t), command)
	req := signInReq("ann", "e1", "c1")
	secret := bus.NewID()
	req.TokenHash = authapi.HashToken(secret)
	again := req
	again.Again = true

	_, err := authapi.SignIn.Call(ctx, nc, again)
	wantCode(t, err, fault.AlreadySignedIn)
	if r, found := record(t, s, "ann"); found {
		t.Fatalf("it claimed %+v", r)
	}
	// Another copy, since the first one remembers its answer.
	if err := s.Stop(natstest.Context(t)); err != nil {
		t.Fatal(err)
	}
	s = start(t, ns, nil)
	addAccounts(t, s, "ann")
	was, err := authapi.SignIn.Call(ctx, nc, req)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := authapi.SignIn.Call(ctx, nc, again); err != nil || got.Session != was.Session {
		t.Errorf("the outcome is %+v, %v; want the session %s", got, err, was.Session)
	}
	// The same connection signed in again: that session is not the first command's.
	is := mustSignIn(t, nc, signInReq("ann", "e1", "c1"))
	again.Trusted = false // not what the copy has answered
	_, err = authapi.SignIn.Call(ctx, nc, again)
	wantCode(t, err, fault.AlreadySignedIn)
	if r, _ := record(t, s, "ann"); r.Session != is.Session {
		t.Errorf("the second sign-in lost its session to %+v", r)
	}
}

// The same for a resume: it is undone only where it was done.
func TestResumeAgainClaimsNothing(t *testing.T) {
	t.Parallel()
	_, s, nc, _ := setUp(t)
	h := signInWithToken(t, nc, "ann", "e1", "c1")
	h.detach(t, nc, authapi.DetachRequest{})
	req := authapi.ResumeRequest{Token: h.token(), NextHash: authapi.HashToken(bus.NewID()), Edge: "e2", Conn: "c2", Again: true}
	ctx := bus.WithCommand(natstest.Context(t), bus.NewID())
	_, err := authapi.Resume.Call(ctx, nc, req)
	wantCode(t, err, fault.BadToken)
	if r, _ := record(t, s, "ann"); r.Detached.IsZero() {
		t.Fatalf("it claimed %+v", r)
	}
	req.Again = false
	was, err := authapi.Resume.Call(ctx, nc, req)
	if err != nil {
		t.Fatal(err)
	}
	req.Again, req.Conn = true, "c2" // as before
	if r, _ := record(t, s, "ann"); r.Session != was.Session {
		t.Errorf("%+v", r)
	}
	// The connection asks once more, with the token that it has: the first answer was lost.
	again, err := h.resume(natstest.Context(t), nc, "e2", "c2")
	if err != nil || again.Epoch != h.Epoch {
		t.Fatalf("the second try of one connection: %+v, %v", again, err)
	}
	req.NextHash = authapi.HashToken(bus.NewID()) // not what this copy has answered
	_, err = authapi.Resume.Call(ctx, nc, req)
	wantCode(t, err, fault.BadToken)
	if r, _ := record(t, s, "ann"); r.Session != again.Session {
		t.Errorf("it took the session from its client: %+v", r)
	}
}
