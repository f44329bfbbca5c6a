package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/edgeapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/name"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		req  authapi.SignInRequest
		user string
		code fault.Code
	}{
		{name: "plain", req: signInReq("ann", "e1", "c1"), user: "ann"},
		{name: "any case and width", req: signInReq("ＡNN", "e1", "c1"), user: "ann"},
		{name: "decomposed", req: signInReq("RENE\u0301", "e1", "c2"), user: "ren\u00e9"},
		{name: "no account", req: signInReq("bob", "e1", "c1"), code: fault.WrongCredentials},
		{name: "no name that could be", req: signInReq("a b", "e1", "c1"), code: fault.WrongCredentials},
		{name: "a look-alike", req: signInReq("аnn", "e1", "c1"), code: fault.WrongCredentials},
		{name: "wrong password", req: authapi.SignInRequest{Username: "ann", Password: "wrong horse", Edge: "e1"}, code: fault.WrongCredentials},
		{name: "password in another case", req: authapi.SignInRequest{Username: "ann", Password: strings.ToUpper(password), Edge: "e1"}, code: fault.WrongCredentials},
		{name: "half a password", req: authapi.SignInRequest{Username: "ann", Password: password[:5], Edge: "e1"}, code: fault.WrongCredentials},
		{name: "a password and more", req: authapi.SignInRequest{Username: "ann", Password: password + "\x00", Edge: "e1"}, code: fault.WrongCredentials},
		{name: "a huge password", req: authapi.SignInRequest{Username: "ann", Password: strings.Repeat("x", 600), Edge: "e1"}, code: fault.WrongCredentials},
		{name: "no edge", req: signInReq("ann", "", ""), code: fault.BadRequest},
		{name: "an edge that is a subject", req: signInReq("ann", "*", "c1"), code: fault.BadRequest},
		{name: "an edge that is three tokens", req: signInReq("ann", "e1.x.alive", "c1"), code: fault.BadRequest},
		{name: "no name", req: authapi.SignInRequest{Password: password, Edge: "e1"}, code: fault.BadRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ns := natstest.Run(t)
			s := start(t, ns, nil)
			addAccounts(t, s, "ann", "ren\u00e9")
			nc := ns.Connect(t)
			resp, err := authapi.SignIn.Call(natstest.Context(t), nc, tt.req)
			wantCode(t, err, tt.code)
			if tt.code == fault.WrongCredentials && err.Error() != "wrong account or password" {
				t.Errorf("said %q", err)
			}
			if tt.code != "" {
				return
			}
			r, found := record(t, s, tt.user)
			want := authapi.SignInResponse{User: tt.user, UserID: name.UserID(tt.user), Session: r.Session, Epoch: r.Epoch(), Seq: resp.Seq, Since: r.Since}
			if !found || resp != want || len(resp.Session) != 32 || r.Claimed == 0 || r.Prev != nil || r.State != session.Alive {
				t.Errorf("answered %+v, stored %+v", resp, r)
			}
			stored := told(t, ns)
			e := stored[len(stored)-1]
			if len(stored) != 1 || resp.Seq != 1 || e.Kind != event.Joined || e.User != tt.user || e.Epoch != resp.Epoch || !e.Since.Equal(resp.Since) || e.Edge != "e1" {
				t.Errorf("the hall heard %+v at %d of %d", e, resp.Seq, len(stored))
			}
		})
	}
}

// An unknown name costs a hash, as a wrong password does.
func TestUnknownNameIsHashed(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := start(t, ns, nil)
	addAccounts(t, s, "ann")
	nc := ns.Connect(t)
	for _, user := range []string{"ann", "nobody", "not a name"} {
		before := s.hasher.made.Load()
		_, err := authapi.SignIn.Call(natstest.Context(t), nc, authapi.SignInRequest{Username: user, Password: "wrong horse", Edge: "e1"})
		wantCode(t, err, fault.WrongCredentials)
		if n := s.hasher.made.Load() - before; n != 1 {
			t.Errorf("%s: %d hashes, want 1", user, n)
		}
	}
}

