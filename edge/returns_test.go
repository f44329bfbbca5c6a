package edge_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"gamehall/edge"
	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/edgeapi"
	"gamehall/shared/fault"
	"gamehall/shared/name"
	"gamehall/shared/natstest"
	"gamehall/shared/roomapi"
	"gamehall/shared/session"
)

// returner plays auth's part of a resume for users whose id is of their names.
type returner struct {
	h      *hall
	refuse string        // whose token is bad
	former bool          // it knows one at a time, and nothing that is held
	dies   bool          // with any request but the first, unless it is asked once more
	hold   chan struct{} // the first request waits for it

	mu    sync.Mutex
	asked []authapi.ResumeRequest
	ids   []string
}

func (r *returner) serve(t *testing.T) {
	t.Helper()
	natstest.Answer(t, r.h.ns, authapi.Resume, r.resume)
}

// requests gives the requests so far, but for those that only ask again.
func (r *returner) requests() (all []authapi.ResumeRequest, ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append(all, r.asked...), append(ids, r.ids...)
}

func (r *returner) resume(ctx context.Context, req authapi.ResumeRequest) (authapi.ResumeResponse, error) {
	r.mu.Lock()
	r.asked, r.ids = append(r.asked, req), append(r.ids, bus.Command(ctx))
	first := len(r.asked) == 1
	r.mu.Unlock()
	if first && r.hold != nil {
		<-r.hold
	}
	if r.former && (len(req.Each) > 0 || req.Held != "") {
		return authapi.ResumeResponse{}, fault.New(fault.BadRequest, "unknown member")
	}
	if r.dies && !first && !req.Again {
		return authapi.ResumeResponse{}, fault.New(fault.Unavailable, "nobody knows what became of it")
	}
	if len(req.Each) == 0 {
		got, err := r.one(ctx, req)
		return authapi.ResumeResponse{SignInResponse: got}, err
	}
	all := make([]authapi.Resumed, len(req.Each))
	for i, one := range req.Each {
		got, err := r.one(ctx, one.Alone(req.Edge))
		if f, _ := fault.From(err); err != nil {
			all[i].Code, all[i].Message = f.Code, f.Message
			continue
		}
		all[i].SignInResponse = got
	}
	return authapi.ResumeResponse{Each: all}, nil
}

func (r *returner) one(ctx context.Context, req authapi.ResumeRequest) (authapi.SignInResponse, error) {
	id, _, _ := authapi.ParseToken(req.Token)
	if id == name.UserID(r.refuse) {
		return authapi.SignInResponse{}, fault.New(fault.BadToken, "this session is over")
	}
	user := ""
	for i := range 100 {
		if u := fmt.Sprint("user", i); name.UserID(u) == id {
			user = u
		}
	}
	rec := session.Record{
		User: user, UserID: id, Session: bus.NewID(), State: session.Alive,
		Since: time.Now().UTC(), Edge: req.Edge, Conn: req.Conn, Command: bus.Command(ctx), Claimed: 7,
	}
	data, err := json.Marshal(rec)
	if err != nil {
		return authapi.SignInResponse{}, err
	}
	_, err = r.h.kv.Put(ctx, id, data)
	return authapi.SignInResponse{User: user, UserID: id, Session: rec.Session, Epoch: 7, Seq: 1}, err
}

// comeBack lets users 0 to n-1 ask to resume, the first one before the others.
func comeBack(t *testing.T, r *returner, n int) []*frameClient {
	t.Helper()
	all := make([]*frameClient, n)
	for i := range all {
		all[i] = framesTo(t, r.h.edge)
		user := fmt.Sprint("user", i)
		all[i].send(fmt.Sprintf(`{"id":"1","type":"resume","token":%q}`, authapi.Token(name.UserID(user), bus.NewID())))
		if i == 0 {
			natstest.Eventually(t, "the first asks", func() bool {
				asked, _ := r.requests()
				return len(asked) > 0
			})
		}
	}
	return all
}

// Who comes back while auth is asked shares the next request, and has an outcome and a room of its
// own.
func TestReturnsShareARequest(t *testing.T) {
	t.Parallel()
	const n = 12
	h := start(t, edge.WaitForReturns)
	r := &returner{h: h, refuse: "user5", hold: make(chan struct{})}
	r.serve(t)
	for i, epoch := range map[int]uint64{3: 7, 4: 6} { // 4 was in it with another session
		user := fmt.Sprint("user", i)
		in := roomapi.Membership{User: user, Room: "den", RoomID: name.RoomID("den"), Epoch: epoch}
		if _, err := h.js.Publish(natstest.Context(t), roomapi.MemberSubject.Of(name.UserID(user)), encode(t, in)); err != nil {
			t.Fatal(err)
		}
	}
	all := comeBack(t, r, n)
	natstest.Eventually(t, "the others wait", func() bool { return h.edge.Returning() == n-1 })
	close(r.hold)
	for i, c := range all {
		got := c.next()
		user := fmt.Sprint("user", i)
		switch {
		case i == 5:
			if !strings.Contains(got, `"bad_token"`) {
				t.Errorf("%s was told %s", user, got)
			}
		case !strings.Contains(got, `"user":"`+user+`"`) || !strings.Contains(got, `"ok":true`) || strings.Contains(got, `"room":"den"`) != (i == 3):
			t.Errorf("%s was told %s", user, got)
		}
	}
	asked, _ := r.requests()
	if len(asked) != 2 || len(asked[1].Each) != n-1 {
		t.Errorf("auth was asked %d times, of %d the second time", len(asked), len(asked[len(asked)-1].Each))
	}
}

