package client

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/wire"
)

// person is a session's owner who writes everything down.
type person struct {
	session *session
	mu      sync.Mutex
	updates []any
}

// sits starts a session that ends with the test's context. dial is the hall's by default.
func sits(ctx context.Context, dial func(context.Context) (net.Conn, error)) (*person, func()) {
	p := &person{}
	p.session = newSession(dial, func(u any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.updates = append(p.updates, u)
	})
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { p.session.run(ctx) })
	return p, func() { cancel(); wg.Wait() }
}

func (p *person) signIn(user string) {
	p.session.do(wire.Command{Type: wire.SignIn, Username: user, Password: "secret1"}, nil)
}

func (p *person) say(text string) { p.session.do(wire.Command{Type: wire.Say, Text: text}, text) }

// told gives the updates of one kind so far.
func told[U any](p *person) []U {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []U
	for _, u := range p.updates {
		if u, ok := u.(U); ok {
			all = append(all, u)
		}
	}
	return all
}

// heard gives the texts of chat so far.
func (p *person) heard() []string {
	var all []string
	for _, e := range told[event.Stored](p) {
		if e.Text != "" {
			all = append(all, e.Text)
		}
	}
	return all
}

func want[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

// TestKeyRepeated: a line whose answer was lost is sent again with its key, and only it.
func TestKeyRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hall := newFakeHall()
		defer hall.stop()
		p, leave := sits(t.Context(), hall.dial)
		defer leave()
		p.signIn("ann")
		synctest.Wait()
		hall.locked(func() { hall.lose[wire.Say] = true })
		p.say("once")
		p.say("twice")
		time.Sleep(time.Minute) //nolint:forbidigo // the clock of synctest
		synctest.Wait()
		got := hall.commands(wire.Say)
		if len(got) != 3 || got[0].Text != "once" || got[1].Text != "once" || got[0].Key == "" || got[0].Key != got[1].Key || got[1].Key == got[2].Key {
			t.Errorf("got %+v, want the first line twice with one key, the second with another", got)
		}
		want(t, "heard", p.heard(), []string{"once", "twice"})
		want(t, "welcomes", len(told[welcome](p)), 2)
	})
}

// TestUnanswered: what becomes of the command that was under way when the connection broke
// before the hall did it.
func TestUnanswered(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		cmd  wire.Command
		done bool       // the hall did it before the connection broke
		code fault.Code // of its answer
		sent int        // how often it came
	}{
		{cmd: wire.Command{Type: wire.Who}, sent: 1},
		{cmd: wire.Command{Type: wire.Passwd, Old: "a", New: "b"}, code: fault.Unavailable},
		{cmd: wire.Command{Type: wire.RoomCreate, Room: "nook"}, sent: 1},
		{cmd: wire.Command{Type: wire.RoomCreate, Room: "nook"}, done: true, sent: 1},
		{cmd: wire.Command{Type: wire.Passwd, Old: "a", New: "b"}, done: true, code: fault.Unavailable, sent: 1},
		{cmd: wire.Command{Type: wire.SignOut}},
		{cmd: wire.Command{Type: wire.SignOut}, done: true, sent: 1},
		{cmd: wire.Command{Type: wire.Game21Answer, Expression: "1+2"}, done: true, sent: 2},
	} {
		t.Run(fmt.Sprint(tt.cmd.Type, " ", tt.done), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				hall := newFakeHall()
				defer hall.stop()
				p, leave := sits(t.Context(), hall.dial)
				defer leave()
				p.signIn("ann")
				synctest.Wait()
				gate := make(chan struct{})
				hall.locked(func() {
					if hall.lose[tt.cmd.Type] = tt.done; !tt.done {
						hall.quiet[tt.cmd.Type] = gate
					}
				})
				p.session.do(tt.cmd, "it")
				synctest.Wait()
				if !tt.done {
					hall.cut()
				}
				hall.locked(func() { delete(hall.quiet, tt.cmd.Type) })
				close(gate)
				time.Sleep(time.Minute) //nolint:forbidigo // the clock of synctest
				synctest.Wait()
				var codes []fault.Code
				for _, a := range told[answer](p) {
					if a.tag == "it" {
						codes = append(codes, fault.CodeOf(asError(a.reply.Err)))
					}
				}
				want(t, "answers", codes, []fault.Code{tt.code})
				want(t, "times sent", len(hall.commands(tt.cmd.Type)), tt.sent)
			})
		})
	}
}

