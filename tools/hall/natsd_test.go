package main

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// startTestNATS starts the embedded server as up does, on a free port, with the hall's
// streams.
func startTestNATS(t *testing.T, data string) *natsd {
	t.Helper()
	n, err := startNATS(t.Context(), data, listen{"127.0.0.1", 0}, natstest.Quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.stop)
	nc, err := n.dialer(natstest.Quiet()).Connect("test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := streams.Ensure(natstest.Context(t), js, streams.Options{}); err != nil {
		t.Fatal(err)
	}
	return n
}

// connectTo makes a connection with nothing of ours on it, as the nats CLI does.
func connectTo(t *testing.T, url string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	// Without a handler of its own the client prints what is refused.
	opts = append(opts, nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// permitted does something and tells whether the server let it: its answer to the flush
// comes after whatever it refused.
func permitted(t *testing.T, c *nats.Conn, do func() error) bool {
	t.Helper()
	if err := do(); err != nil {
		t.Fatal(err)
	}
	if err := c.FlushWithContext(natstest.Context(t)); err != nil {
		t.Fatal(err)
	}
	return !errors.Is(c.LastError(), nats.ErrPermissionViolation)
}

// TestPermissions asserts what may be done without credentials, and that the administrator
// may do the rest. Each case has a connection of its own: the last refusal stays in it.
func TestPermissions(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	n := startTestNATS(t, data)
	admin := adminURL(t, data)
	tests := []struct {
		subject              string
		publish, subscribe   bool // without credentials
		adminPub, adminHears bool
	}{
		{subject: "hall.auth.signup", publish: true, adminPub: true, adminHears: true},
		{subject: "hall.account.who", publish: true, adminPub: true, adminHears: true},
		{subject: "hall.chat.say", publish: true, adminPub: true, adminHears: true},
		{subject: "hall.room.create", publish: true, adminPub: true, adminHears: true},
		{subject: "hall.game21.answer", publish: true, adminPub: true, adminHears: true},
		{subject: "$SRV.PING", publish: true, adminPub: true, adminHears: true},
		{subject: "$SRV.INFO.auth", publish: true, adminPub: true, adminHears: true},
		{subject: "hall.live.lobby", subscribe: true, adminHears: true},
		{subject: "hall.live.>", subscribe: true, adminHears: true},
		{subject: "_INBOX.x", subscribe: true, adminPub: true, adminHears: true},
		{subject: "_INBOX_auth.x", adminPub: true, adminHears: true},
		{subject: "_INBOX_edge.>", adminHears: true},
		{subject: "hall.events.lobby", adminPub: true, adminHears: true},
		{subject: "hall.events.room.x", adminPub: true, adminHears: true},
		{subject: "hall.state.member.x", adminPub: true, adminHears: true},
		{subject: "hall.round.1.close", adminPub: true, adminHears: true},
		{subject: "hall.edge.x.takeover", adminPub: true, adminHears: true},
		{subject: "hall.edge.>", adminHears: true},
		{subject: "hall.other.verb", adminPub: true, adminHears: true},
		{subject: "hall.auth", adminPub: true, adminHears: true},
		{subject: "hall.>", adminHears: true},
		{subject: ">", adminHears: true},
		{subject: "$JS.API.INFO", adminPub: true, adminHears: true},
		{subject: "$JS.API.STREAM.PURGE.HALL_EVENTS", adminPub: true, adminHears: true},
		{subject: "$JS.API.DIRECT.GET.HALL_EVENTS", adminPub: true, adminHears: true},
		{subject: "$JS.API.STREAM.MSG.GET.KV_sessions", adminPub: true, adminHears: true},
		{subject: "$JS.ACK.x", adminPub: true, adminHears: true},
		{subject: "$KV.sessions.x", adminPub: true, adminHears: true},
		{subject: "$KV.>", adminHears: true},
		{subject: "$SYS.REQ.SERVER.PING", adminPub: true, adminHears: true},
		{subject: "mine", adminPub: true, adminHears: true},
	}
	for _, tt := range tests {
		t.Run(tt.subject, func(t *testing.T) {
			t.Parallel()
			for _, who := range []struct {
				name               string
				url                string
				publish, subscribe bool
			}{
				{"anyone", n.url(), tt.publish, tt.subscribe},
				{"admin", admin, tt.adminPub, tt.adminHears},
			} {
				if !strings.Contains(tt.subject, ">") {
					c := connectTo(t, who.url)
					if got := permitted(t, c, func() error { return c.Publish(tt.subject, nil) }); got != who.publish {
						t.Errorf("%s may publish %s: %v, want %v", who.name, tt.subject, got, who.publish)
					}
				}
				c := connectTo(t, who.url)
				got := permitted(t, c, func() error { _, err := c.SubscribeSync(tt.subject); return err })
				if got != who.subscribe {
					t.Errorf("%s may subscribe %s: %v, want %v", who.name, tt.subject, got, who.subscribe)
				}
			}
		})
	}
}

// TestAnyoneHearsTheStream: hall.live.> is what the stream republishes, and nobody else may
// put anything there, but who has no credentials hears it.
func TestAnyoneHearsTheStream(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	n := startTestNATS(t, data)
	ear := connectTo(t, n.url())
	heard, err := ear.SubscribeSync("hall.live.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := ear.Flush(); err != nil {
		t.Fatal(err)
	}
	admin := connectTo(t, adminURL(t, data))
	js, err := jetstream.New(admin)
	if err != nil {
		t.Fatal(err)
	}
	forged := connectTo(t, n.url())
	if permitted(t, forged, func() error { return forged.Publish("hall.live.lobby", []byte(`"forged"`)) }) {
		t.Error("who has no credentials may publish hall.live.lobby")
	}
	if _, err := js.Publish(natstest.Context(t), "hall.events.lobby", []byte(`"stored"`)); err != nil {
		t.Fatal(err)
	}
	msg, err := heard.NextMsg(natstest.Wait)
	if err != nil {
		t.Fatal(err)
	}
	if string(msg.Data) != `"stored"` || msg.Header.Get("Nats-Sequence") == "" {
		t.Errorf("heard %s with %v, want what was stored, with its sequence", msg.Data, msg.Header)
	}
}

func TestAdminFile(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	n := startTestNATS(t, data)
	path := filepath.Join(data, adminFile)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("%s has mode %o, want 600", adminFile, mode)
	}
	if len(n.password) != 32 {
		t.Errorf("the password has %d characters, want 32 (128 bits)", len(n.password))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"user     " + adminUser + "\n", "password " + n.password + "\n", "url      nats://" + adminUser + ":" + n.password + "@127.0.0.1:"} {
		if !strings.Contains(string(text), line) {
			t.Errorf("%s lacks %q:\n%s", adminFile, line, text)
		}
	}
	n.stop()
	if again := startTestNATS(t, data); again.password != n.password {
		t.Error("the password changed with a restart")
	}
	if err := os.WriteFile(path, []byte("nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := adminPassword(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file without a password: %v, want an error that names it", err)
	}
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	n := startTestNATS(t, t.TempDir())
	for _, opt := range []nats.Option{nats.UserInfo(adminUser, "wrong"), nats.UserInfo(adminUser, ""), nats.UserInfo("anyone", ""), nats.UserInfo("who", "ever")} {
		if nc, err := nats.Connect(n.url(), opt); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("connected with wrong credentials: %v (%v), want %v", nc, err, nats.ErrAuthorization)
		}
	}
}

