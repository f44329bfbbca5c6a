package session_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/name"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

// open gives a directory that is closed with the test.
func open(t *testing.T, js jetstream.JetStream) *session.Directory {
	t.Helper()
	d, err := session.Open(natstest.Context(t), js, natstest.Quiet())
	if err != nil {
		t.Fatalf("open the sessions: %v", err)
	}
	t.Cleanup(d.Close)
	return d
}

// write stores r as auth would.
func write(t *testing.T, js jetstream.JetStream, r session.Record) uint64 {
	t.Helper()
	kv, err := js.KeyValue(natstest.Context(t), streams.Sessions)
	if err != nil {
		t.Fatalf("sessions: %v", err)
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	rev, err := kv.Put(natstest.Context(t), r.UserID, data)
	if err != nil {
		t.Fatalf("store: %v", err)
	}
	return rev
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	js := ns.JetStream(t)
	ann := ns.SignIn(t, "ann", "e1")
	ending := ns.SignIn(t, "eve", "e1")
	ending.State = session.Ending
	write(t, js, ending)
	away := ns.SignIn(t, "amy", "e1")
	away.State = session.Away
	write(t, js, away)
	gone := ns.SignIn(t, "bob", "e1")
	ns.SignOut(t, gone)
	d := open(t, js)

	tests := []struct {
		name          string
		bare          bool
		user, session string
		want          session.Record // zero: not signed in
	}{
		{name: "live", user: "ann", session: ann.Session, want: ann},
		{name: "any case", user: "ANN", session: ann.Session, want: ann},
		{name: "full width", user: "ａｎｎ", session: ann.Session, want: ann},
		{name: "away", user: "amy", session: away.Session, want: away},
		{name: "live, bare", bare: true, user: "ann", session: ann.Session, want: ann},
		{name: "no session", user: "ann"},
		{name: "no session, bare", bare: true, user: "Ann", want: ann},
		{name: "wrong session", user: "ann", session: bus.NewID()},
		{name: "wrong session, bare", bare: true, user: "ann", session: bus.NewID()},
		{name: "somebody else's session", user: "amy", session: ann.Session},
		{name: "ending", user: "eve", session: ending.Session},
		{name: "ending, bare", bare: true, user: "eve"},
		{name: "signed out", user: "bob", session: gone.Session},
		{name: "signed out, bare", bare: true, user: "bob"},
		{name: "unknown", bare: true, user: "nobody"},
		{name: "no user", bare: true, session: ann.Session},
		{name: "no name", bare: true, user: "a.*.>"},
		{name: "a name far too long", bare: true, user: strings.Repeat("a", 10_000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := d.Authorize(tt.bare)(natstest.Context(t), tt.user, tt.session)
			if tt.want.User == "" {
				if fault.CodeOf(err) != fault.NotSignedIn || got != (bus.Identity{}) {
					t.Fatalf("got %+v, error %v, want not_signed_in", got, err)
				}
				return
			}
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			if got.User != tt.want.User || got.Session != tt.want.Session || got.ID != tt.want.UserID || got.Edge != "e1" || got.Epoch == 0 {
				t.Errorf("got %+v, want the caller of %+v", got, tt.want)
			}
		})
	}
}

// A session counts from the moment it is stored, whether or not the mirror has heard of it;
// and the one that it took over from does not from the moment the mirror has.
func TestAuthorizeAtOnce(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	d := open(t, ns.JetStream(t))
	authorize := d.Authorize(false)
	for range 50 {
		first := ns.SignIn(t, "ann", "e1")
		if _, err := authorize(natstest.Context(t), "ann", first.Session); err != nil {
			t.Fatalf("a session that was just stored is refused: %v", err)
		}
		second := ns.SignIn(t, "ann", "e2")
		who, err := authorize(natstest.Context(t), "ann", second.Session)
		if err != nil || who.Epoch != second.Revision {
			t.Fatalf("the second session: %+v, %v; want epoch %d", who, err, second.Revision)
		}
		natstest.Eventually(t, "the mirror has the second session", func() bool {
			r, ok := d.Peek(second.UserID)
			return ok && r.Session == second.Session
		})
		if _, err := authorize(natstest.Context(t), "ann", first.Session); fault.CodeOf(err) != fault.NotSignedIn {
			t.Fatalf("the session that was taken over: %v, want not_signed_in", err)
		}
	}
}

func TestDirectoryFollows(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	before := ns.SignIn(t, "ann", "e1")
	d := open(t, ns.JetStream(t))
	if r, ok := d.Peek(before.UserID); !ok || r.Session != before.Session || r.Revision != before.Revision || r.Written.IsZero() {
		t.Errorf("opened: %+v (found %v), want %+v", r, ok, before)
	}
	bob := ns.SignIn(t, "bob", "e2")
	wantOnline(t, d, "ann", "bob")
	ns.SignOut(t, before)
	wantOnline(t, d, "bob")
	r, found, err := d.Read(natstest.Context(t), bob.UserID)
	if err != nil || !found || r.Session != bob.Session {
		t.Errorf("read: %+v, %v, %v", r, found, err)
	}
	if _, found, err := d.Read(natstest.Context(t), before.UserID); err != nil || found {
		t.Errorf("read who signed out: found %v, error %v", found, err)
	}
}

// What changes while NATS restarts and after it is told as if nothing had been, on the same
// directory.
func TestDirectoryOutlivesNATS(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	d := open(t, ns.JetStream(t))
	ann := ns.SignIn(t, "ann", "e1")
	wantOnline(t, d, "ann")
	for range 3 {
		ns.Restart(t)
		bob := ns.SignIn(t, "bob", "e1")
		wantOnline(t, d, "ann", "bob")
		if _, err := d.Authorize(false)(natstest.Context(t), "bob", bob.Session); err != nil {
			t.Fatalf("signed in after the restart: %v", err)
		}
		ns.SignOut(t, bob)
		wantOnline(t, d, "ann")
	}
	ns.SignOut(t, ann)
	wantOnline(t, d)
}

// While NATS is away the directory still knows who was there, and says unavailable rather
// than not_signed_in of whom it does not know.
func TestDirectoryWhileNATSIsAway(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	d := open(t, ns.JetStream(t))
	ann := ns.SignIn(t, "ann", "e1")
	wantOnline(t, d, "ann")
	ns.Stop(t)
	if _, ok := d.Peek(ann.UserID); !ok {
		t.Error("the mirror forgot ann")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := d.Authorize(true)(ctx, "bob", ""); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("somebody unknown: %v, want unavailable", err)
	}
}

// A watcher whose consumer is gone tells nothing and does not end. The mirror notices long
// before the client would (ten seconds), and until it has, nobody is refused or believed.
func TestDirectoryOfASilentWatcher(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	js := ns.JetStream(t)
	d := open(t, js)
	ann := ns.SignIn(t, "ann", "e1")
	wantOnline(t, d, "ann")
	s, err := js.Stream(natstest.Context(t), "KV_"+streams.Sessions)
	if err != nil {
		t.Fatal(err)
	}
	names := s.ConsumerNames(natstest.Context(t))
	for name := range names.Name() {
		if err := s.DeleteConsumer(natstest.Context(t), name); err != nil {
			t.Fatal(err)
		}
	}
	if names.Err() != nil {
		t.Fatal(names.Err())
	}
	begun := time.Now()
	ns.SignIn(t, "bob", "e1")
	ns.SignOut(t, ann)
	wantOnline(t, d, "bob")
	if took := time.Since(begun); took > 6*time.Second {
		t.Errorf("it took %v", took)
	}
	if _, err := d.Authorize(false)(natstest.Context(t), "ann", ann.Session); fault.CodeOf(err) != fault.NotSignedIn {
		t.Errorf("who signed out: %v", err)
	}
}

// A session that ends, or is taken over, while the services' own node is away: the mirror
// catches up on another node.
func TestDirectoryOnACluster(t *testing.T) {
	t.Parallel()
	c := natstest.RunCluster(t, 3)
	leader := c.Leader(t, "KV_"+streams.Sessions)
	writer := c.Nodes[leader] // stays; the directory's node, which is a follower, goes
	follower := (leader + 1) % 3
	if follower != 0 {
		c.Nodes[0], c.Nodes[follower] = c.Nodes[follower], c.Nodes[0]
	}
	d := open(t, c.JetStream(t))
	ann := writer.SignIn(t, "ann", "e1")
	wantOnline(t, d, "ann")
	c.Nodes[0].Stop(t)
	writer.SignIn(t, "bob", "e1")
	writer.SignOut(t, ann)
	wantOnline(t, d, "bob")
}

func TestOpenWithoutBucket(t *testing.T) {
	t.Parallel()
	if _, err := session.Open(natstest.Context(t), natstest.RunBare(t).JetStream(t), natstest.Quiet()); err == nil {
		t.Error("opened sessions that are not there")
	}
}

func TestOpenGivesUp(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	js := ns.JetStream(t)
	ns.Stop(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := session.Open(ctx, js, natstest.Quiet()); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("opened while nats is away: %v, want unavailable", err)
	}
}

// A record that cannot be read is no session, and the others are.
func TestDirectorySkipsWhatIsBroken(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	js := ns.JetStream(t)
	kv, err := js.KeyValue(natstest.Context(t), streams.Sessions)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(natstest.Context(t), name.UserID("eve"), []byte("{")); err != nil {
		t.Fatal(err)
	}
	ns.SignIn(t, "ann", "e1")
	d := open(t, js)
	wantOnline(t, d, "ann")
	if _, err := d.Authorize(true)(natstest.Context(t), "eve", ""); fault.CodeOf(err) != fault.Internal {
		t.Errorf("a broken record: %v, want internal", err)
	}
}

func wantOnline(t *testing.T, d *session.Directory, want ...string) {
	t.Helper()
	slices.Sort(want)
	var got []string
	natstest.Eventually(t, "online: "+strings.Join(want, " "), func() bool {
		got = nil
		for _, r := range d.Online() {
			got = append(got, r.User)
		}
		slices.Sort(got)
		return slices.Equal(got, want)
	})
}

// A hall of thousands is looked at every second: records are not copied for that.
func TestOnlineCopiesNoRecord(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	ns.SignIn(t, "ann", "e1")
	d := open(t, ns.JetStream(t))
	wantOnline(t, d, "ann")
	if first, second := d.Online(), d.Online(); first[0] != second[0] {
		t.Error("the record was copied")
	}
}

func BenchmarkAuthorize(b *testing.B) {
	ns := natstest.Run(b)
	ann := ns.SignIn(b, "ann", "e1")
	d, err := session.Open(natstest.Context(b), ns.JetStream(b), natstest.Quiet())
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	authorize := d.Authorize(false)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := authorize(b.Context(), "ann", ann.Session); err != nil {
			b.Fatal(err)
		}
	}
}

// Who waits for a change is woken by the next one, of whichever kind, and by nothing else.
func TestDirectoryTellsChanges(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	d := open(t, ns.JetStream(t))
	var ann session.Record
	for _, change := range []func(){
		func() { ann = ns.SignIn(t, "ann", "e1") },
		func() { ns.SignOut(t, ann) },
	} {
		changed := d.Changed()
		if d.Changed() != changed {
			t.Error("two who wait do not wait for the same")
		}
		select {
		case <-changed:
			t.Error("told before anything changed")
		default:
		}
		change()
		select {
		case <-changed:
		case <-natstest.Context(t).Done():
			t.Fatal("not told of a change")
		}
	}
}