func TestSignInElsewhere(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		stands   bool // the first connection, as its edge says
		edge     bool // there is an edge to ask
		takeover bool
		code     fault.Code
		told     bool // the first edge, before the answer
		lost     bool // the first session ended with its edge
	}{
		{name: "the first stands", stands: true, edge: true, code: fault.AlreadySignedIn},
		{name: "the first is gone", edge: true, told: true},
		{name: "takeover", stands: true, edge: true, takeover: true, told: true},
		{name: "takeover of one that is gone", edge: true, takeover: true, told: true},
		{name: "no edge answers", lost: true},
		{name: "takeover, no edge answers", takeover: true, lost: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ns := natstest.Run(t)
			s := start(t, ns, nil)
			addAccounts(t, s, "ann")
			nc := ns.Connect(t)
			hall := hear(t, ns)
			e1 := &edge{}
			renewed := lease(t, ns, "e1")
			if tt.edge {
				e1 = startEdge(t, ns, "e1")
			}
			if tt.stands {
				e1.connect("c1")
			}
			heard := make(chan string, 9) // what happened, in order
			e1.onOver = func(edgeapi.TakeoverRequest) {
				if n, _, err := hall.sub.Pending(); err != nil || n != 0 {
					t.Errorf("the hall heard of it before the edge: %d, %v", n, err)
				}
				heard <- "over"
			}
			first := mustSignIn(t, nc, signInReq("ann", "e1", "c1"))
			hall.want(t, event.Joined, "ann", first.Epoch)

			req := signInReq("Ann", "e2", "c2")
			req.Takeover = tt.takeover
			second, err := authapi.SignIn.Call(natstest.Context(t), nc, req)
			wantCode(t, err, tt.code)
			if tt.code != "" {
				if err.Error() != "can't sign in repeatedly" {
					t.Errorf("said %q", err)
				}
				if r, _ := record(t, s, "ann"); r.Session != first.Session || len(told(t, ns)) != 1 {
					t.Errorf("the first session is not what it was: %+v", r)
				}
				return
			}
			if second.Epoch <= first.Epoch || second.Session == first.Session {
				t.Errorf("first %+v, second %+v", first, second)
			}
			left := hall.want(t, event.Left, "ann", first.Epoch)
			hall.want(t, event.Joined, "ann", second.Epoch)
			wantUntil := second.Since
			if tt.lost {
				wantUntil = first.Since // its edge's last renewal was before it
			}
			if !left.Until.Equal(wantUntil) || !left.Since.Equal(first.Since) || left.EdgeLost != tt.lost || left.Edge != "e1" {
				t.Errorf("left %+v, want until %v; renewed %v", left, wantUntil, renewed)
			}
			over := e1.takeovers()
			if tt.told && (len(over) != 1 || over[0] != edgeapi.TakeoverRequest{Conn: "c1", Session: first.Session}) || !tt.told && len(over) > 0 {
				t.Errorf("the first edge was told %+v", over)
			}
			r, _ := record(t, s, "ann")
			if r.Session != second.Session || r.Edge != "e2" || r.Conn != "c2" || tt.told == (r.Prev != nil) {
				t.Errorf("stored %+v", r)
			}
			_, err = authapi.SignOut.Call(as(t, first), nc, authapi.SignOutRequest{})
			wantCode(t, err, fault.NotSignedIn)
		})
	}
}

// A connection whose sign-in was answered too late asks again: it gets a session, and is not
// told to close.
func TestSameConnectionAgain(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := start(t, ns, nil)
	addAccounts(t, s, "ann")
	nc := ns.Connect(t)
	hall := hear(t, ns)
	e1 := startEdge(t, ns, "e1")
	e1.connect("c1")
	first := mustSignIn(t, nc, signInReq("ann", "e1", "c1"))
	second := mustSignIn(t, nc, signInReq("ann", "e1", "c1"))
	hall.want(t, event.Joined, "ann", first.Epoch)
	hall.want(t, event.Left, "ann", first.Epoch)
	hall.want(t, event.Joined, "ann", second.Epoch)
	if over := e1.takeovers(); len(over) > 0 || e1.asked > 0 {
		t.Errorf("asked %d times, told %+v", e1.asked, over)
	}
}

// A person with the nats CLI signs in without an edge where that is allowed, and the session
// stands in nobody's way.
func TestSignInWithoutEdge(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := start(t, ns, func(c *Config) { c.Bare = true })
	addAccounts(t, s, "ann")
	nc := ns.Connect(t)
	first := mustSignIn(t, nc, signInReq("ann", "", ""))
	second := mustSignIn(t, nc, signInReq("ann", "e1", "c1"))
	if first.Epoch >= second.Epoch {
		t.Errorf("epochs %d, %d", first.Epoch, second.Epoch)
	}
	if _, err := authapi.SignOut.Call(bus.As(natstest.Context(t), "ANN"), nc, authapi.SignOutRequest{}); err != nil {
		t.Errorf("a sign-out by name alone: %v", err)
	}
	if _, found := record(t, s, "ann"); found {
		t.Error("the session is still there")
	}
}

