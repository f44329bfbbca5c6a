package auth

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"gamehall/shared/authapi"
	"gamehall/shared/event"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
)

func TestDutyTo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)
	settled := session.Record{Session: "s", State: session.Alive, Edge: "e1", Claimed: 7, Since: now.Add(-time.Hour)}
	with := func(change func(*session.Record)) session.Record {
		r := settled
		change(&r)
		return r
	}
	tests := []struct {
		name string
		r    session.Record
		held bool
		want duty
	}{
		{"settled", settled, true, none},
		{"away", with(func(r *session.Record) { r.State = session.Away }), true, none},
		{"its edge is dead", settled, false, bury},
		{"claimed a moment ago on a dead edge", with(func(r *session.Record) { r.Claimed, r.Since = 0, now }), false, bury},
		{"claimed", with(func(r *session.Record) { r.Claimed = 0 }), true, tell},
		{"claimed from another", with(func(r *session.Record) { r.Claimed, r.Prev = 0, &session.Previous{} }), true, tell},
		{"the edge before did not answer", with(func(r *session.Record) { r.Prev = &session.Previous{} }), true, dismiss},
		{"ending", with(func(r *session.Record) { r.State = session.Ending }), true, finish},
		{"ending on a dead edge", with(func(r *session.Record) { r.State = session.Ending }), false, finish},
		{"of no edge, old", with(func(r *session.Record) { r.Edge = "" }), false, expire},
		{"of no edge, 30 s old", with(func(r *session.Record) { r.Edge, r.Since = "", now.Add(-30*time.Second) }), false, none},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := dutyTo(tt.r, tt.held, now); got != tt.want {
				t.Errorf("duty %d, want %d", got, tt.want)
			}
		})
	}
}

// reaping is the pace of tests that reap.
const reaping = 20 * time.Millisecond

func reap(c *Config) { c.ReapEvery = reaping }

// mirrored waits until the copy's reaper can see the session of user.
func mirrored(t *testing.T, s *Service, r session.Record) {
	t.Helper()
	natstest.Eventually(t, "the session is mirrored", func() bool {
		have, ok := s.directory.Peek(r.UserID)
		return ok && have.Session == r.Session
	})
}

// Two copies see that an edge is dead: the hall hears once that its users left, as of its
// last renewal, and nothing of an edge that lives.
func TestDeadEdge(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	data := t.TempDir()
	copyOf := func(c *Config) { c.Data, c.ReapEvery = data, reaping }
	s := start(t, ns, copyOf)
	other := start(t, ns, copyOf)
	addAccounts(t, s, "ann", "bob", "cy7")
	nc := ns.Connect(t)
	hall := hear(t, ns)
	startEdge(t, ns, "e1")
	startEdge(t, ns, "e2")
	in := map[string]authapi.SignInResponse{}
	for user, edge := range map[string]string{"ann": "e1", "bob": "e1", "cy7": "e2"} {
		in[user] = mustSignIn(t, nc, signInReq(user, edge, user))
		hall.want(t, event.Joined, user, in[user].Epoch)
	}
	renewed := lease(t, ns, "e1")
	for _, copy := range []*Service{s, other} {
		natstest.Eventually(t, "the renewal is seen", func() bool {
			copy.leases.mu.Lock()
			defer copy.leases.mu.Unlock()
			return copy.leases.renewed["e1"].Equal(renewed)
		})
	}
	endLease(t, ns, "e1")
	for range 2 {
		e := hall.next(t)
		if e.Kind != event.Left || e.Edge != "e1" || e.Epoch != in[e.User].Epoch || !e.Until.Equal(renewed) || !e.EdgeLost {
			t.Errorf("heard %+v, want left until %v", e, renewed)
		}
	}
	natstest.Eventually(t, "the sessions are gone", func() bool {
		_, ann := record(t, s, "ann")
		_, bob := record(t, s, "bob")
		return !ann && !bob
	})
	if _, found := record(t, s, "cy7"); !found {
		t.Error("a session of a living edge ended")
	}
	if all := told(t, ns); len(all) != 5 {
		t.Errorf("the hall heard %+v", all)
	}
}

