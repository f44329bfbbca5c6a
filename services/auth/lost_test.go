package auth

import (
	"testing"
	"time"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
)

// An edge that has not told of a loss yet says so with the resume: the loss and the return are
// one write, and nobody is asked to close a connection that is gone.
func TestResumeOfTheLost(t *testing.T) {
	t.Parallel()
	for what, tt := range map[string]struct {
		edge  string // that it comes back to
		lost  func(h holder) authapi.Lost
		spent bool // it comes with the token before
		told  int  // that the connection which has the session is to be closed
		code  fault.Code
	}{
		"lost a moment ago":           {edge: "e1", lost: func(h holder) authapi.Lost { return authapi.Lost{Session: h.Session, Ago: 20} }},
		"lost too long ago":           {edge: "e1", lost: func(h holder) authapi.Lost { return authapi.Lost{Session: h.Session, Ago: 30_100} }, code: fault.BadToken},
		"another session was lost":    {edge: "e1", lost: func(holder) authapi.Lost { return authapi.Lost{Session: bus.NewID()} }, told: 1},
		"another edge says so":        {edge: "e2", lost: func(h holder) authapi.Lost { return authapi.Lost{Session: h.Session} }, told: 1},
		"nothing is said":             {edge: "e1", lost: func(holder) authapi.Lost { return authapi.Lost{} }, told: 1},
		"spent, and nothing was sent": {edge: "e1", spent: true, lost: func(h holder) authapi.Lost { return authapi.Lost{Session: h.Session, Silent: true} }},
		"spent, and more was sent":    {edge: "e1", spent: true, lost: func(h holder) authapi.Lost { return authapi.Lost{Session: h.Session} }, code: fault.BadToken},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ns, s, nc, e1 := setUp(t)
			startEdge(t, ns, "e2")
			before := signInWithToken(t, nc, "ann", "e1", "c1")
			before.detach(t, nc, authapi.DetachRequest{})
			now := before.mustResume(t, nc, "e1", "c2")
			r, _ := record(t, s, "ann")
			comes := now
			if tt.spent {
				comes = before
			}
			next := bus.NewID()
			got, err := authapi.Resume.Call(natstest.Context(t), nc, authapi.ResumeRequest{
				Token: comes.token(), NextHash: authapi.HashToken(next), Edge: tt.edge, Conn: "c3", Lost: tt.lost(now),
			})
			wantCode(t, err, tt.code)
			if told := e1.takeovers(); len(told) != tt.told {
				t.Errorf("the edge was told %+v, want %d of them", told, tt.told)
			}
			is, _ := record(t, s, "ann")
			if err != nil {
				if is.Revision != r.Revision {
					t.Errorf("a resume that was refused wrote %+v", is)
				}
				return
			}
			if is.Session != got.Session || is.Conn != "c3" || is.Edge != tt.edge || !is.Detached.IsZero() || is.Prev != nil {
				t.Errorf("the record after the resume: %+v", is)
			}
		})
	}
}

// Whoever tells of a loss later says how long ago that was: from then on the 30 s count.
func TestDetachedSomeTimeAgo(t *testing.T) {
	t.Parallel()
	_, s, nc, _ := setUp(t)
	h := signInWithToken(t, nc, "ann", "e1", "c1")
	r, _ := record(t, s, "ann")
	r.Since = r.Since.Add(-time.Minute)
	put(t, s, r)
	before := time.Now()
	h.detach(t, nc, authapi.DetachRequest{Ago: 10_000})
	r, _ = record(t, s, "ann")
	if gone := before.Sub(r.Detached); gone > 10*time.Second || gone < 10*time.Second-natstest.Wait || !r.Until.Equal(r.Detached) {
		t.Errorf("detached %v before it was told, until %v: want 10 s before, and heard until then", gone, r.Until)
	}
}

// What the mirror does not know yet is no reason to refuse: its leader is asked. Here it is
// behind by all that happened since it was closed.
func TestResumeWhileTheMirrorIsBehind(t *testing.T) {
	t.Parallel()
	_, s, nc, _ := setUp(t)
	first := signInWithToken(t, nc, "ann", "e1", "c1")
	natstest.Eventually(t, "the mirror knows the session", func() bool {
		r, found := s.directory.Peek(first.UserID)
		return found && r.Claimed != 0
	})
	s.directory.Close()
	first.detach(t, nc, authapi.DetachRequest{})
	second := first.mustResume(t, nc, "e1", "c2") // found there, at another revision
	first.wantRefused(t, nc, fault.BadToken)
	second.detach(t, nc, authapi.DetachRequest{})
	second.mustResume(t, nc, "e1", "c3") // not the token that is there
	second.wantRefused(t, nc, fault.BadToken)
}