func asError(f *fault.Error) error {
	if f == nil {
		return nil
	}
	return f
}

func TestTokenRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hall := newFakeHall()
		defer hall.stop()
		p, leave := sits(t.Context(), hall.dial)
		defer leave()
		p.signIn("ann")
		synctest.Wait()
		hall.locked(func() { hall.end(hall.sessions["ann"]) })
		hall.cut()
		synctest.Wait()
		p.say("too late")
		time.Sleep(time.Minute) //nolint:forbidigo // the clock of synctest
		synctest.Wait()
		if o := told[over](p); len(o) != 1 || !strings.Contains(o[0].why, "sign in again") {
			t.Errorf("told %+v, want once that the session is over", o)
		}
		answers := told[answer](p)
		if last := answers[len(answers)-1]; last.tag != "too late" || last.reply.Err == nil || last.reply.Err.Code != fault.NotSignedIn {
			t.Errorf("the line that waited is answered %+v, want not_signed_in", last)
		}
		want(t, "lines that came", len(hall.commands(wire.Say)), 0)
		p.signIn("ann")
		synctest.Wait()
		want(t, "welcomes", len(told[welcome](p)), 2)
	})
}

// TestResumeLater: a hall that cannot resume right now is asked again.
func TestResumeLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hall := newFakeHall()
		defer hall.stop()
		p, leave := sits(t.Context(), hall.dial)
		defer leave()
		p.signIn("ann")
		synctest.Wait()
		hall.locked(func() { hall.refuse[wire.Resume] = &fault.Error{Code: fault.Unavailable, Message: "busy"} })
		hall.cut()
		time.Sleep(5 * time.Second) //nolint:forbidigo // the clock of synctest
		hall.locked(func() { delete(hall.refuse, wire.Resume) })
		time.Sleep(time.Minute) //nolint:forbidigo // the clock of synctest
		synctest.Wait()
		want(t, "welcomes", len(told[welcome](p)), 2)
		want(t, "ends", len(told[over](p)), 0)
	})
}

func TestClosing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		reason wire.Reason
		again  bool
	}{
		{wire.Restart, true},
		{wire.Unavailable, true},
		{wire.SlowConsumer, true},
		{wire.Heartbeat, true},
		{wire.SignedInElsewhere, false},
		{wire.Idle, false},
		{wire.Protocol, false},
	} {
		t.Run(string(tt.reason), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				hall := newFakeHall()
				defer hall.stop()
				p, leave := sits(t.Context(), hall.dial)
				defer leave()
				p.signIn("ann")
				synctest.Wait()
				hall.send(wire.Private{Kind: wire.KindClosing, Reason: tt.reason, RetryAfter: 7 * time.Second})
				time.Sleep(6900 * time.Millisecond) //nolint:forbidigo // the clock of synctest
				synctest.Wait()
				want(t, "connections before retry_after_ms", hall.standing(), 0)
				time.Sleep(time.Hour) //nolint:forbidigo // the clock of synctest
				synctest.Wait()
				links := told[link](p)
				if got := links[len(links)-1].state; (got == connected) != tt.again || (got == away) == tt.again {
					t.Fatalf("in the end the connection is %v", got)
				}
				if tt.again {
					return
				}
				p.signIn("ann") // somebody wants something
				synctest.Wait()
				want(t, "welcomes", len(told[welcome](p)), 2)
			})
		})
	}
}

