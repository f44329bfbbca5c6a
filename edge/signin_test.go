package edge_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"gamehall/shared/authapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/game21api"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.connect(t)
	ann.send("hi", "/WHO", "/SIGNOUT", "/CHATROOM hi", "/W bob hi")
	for range 5 {
		ann.want("system: please sign in first")
	}
	ann.send("/SIGNIN ann 124", "/signin Ann 123")
	ann.want("system: wrong account or password", "system: welcome, ann")
	ann.send("/SIGNIN ann 123", "/SIGNIN bob 123")
	ann.want("system: can't sign in repeatedly", "system: can't sign in repeatedly")
	// On another connection, too, while the first one stands.
	other := h.connect(t)
	other.send("/SIGNIN ANN 123")
	other.want("system: can't sign in repeatedly")
	ann.send("/SIGNOUT", "hi")
	ann.want("system: bye, ann", "system: please sign in first")
	h.ended(t, "ann")
	// The connection is kept, and may be somebody else's.
	other.send("/SIGNIN ann 123")
	other.want("system: welcome, ann")
	ann.send("/SIGNIN bob 123", "hi")
	ann.want("system: welcome, bob", "bob: hi")
	other.want("system: bob joined the hall", "bob: hi")
	if got := len(h.ends); got != 0 {
		t.Errorf("%d sessions were ended besides", got)
	}
}

// Commands that are sent while a sign-in is under way are carried out after it.
func TestCommandsDuringSignIn(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan bool), make(chan bool)
	n := &neighbours{onSignIn: func(context.Context, authapi.SignInRequest) error {
		asked <- true
		<-answer
		return nil
	}}
	h := startWith(t, n, nil)
	ann := h.connect(t)
	ann.send("/SIGNIN ann 123")
	<-asked
	ann.send("one", "/SIGNIN ann 123", "two")
	close(answer)
	ann.want("system: welcome, ann")
	rest := map[string]int{}
	for range 3 {
		rest[ann.line()]++
	}
	for _, line := range []string{"ann: one", "ann: two", "system: can't sign in repeatedly"} {
		if rest[line] != 1 {
			t.Errorf("%q came %d times, got %v", line, rest[line], rest)
		}
	}
}

// A session hears everything behind its own join, once, also what was told before its
// sign-in was answered: the lobby's lines, and a round that began meanwhile.
func TestSignInHearsFromItsJoinOn(t *testing.T) {
	t.Parallel()
	n := &neighbours{}
	h := startWith(t, n, nil)
	ann := h.signIn(t, "ann")
	ends := time.Now().Add(100 * time.Second)
	h.line(t, "before")
	ann.want("somebody: before")
	n.afterJoined(func(string) {
		h.line(t, "meanwhile")
		seq := h.tell(t, streams.GameChannel, event.Event{Kind: event.Game21Started, Round: 7, Numbers: []int{2, 3, 5, 10}, EndsAt: ends})
		n.status = game21api.StatusResponse{Open: true, Round: 7, Numbers: []int{2, 3, 5, 10}, EndsAt: ends, Seq: seq}
		// Until the edge has had both.
		for range 3 {
			ann.line()
		}
	})
	bob := h.connect(t)
	bob.send("/SIGNIN bob 123")
	bob.want("system: welcome, bob")
	got := map[string]int{bob.line(): 1}
	got[bob.line()]++
	for _, line := range []string{"somebody: meanwhile", "system: round 7: make 21 of 2 3 5 10, 100 seconds"} {
		if got[line] != 1 {
			t.Errorf("%q came %d times, got %v", line, got[line], got)
		}
	}
	bob.quiet()
}

// Who signs in during a round is told its numbers and the time that is left, once.
func TestSignInDuringARound(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		open bool
		told bool // the game's channel has the start
		want bool
	}{
		{name: "no round", told: true},
		{name: "a round", open: true, told: true, want: true},
		{name: "a round that is not told yet", open: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := &neighbours{}
			h := startWith(t, n, nil)
			ends := time.Now().Add(90 * time.Second)
			if tt.told {
				n.status.Seq = h.tell(t, streams.GameChannel, event.Event{Kind: event.Game21Started, Round: 3, Numbers: []int{1, 2, 3, 7}, EndsAt: ends})
			}
			n.status.Open, n.status.Round, n.status.Numbers, n.status.EndsAt = tt.open, 3, []int{1, 2, 3, 7}, ends
			ann := h.signIn(t, "ann")
			if tt.want {
				var left int
				if _, err := fmt.Sscanf(ann.line(), "system: round 3: make 21 of 1 2 3 7, %d seconds", &left); err != nil || left < 60 || left > 90 {
					t.Errorf("%d seconds are left, %v", left, err)
				}
			}
			// What follows is the next event, and no other round.
			h.tell(t, streams.GameChannel, event.Event{Kind: event.Game21Answered, Round: 3, User: "bob"})
			ann.want("system: round 3: bob has answered")
			ann.quiet()
		})
	}
}