// The same command gets the same session, on whichever copy and whatever died in between:
// before the claim, after it, after the hall was told, after all of it.
func TestSignInAgain(t *testing.T) {
	t.Parallel()
	for _, diedAfter := range []string{"claim", "told", "settled"} {
		t.Run(diedAfter, func(t *testing.T) {
			t.Parallel()
			ns := natstest.Run(t)
			s := start(t, ns, nil)
			addAccounts(t, s, "ann")
			hall := hear(t, ns)
			r := put(t, s, claimOf("ann", "e1", "c1", "command-1"))
			ctx := natstest.Context(t)
			if diedAfter != "claim" {
				if _, err := s.tellHall(ctx, r); err != nil {
					t.Fatal(err)
				}
			}
			if diedAfter == "settled" {
				if err := s.settle(ctx, r, true, 0); err != nil {
					t.Fatal(err)
				}
			}
			resp, err := authapi.SignIn.Call(bus.WithCommand(ctx, "command-1"), ns.Connect(t), signInReq("ann", "e1", "c1"))
			if err != nil {
				t.Fatal(err)
			}
			if resp.Session != r.Session || resp.Epoch != r.Epoch() || resp.Seq != 1 {
				t.Errorf("answered %+v, claimed %+v", resp, r)
			}
			hall.want(t, event.Joined, "ann", r.Epoch())
			if all := told(t, ns); len(all) != 1 {
				t.Errorf("the hall heard %+v", all)
			}
			if have, _ := record(t, s, "ann"); have.Claimed != r.Epoch() {
				t.Errorf("not settled: %+v", have)
			}
		})
	}
}

// A command that comes late to another copy, when its session is over, brings nothing to
// life.
func TestSignInTooLate(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := start(t, ns, nil)
	addAccounts(t, s, "ann")
	nc := ns.Connect(t)
	command := bus.WithCommand(natstest.Context(t), "command-1")
	resp, err := authapi.SignIn.Call(command, nc, signInReq("ann", "e1", "c1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := authapi.SignOut.Call(as(t, resp), nc, authapi.SignOutRequest{}); err != nil {
		t.Fatal(err)
	}
	late := signInReq("ann", "e1", "c1")
	_, err = s.signIn(command, late)
	wantCode(t, err, fault.Unavailable)
	if _, found := record(t, s, "ann"); found {
		t.Error("the session is back")
	}
	if all := told(t, ns); len(all) != 2 {
		t.Errorf("the hall heard %+v", all)
	}
	// The user is not locked out by it.
	mustSignIn(t, nc, late)
}

// A sign-in whose session was taken over before it could answer is not welcome any more.
func TestOvertakenBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := start(t, ns, nil)
	addAccounts(t, s, "ann")
	hall := hear(t, ns)
	slow := put(t, s, claimOf("ann", "e1", "c1", "command-1"))
	fast := mustSignIn(t, ns.Connect(t), signInReq("ann", "e1", "c1")) // the same connection
	_, err := s.complete(natstest.Context(t), slow)
	if !errors.Is(err, errOver) {
		t.Errorf("the slow one: %v", err)
	}
	hall.want(t, event.Joined, "ann", slow.Epoch())
	hall.want(t, event.Left, "ann", slow.Epoch())
	hall.want(t, event.Joined, "ann", fast.Epoch)
	if all := told(t, ns); len(all) != 3 {
		t.Errorf("the hall heard %+v", all)
	}
}

// A session that is ending is finished by whoever wants to sign in.
func TestSignInFinishesAnEnd(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := start(t, ns, nil)
	addAccounts(t, s, "ann")
	hall := hear(t, ns)
	r := claimOf("ann", "e1", "c1", "command-1")
	r.State, r.Claimed, r.Until = session.Ending, 7, r.Since
	put(t, s, r)
	resp := mustSignIn(t, ns.Connect(t), signInReq("ann", "e2", "c2"))
	if left := hall.want(t, event.Left, "ann", 7); !left.Until.Equal(r.Until) {
		t.Errorf("left %+v", left)
	}
	hall.want(t, event.Joined, "ann", resp.Epoch)
}