// TestSilence: after 30 s without a byte the connection is dead; a hall that answers the
// heartbeat is not.
func TestSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hall := newFakeHall()
		defer hall.stop()
		p, leave := sits(t.Context(), hall.dial)
		defer leave()
		p.signIn("ann")
		time.Sleep(10*time.Minute + time.Second) //nolint:forbidigo // the clock of synctest
		synctest.Wait()
		want(t, "heartbeats in ten minutes", len(hall.commands(wire.Ping)), 60)
		want(t, "welcomes", len(told[welcome](p)), 1)

		hall.locked(func() { hall.mute[wire.Ping] = true })
		begun := time.Now()
		for len(told[link](p)) == 2 {
			time.Sleep(100 * time.Millisecond) //nolint:forbidigo // the clock of synctest
		}
		if took := time.Since(begun); took < 20*time.Second || took > 31*time.Second {
			t.Errorf("found dead after %v", took)
		}
		if l := told[link](p)[2]; l.state != lost || !strings.Contains(l.err.Error(), "30 seconds") {
			t.Errorf("told %v %v", l.state, l.err)
		}
	})
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	var most []time.Duration
	b := backoff{draw: func(d time.Duration) time.Duration { most = append(most, d); return 0 }}
	for range 100 {
		b.next()
	}
	want(t, "bounds", most[:8], []time.Duration{5e8, 1e9, 2e9, 4e9, 8e9, 16e9, 30e9, 30e9})
	want(t, "the last", most[99], 30*time.Second)
	b.reset()
	b.next()
	want(t, "after a success", most[100], pauseFirst)
	b = backoff{}
	for range 1000 {
		if d := b.next(); d < 0 || d >= pauseMost {
			t.Fatalf("a pause of %v", d)
		}
	}
}

// TestDeduplicated: what is told twice is heard once, by channel.
func TestDeduplicated(t *testing.T) {
	t.Parallel()
	var p positions
	p.begin(10)
	for _, tt := range []struct {
		e     event.Stored
		fresh bool
	}{
		{event.Stored{Channel: "lobby", Seq: 10, Event: event.Event{Kind: event.Joined}}, false},
		{event.Stored{Channel: "lobby", Seq: 12, Event: event.Event{Kind: event.Chat}}, true},
		{event.Stored{Channel: "lobby", Seq: 12, Event: event.Event{Kind: event.Chat}}, false},
		{event.Stored{Channel: "room:a", Seq: 11, Event: event.Event{Kind: event.RoomChat}}, true},
		{event.Stored{Channel: "game21", Seq: 13, Event: event.Event{Kind: event.Game21Answered, Round: 3}}, true},
		{event.Stored{Channel: "game21", Seq: 5, Event: event.Event{Kind: event.Game21Started, Round: 3}}, true},
		{event.Stored{Channel: "game21", Seq: 5, Event: event.Event{Kind: event.Game21Started, Round: 3}}, false},
		{event.Stored{Channel: "game21", Seq: 13, Event: event.Event{Kind: event.Game21Answered, Round: 3}}, false},
		{event.Stored{Channel: "game21", Seq: 14, Event: event.Event{Kind: event.Game21Ended, Round: 3}}, true},
	} {
		if got := p.fresh(tt.e); got != tt.fresh {
			t.Errorf("%s %d %s: fresh is %v, want %v", tt.e.Channel, tt.e.Seq, tt.e.Kind, got, tt.fresh)
		}
	}
	want(t, "since", p.since("a"), wire.Since{"lobby": 12, "room:a": 11, "game21": 14})
	want(t, "since, in no room", p.since(""), wire.Since{"lobby": 12, "game21": 14})
}

func TestTooLongIsRefusedHere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hall := newFakeHall()
		defer hall.stop()
		p, leave := sits(t.Context(), hall.dial)
		defer leave()
		p.signIn("ann")
		p.say(strings.Repeat(`"`, 2500)) // each is two bytes in JSON
		p.say("short")
		synctest.Wait()
		answers := told[answer](p)
		if len(answers) != 3 || answers[1].reply.Err == nil || answers[1].reply.Err.Code != fault.TooLong || answers[2].reply.Err != nil {
			t.Errorf("answers %+v", answers)
		}
	})
}