// TestOffLoopback: where others can connect, nobody gets in without credentials.
func TestOffLoopback(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	n, err := startNATS(t.Context(), data, listen{"0.0.0.0", 0}, natstest.Quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.stop)
	u, err := url.Parse(n.url())
	if err != nil {
		t.Fatal(err)
	}
	at := "nats://127.0.0.1:" + u.Port()
	if nc, err := nats.Connect(at); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("connected without credentials: %v (%v), want %v", nc, err, nats.ErrAuthorization)
	}
	connectTo(t, at, nats.UserInfo(adminUser, n.password))
	// People are told a host that they can connect to.
	if u.Hostname() != "localhost" {
		t.Errorf("it is told as %s, want localhost", n.url())
	}
	connectTo(t, adminURL(t, data))
}

// TestSafe: an acknowledged line is on disk, and messages are as large as DESIGN says.
func TestSafe(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	n := startTestNATS(t, data)
	cfg := n.server.JetStreamConfig()
	if cfg == nil || !cfg.SyncAlways {
		t.Errorf("JetStream runs with %+v, want SyncAlways", cfg)
	}
	if want := filepath.Join(data, "jetstream"); cfg != nil && cfg.StoreDir != want {
		t.Errorf("JetStream stores in %s, want %s", cfg.StoreDir, want)
	}
	if got := connectTo(t, n.url()).MaxPayload(); got != 1<<20 {
		t.Errorf("max payload %d, want 1 MiB", got)
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	n := startTestNATS(t, t.TempDir())
	var at listen
	if err := at.UnmarshalText([]byte(n.server.Addr().String())); err != nil {
		t.Fatal(err)
	}
	second, err := startNATS(t.Context(), t.TempDir(), at, natstest.Quiet())
	if err == nil {
		second.stop()
		t.Fatal("two servers listen at one address")
	}
	if !strings.Contains(err.Error(), at.String()) || !strings.Contains(err.Error(), "--nats-listen") {
		t.Errorf("%v: want the address, and what to do", err)
	}
}

// TestDamagedStore: a server that cannot start says why.
func TestDamagedStore(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "jetstream"), []byte("not a folder"), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := startNATS(t.Context(), data, listen{"127.0.0.1", 0}, natstest.Quiet())
	if err == nil {
		n.stop()
		t.Fatal("it started")
	}
	if !strings.Contains(err.Error(), data) {
		t.Errorf("%v: want the path", err)
	}
}