// A taken-over session is told so and closed within a second; the new one lives.
func TestTakeover(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"same edge", "another edge"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			h := start(t, nil)
			ann := h.signIn(t, "ann")
			first := h.record(t, "ann")
			second := h.connect(t)
			if where == "another edge" {
				second = connectTo(t, h.another(t, nil))
			}
			second.send("/SIGNIN ann 123")
			second.want("system: can't sign in repeatedly")
			begun := time.Now()
			second.send("/SIGNIN ann 123 takeover")
			ann.want("system: signed in elsewhere")
			ann.wantCleanEnd()
			if late := time.Since(begun); late > soon {
				t.Errorf("the old connection was closed after %v, want within %v", late, soon)
			}
			second.want("system: welcome, ann")
			if got := h.record(t, "ann"); got.Session == first.Session || got.Epoch() <= first.Epoch() {
				t.Errorf("the session is %s of epoch %d, after %s of epoch %d", got.Session, got.Epoch(), first.Session, first.Epoch())
			}
			second.send("hi")
			second.want("ann: hi")
			second.quiet()
			if got := len(h.ends); got != 0 {
				t.Errorf("the old edge ended a session that was not its any more")
			}
		})
	}
}

// The outcome of a command that was under way is not shown to who was taken over.
func TestLateAnswerAfterTakeover(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan bool, 1), make(chan bool)
	n := &neighbours{onSay: func(context.Context, string) error {
		asked <- true
		<-answer
		return fault.New(fault.BadRequest, "too late to be shown")
	}}
	h := startWith(t, n, nil)
	ann := h.signIn(t, "ann")
	ann.send("hi", "/PING")
	<-asked
	second := h.connect(t)
	second.send("/SIGNIN ann 123 TAKEOVER")
	second.want("system: welcome, ann")
	close(answer)
	ann.want("system: signed in elsewhere")
	ann.wantCleanEnd()
}

// A sign-in whose outcome stays unknown is undone, but not against the player who has come in
// meanwhile on the same connection.
func TestUnknownSignInIsForgotten(t *testing.T) {
	t.Parallel()
	requests := make(chan authapi.SignInRequest, 10)
	n := &neighbours{mute: true, onSignIn: func(_ context.Context, r authapi.SignInRequest) error {
		requests <- r
		return nil
	}}
	h := startWith(t, n, nil)
	nc := h.ns.Connect(t)
	deaf, err := nc.Subscribe(string(authapi.SignIn), func(*nats.Msg) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	ann := h.connect(t)
	ann.send("/SIGNIN ann 123 TAKEOVER")
	for line := ann.line(); line != "system: the auth service does not answer, please try again"; line = ann.line() {
		if line != "system: the hall is slow, still trying" {
			t.Fatalf("got %q", line)
		}
	}
	if err := deaf.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	// It is served again, and ann is first: only then what the edge repeats is let through.
	first := make(chan bool)
	n.onSignIn = func(_ context.Context, r authapi.SignInRequest) error {
		requests <- r
		if r.Again {
			<-first
		}
		return nil
	}
	h.serveSignIn(t)
	ann.send("/SIGNIN ann 123 TAKEOVER")
	ann.want("system: welcome, ann")
	close(first)
	ours, again := h.record(t, "ann"), 0
	for range 2 {
		select {
		case r := <-requests:
			if r.Again {
				again++
			}
		case <-natstest.Context(t).Done():
			t.Fatal("the edge does not undo the sign-in that it knows nothing of")
		}
	}
	if again != 1 {
		t.Errorf("%d requests only asked for what became of the first one, want 1", again)
	}
	ann.send("still here")
	ann.want("ann: still here")
	if got := h.record(t, "ann").Session; got != ours.Session {
		t.Error("the session is another one")
	}
}

// A session that has ended before its sign-in was answered gets no welcome, and hears nothing.
func TestEndedBeforeWelcome(t *testing.T) {
	t.Parallel()
	n := &neighbours{}
	h := startWith(t, n, nil)
	bob := h.signIn(t, "bob")
	n.afterJoined(func(user string) {
		if _, err := n.tellLeft(natstest.Context(t), h.record(t, user)); err != nil {
			t.Errorf("left: %v", err)
		}
		// Until the edge has had it.
		bob.want("system: ann joined the hall", "system: ann left the hall")
	})
	ann := h.connect(t)
	ann.send("/SIGNIN ann 123")
	ann.want("system: the session could not begin, please try again")
	h.ended(t, "ann")
	h.line(t, "behind")
	bob.want("somebody: behind")
	ann.quiet()
}