// What a copy that died began is finished by another one's reaper.
func TestReaperFinishes(t *testing.T) {
	t.Parallel()
	before := session.Previous{Session: "old", Epoch: 3, Edge: "e0", Conn: "c0", Since: time.Now().UTC(), Until: time.Now().UTC()}
	tests := []struct {
		name   string
		change func(*session.Record)
		hears  []string
		gone   bool // the session
		over   bool // the edge of the session before was told
	}{
		{name: "a claim", change: func(*session.Record) {}, hears: []string{"joined"}},
		{name: "a takeover", change: func(r *session.Record) { r.Prev = &before }, hears: []string{"left 3", "joined"}, over: true},
		{name: "a takeover that was told to the hall", change: func(r *session.Record) { r.Prev, r.Claimed = &before, 99 }, over: true},
		{name: "an end", change: func(r *session.Record) { r.State, r.Claimed = session.Ending, 99 }, hears: []string{"left 99"}, gone: true},
		{name: "of no edge, and old", change: func(r *session.Record) {
			r.Edge, r.Claimed, r.Since = "", 99, time.Now().Add(-time.Minute)
		}, hears: []string{"left 99"}, gone: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ns := natstest.Run(t)
			startEdge(t, ns, "e1")
			e0 := startEdge(t, ns, "e0")
			s := start(t, ns, reap)
			hall := hear(t, ns)
			r := claimOf("ann", "e1", "c1", "command-1")
			tt.change(&r)
			r = put(t, s, r)
			for _, want := range tt.hears {
				e := hall.next(t)
				got := e.Kind
				if e.Epoch != r.Revision {
					got = fmt.Sprintf("%s %d", e.Kind, e.Epoch)
				}
				if got != want || e.User != "ann" {
					t.Errorf("heard %q (%+v), want %q", got, e, want)
				}
			}
			natstest.Eventually(t, "it is done", func() bool {
				have, found := record(t, s, "ann")
				return found != tt.gone && (tt.gone || have.Claimed == r.Epoch() && have.Prev == nil && have.Live())
			})
			if over := e0.takeovers(); tt.over != (len(over) == 1) {
				t.Errorf("the edge before was told %+v", over)
			}
			if all := told(t, ns); len(all) != len(tt.hears) {
				t.Errorf("the hall heard %+v", all)
			}
		})
	}
}

// What was finished since the reaper saw it is not done again: the mirror from which it knows
// may be behind.
func TestReaperSeesWhatIsOld(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	startEdge(t, ns, "e1")
	e0 := startEdge(t, ns, "e0")
	s := start(t, ns, nil)
	r := claimOf("ann", "e1", "c1", "command-1")
	r.Prev = &session.Previous{Session: "old", Epoch: 3, Edge: "e0", Conn: "c0"}
	r = put(t, s, r)
	for range 2 {
		if err := s.do(natstest.Context(t), tell, r); err != nil {
			t.Fatal(err)
		}
	}
	if over := e0.takeovers(); len(over) != 1 {
		t.Errorf("the edge before was told %+v", over)
	}
}

// An edge that does not answer is told again until it does or its lease is gone. The hall
// hears nothing more of it.
func TestDismissUntilTheLeaseIsGone(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	lease(t, ns, "e0") // and nobody there
	startEdge(t, ns, "e1")
	s := start(t, ns, nil)
	r := claimOf("ann", "e1", "c1", "command-1")
	r.Claimed, r.Prev = 99, &session.Previous{Session: "old", Epoch: 3, Edge: "e0", Conn: "c0"}
	r = put(t, s, r)
	if err := s.do(natstest.Context(t), dismiss, r); err != nil {
		t.Fatal(err)
	}
	if have, _ := record(t, s, "ann"); have.Prev == nil {
		t.Error("it gave up on an edge that holds a lease")
	}
	endLease(t, ns, "e0")
	if err := s.do(natstest.Context(t), dismiss, r); err != nil {
		t.Fatal(err)
	}
	if have, _ := record(t, s, "ann"); have.Prev != nil || have.Claimed != 99 {
		t.Errorf("stored %+v", have)
	}
	if all := told(t, ns); len(all) > 0 {
		t.Errorf("the hall heard %+v", all)
	}
}