// What somebody sends instead of a token is not among the others': it may be so long that auth would
// refuse them all.
func TestReturnsBesideWhatIsNoToken(t *testing.T) {
	t.Parallel()
	const n, others = 5, 6
	h := start(t, edge.WaitForReturns)
	r := &returner{h: h, hold: make(chan struct{})}
	r.serve(t)
	comeBack(t, r, 1)
	for i := range others {
		other := framesTo(t, h.edge)
		other.send(fmt.Sprintf(`{"id":"1","type":"resume","token":%q}`, strings.Repeat("x", bus.MaxRequest/others+500)))
		natstest.Eventually(t, "it is asked for, or waits", func() bool {
			asked, _ := r.requests()
			return len(asked)-1+h.edge.Returning() > i
		})
	}
	var honest []*frameClient
	for i := range n {
		c := framesTo(t, h.edge)
		c.send(fmt.Sprintf(`{"id":"1","type":"resume","token":%q}`, authapi.Token(name.UserID(fmt.Sprint("user", i+1)), bus.NewID())))
		honest = append(honest, c)
	}
	natstest.Eventually(t, "they wait", func() bool { return h.edge.Returning() >= n })
	close(r.hold)
	for _, c := range honest {
		wantOutcome(t, c, "ok")
	}
}

// A copy of auth of an earlier version is asked for each by itself.
func TestReturnsAtFormerAuth(t *testing.T) {
	t.Parallel()
	const n = 5
	h := start(t, edge.WaitForReturns)
	r := &returner{h: h, refuse: "user2", former: true, hold: make(chan struct{})}
	r.serve(t)
	all := comeBack(t, r, n)
	natstest.Eventually(t, "the others wait", func() bool { return h.edge.Returning() == n-1 })
	close(r.hold)
	for i, c := range all {
		want := "ok"
		if i == 2 {
			want = "bad_token"
		}
		if got := c.next(); !strings.Contains(got, want) {
			t.Errorf("%d was told %s, want %s", i, got, want)
		}
	}
	asked, ids := r.requests()
	if len(asked) != 1+1+n-1 {
		t.Fatalf("auth was asked %d times", len(asked))
	}
	for i, id := range ids[2:] {
		if !strings.HasPrefix(id, ids[1]+".") || len(asked[2+i].Each) > 0 {
			t.Errorf("%d: by command %s, after %s: it may have been carried out", i, id, ids[1])
		}
	}
}

// A request that is not answered holds up nobody for long; and of several whose request is lost
// each is asked for until it is known what became of it.
func TestReturnsOfALostRequest(t *testing.T) {
	t.Parallel()
	const n = 4
	h := start(t, nil)
	r := &returner{h: h, dies: true, hold: make(chan struct{})}
	r.serve(t)
	all := comeBack(t, r, n)
	for i, c := range all[1:] {
		if got := c.next(); outcome(got) != "unavailable" {
			t.Errorf("%d was told %s", i, got)
		}
	}
	close(r.hold)
	wantOutcome(t, all[0], "ok")
	natstest.Eventually(t, "each is asked for again by itself", func() bool {
		asked, _ := r.requests()
		again := 0
		for _, req := range asked {
			if req.Again {
				again++
			}
		}
		return again == n-1
	})
	for range n - 1 { // it went well: they may come back
		if got := <-h.ends; !strings.HasSuffix(got, " detached") {
			t.Errorf("auth was told %q", got)
		}
	}
}

// Who comes back to the edge where its old connection stands: the edge closes that itself, before
// the new one is welcome, and nobody is told of a loss.
func TestReturnClosesTheOldHere(t *testing.T) {
	t.Parallel()
	for what, former := range map[string]bool{"auth of today": false, "a former one": true} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h := start(t, nil)
			r := &returner{h: h, former: former}
			r.serve(t)
			old, bob := framesTo(t, h.edge), framesTo(t, h.edge)
			enter(t, old, "user1")
			enter(t, bob, "bob")
			was := h.record(t, "user1")
			back := framesTo(t, h.edge)
			back.send(fmt.Sprintf(`{"id":"1","type":"resume","token":%q}`, authapi.Token(name.UserID("user1"), bus.NewID())))
			wantOutcome(t, back, "ok")
			for _, told := range old.rest() {
				if strings.Contains(told, `"closing"`) {
					t.Errorf("the old connection was told %s", told)
				}
			}
			asked, _ := r.requests()
			if asked[0].Held != was.Session || asked[0].Lost != (authapi.Lost{}) {
				t.Errorf("auth was asked %+v, want %s held", asked[0], was.Session)
			}
			if answer, err := edgeapi.Alive.To(was.Edge).Call(natstest.Context(t), h.ns.Connect(t), edgeapi.AliveRequest{Conn: was.Conn}); err != nil || answer.Alive {
				t.Errorf("the old connection: %+v, %v", answer, err)
			}
			if err := bob.nc.Close(); err != nil {
				t.Fatal(err)
			}
			if got := <-h.ends; got != "bob detached" { // later than what would be told of the other
				t.Errorf("auth was told %q", got)
			}
			back.send(`{"id":"2","type":"ping"}`)
			wantOutcome(t, back, "ok")
		})
	}
}