func adminURL(t *testing.T, data string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, adminFile))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "url" {
			return f[1]
		}
	}
	t.Fatalf("no url in %s", text)
	return ""
}

// TestForgedAnswers asks services over $SRV to answer to subjects that are no inboxes: the
// micro framework answers to whichever it is told, so its connection may write nowhere else.
func TestForgedAnswers(t *testing.T) {
	t.Parallel()
	p := startHall(t, t.TempDir(), cheapHash...)
	one := p.signIn("netease1", "123")
	nc := connectTo(t, p.nats)
	js, err := jetstream.New(connectTo(t, adminURL(t, p.data)))
	if err != nil {
		t.Fatal(err)
	}
	stored := func() (all []uint64) {
		for _, stream := range []string{"HALL_EVENTS", "HALL_GAME21", "KV_sessions", "KV_edges", "KV_game21", "KV_whispers"} {
			s, err := js.Stream(t.Context(), stream)
			if err != nil {
				t.Fatal(err)
			}
			if stream != "KV_edges" { // its lease is renewed all the time
				all = append(all, s.CachedInfo().State.LastSeq)
			}
		}
		return all
	}
	before := stored()
	for _, verb := range []string{"PING", "INFO.auth", "STATS.chat"} {
		for _, reply := range []string{"hall.events.lobby", "hall.live.lobby", "hall.round.7.close", "$KV.sessions.x", "$KV.game21.schedule", "$KV.edges.x", "$JS.API.STREAM.PURGE.KV_sessions"} {
			if err := nc.PublishRequest("$SRV."+verb, reply, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	// What came before it has been answered by all when each service answers this.
	answers(t, nc, "$SRV.STATS", len(services))
	if after := stored(); !slices.Equal(before, after) {
		t.Errorf("the streams' last sequences were %v and are %v", before, after)
	}
	one.says("still here")
	one.hearsNext("netease1: still here")
	p.stops(os.Interrupt)
	startHall(t, p.data, cheapHash...)
}

// TestTwoHallsOnOneNATS: the second one connects with the administrator's URL, and ends no
// session of the first one's.
func TestTwoHallsOnOneNATS(t *testing.T) {
	t.Parallel()
	first := startHall(t, t.TempDir(), cheapHash...)
	one := first.signIn("netease1", "123")
	second := startHall(t, t.TempDir(), append([]string{"--nats", adminURL(t, first.data)}, cheapHash...)...)
	two := second.signIn("netease2", "123")
	one.hears("system: netease2 joined the hall")
	two.says("/WHO")
	two.hears("system: 2 online")
	second.kill()
	// Its next life ends what the last one had, and nothing else.
	third := startHall(t, second.data, append([]string{"--nats", adminURL(t, first.data)}, cheapHash...)...)
	one.hears("system: netease2 left the hall")
	third.signIn("netease2", "123")
	one.hears("system: netease2 joined the hall")
}