// 1,000 times two sign-ins of one user at the same instant, on two edges and two copies of
// auth: never two live sessions. In every other pair both take over.
func TestPairsOfSignIns(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	data := t.TempDir()
	copyOf := func(c *Config) { c.Data = data }
	s := start(t, ns, copyOf)
	start(t, ns, copyOf)
	addAccounts(t, s, "ann")
	nc := ns.Connect(t)
	edges := []*edge{startEdge(t, ns, "e1"), startEdge(t, ns, "e2")}
	for pair := range 1000 {
		takeover := pair%2 == 1
		var got [2]authapi.SignInResponse
		var errs [2]error
		var both sync.WaitGroup
		for i, e := range edges {
			conn := fmt.Sprintf("c%d", pair)
			e.connect(conn)
			both.Go(func() {
				req := signInReq("ann", e.id, conn)
				req.Takeover = takeover
				got[i], errs[i] = authapi.SignIn.Call(context.WithoutCancel(t.Context()), nc, req)
			})
		}
		both.Wait()
		r, found := record(t, s, "ann")
		if !found {
			t.Fatalf("pair %d: nobody is signed in: %v", pair, errs)
		}
		live := -1
		for i, err := range errs {
			switch {
			case err == nil && got[i].Session == r.Session:
				live = i
			case err == nil:
				// Welcome for a moment: its edge must have been told that it is over.
				over := edges[i].takeovers()
				if !takeover || len(over) == 0 || over[len(over)-1].Session != got[i].Session {
					t.Fatalf("pair %d: two live sessions: %+v", pair, got)
				}
			case fault.CodeOf(err) != fault.AlreadySignedIn:
				t.Fatalf("pair %d: %v", pair, err)
			}
		}
		if live < 0 || r.Claimed == 0 || r.Prev != nil {
			t.Fatalf("pair %d: answered %+v (%v), stored %+v", pair, got, errs, r)
		}
		if _, err := authapi.SignOut.Call(bus.AsSession(natstest.Context(t), "ann", r.Session), nc, authapi.SignOutRequest{}); err != nil {
			t.Fatalf("pair %d: sign out: %v", pair, err)
		}
	}
	alternate(t, told(t, ns), 1000)
}

// alternate fails unless the events are joined and left in turn, epoch by epoch, with
// intervals that do not overlap, and at least sessions of them.
func alternate(t *testing.T, all []event.Event, sessions int) {
	t.Helper()
	var epoch uint64
	var until time.Time
	in := false
	for i, e := range all {
		switch {
		case !in && e.Kind == event.Joined && e.Epoch > epoch && !e.Since.Before(until):
			epoch = e.Epoch
		case in && e.Kind == event.Left && e.Epoch == epoch:
			until = e.Until
		default:
			t.Fatalf("event %d: %s of epoch %d after epoch %d (in: %v), since %v, before until %v", i, e.Kind, e.Epoch, epoch, in, e.Since, until)
		}
		in = !in
	}
	if in || len(all) < 2*sessions {
		t.Errorf("%d events, in at the end: %v", len(all), in)
	}
}

// While all slots are taken 32 requests wait and more are told "busy" at once; those from
// trusted addresses wait, however many.
func TestBusy(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := start(t, ns, nil)
	addAccounts(t, s, "ann")
	nc := ns.Connect(t)
	release := make(chan struct{})
	var holding, all sync.WaitGroup
	for range cap(s.hasher.slots) {
		holding.Add(1)
		all.Go(func() {
			err := s.hasher.in(natstest.Context(t), true, func() error {
				holding.Done()
				<-release
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	holding.Wait()
	const strangers, friends = 40, 100
	type result struct {
		err  error
		took time.Duration
	}
	busy := make(chan result, strangers)
	call := func(trusted bool) {
		all.Go(func() {
			begun := time.Now()
			_, err := authapi.SignIn.Call(natstest.Context(t), nc, authapi.SignInRequest{
				Username: "ann", Password: "wrong horse", Edge: "e1", Trusted: trusted,
			})
			if fault.CodeOf(err) == fault.Unavailable && !trusted {
				busy <- result{err, time.Since(begun)}
				return
			}
			wantCode(t, err, fault.WrongCredentials)
		})
	}
	for range friends {
		call(true)
	}
	for range strangers {
		call(false)
	}
	for range strangers - queueMost {
		r := <-busy // while the slots are still held
		if r.err.Error() != "busy, please try again" || r.took > time.Second {
			t.Errorf("after %v: %v", r.took, r.err)
		}
	}
	close(release)
	all.Wait()
	if n := len(busy); n > 0 {
		t.Errorf("%d more were refused than had to be", n)
	}
}