// What is under way in another copy is left to it for one look.
func TestReaperWaitsALook(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	startEdge(t, ns, "e1")
	s := start(t, ns, nil)
	r := put(t, s, claimOf("ann", "e1", "c1", "command-1"))
	mirrored(t, s, r)
	p := &reaper{s: s}
	for look, want := range []int{0, 1} {
		if err := p.look(natstest.Context(t)); err != nil {
			t.Fatal(err)
		}
		if n := len(told(t, ns)); n != want {
			t.Errorf("after look %d the hall heard %d events, want %d", look+1, n, want)
		}
	}
}

// A lease that is back before the session ends saves it.
func TestBuryLooksAgain(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := start(t, ns, nil)
	r := put(t, s, claimOf("ann", "e1", "c1", "command-1"))
	lease(t, ns, "e1")
	if err := s.do(natstest.Context(t), bury, r); err != nil {
		t.Fatal(err)
	}
	if _, found := record(t, s, "ann"); !found {
		t.Error("the session of an edge with a lease ended")
	}
}

// Sessions of a former life are over before the service is ready, also half-done ones.
func TestEndFormer(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	first := start(t, ns, nil)
	renewed := lease(t, ns, "e1")
	const many = 100
	for i := range many {
		r := claimOf(fmt.Sprintf("user%d", i), "e1", "c1", "command-1")
		r.Claimed, r.Since = 99, renewed.Add(-time.Minute)
		put(t, first, r)
	}
	put(t, first, claimOf("untold", "e2", "c2", "command-1"))
	over := claimOf("over", "e1", "c3", "command-1")
	over.Claimed, over.State = 99, session.Ending
	put(t, first, over)

	lease(t, ns, "e9")
	other := claimOf("other", "e9", "c9", "command-1")
	other.Claimed = 99
	put(t, first, other)

	second := start(t, ns, func(c *Config) { c.FormerEdges = []string{"e1", "e2"} })
	if _, found := record(t, second, "other"); !found {
		t.Error("a session of an edge that lives has ended")
	}
	kinds := map[string]int{}
	for _, e := range told(t, ns) {
		kinds[e.Kind]++
		if e.Kind == event.Left && e.Edge == "e1" && e.User != "over" && (!e.Until.Equal(renewed) || !e.EdgeLost) {
			t.Errorf("heard %+v, want until %v", e, renewed)
		}
		if e.User == "untold" && !e.Until.IsZero() {
			t.Errorf("heard %+v, and no renewal is known", e)
		}
		if _, found := record(t, second, e.User); found {
			t.Errorf("%s is still there", e.User)
		}
	}
	if kinds[event.Left] != many+2 || kinds[event.Joined] != 1 {
		t.Errorf("heard %v", kinds)
	}
	natstest.Eventually(t, "the mirrors have the other one alone", func() bool {
		return len(first.directory.Online()) == 1 && len(second.directory.Online()) == 1
	})
}

// One session that cannot be worked on does not keep the others from it.
func TestEachGoesOn(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := start(t, ns, nil)
	broken := errors.New("broken")
	done := make(chan string, 100)
	all := make([]*session.Record, cap(done))
	for i := range all {
		all[i] = &session.Record{}
	}
	err := s.each(t.Context(), all, func(_ context.Context, _ session.Record) error {
		done <- ""
		if len(done) == 7 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) || len(done) != cap(done) {
		t.Errorf("%d done, %v", len(done), err)
	}
}
