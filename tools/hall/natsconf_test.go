package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// natsConf is the configuration that operators use.
const natsConf = "../../docker/nats.conf"

var (
	clientsLine = regexp.MustCompile(`(?m)^  clients  (nats://\S+)$`)
	violation   = regexp.MustCompile(`(?i)violation|not permitted`)
)

// keyedNATS is a server with docker/nats.conf, and the keys for it.
type keyedNATS struct {
	*process
	keys string // the folder
}

// startKeyedNATS starts hall nats with keys of its own, and the hall's streams in it.
func startKeyedNATS(t *testing.T, args ...string) *keyedNATS {
	t.Helper()
	keys := filepath.Join(t.TempDir(), "keys")
	if code, out := runHall(t, "keys", keys); code != exitOK {
		t.Fatalf("hall keys: %d, %s", code, out)
	}
	p := launch(t, append([]string{
		"nats", "--config", natsConf, "--config-env", filepath.Join(keys, envFile), "--data", t.TempDir(), "--nats-listen", "127.0.0.1:0",
	}, args...)...)
	p.nats = p.await(p.out, clientsLine)[1]
	n := &keyedNATS{p, keys}
	if err := streams.Ensure(natstest.Context(t), n.jetStream(t, "admin"), streams.Options{}); err != nil {
		t.Fatal(err)
	}
	return n
}

// as connects with the key of that name.
func (n *keyedNATS) as(t *testing.T, name string) *nats.Conn {
	t.Helper()
	key, err := nats.NkeyOptionFromSeed(filepath.Join(n.keys, name+seedExt))
	if err != nil {
		t.Fatal(err)
	}
	// Its inboxes are those of its class, edge1's those of edge.
	class := strings.TrimRight(strings.TrimSuffix(name, listenerExt), "0123456789")
	if strings.HasPrefix(name, "game21") {
		class = "game21"
	}
	return connectTo(t, n.nats, key, nats.CustomInboxPrefix("_INBOX_"+class))
}

func (n *keyedNATS) jetStream(t *testing.T, name string) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(n.as(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// everybody is all who have a key but the operator.
const everybody = "auth account chat room game21 auth-listener account-listener chat-listener room-listener game21-listener edge1 edge2"

// TestPermissionMatrix asserts of each subject who may publish and who may subscribe it, and
// that nobody else may.
func TestPermissionMatrix(t *testing.T) {
	t.Parallel()
	n := startKeyedNATS(t)
	const nobody, callers, all5, listeners = "", "edge1 edge2", "auth account chat room game21", "auth-listener account-listener chat-listener room-listener game21-listener"
	tests := []struct {
		subject            string
		publish, subscribe string
	}{
		// What the hall is told has its writers, and is heard where the server republishes it.
		{"hall.events.lobby", "auth chat", nobody},
		{"hall.events.game21", "game21", nobody},
		{"hall.events.room.x", "room", nobody},
		{"hall.events.other", nobody, nobody},
		{"hall.state.room.x", "room", nobody},
		{"hall.state.member.x", "room", nobody},
		{"hall.round.7.open", "game21", nobody},
		{"hall.round.7.answer.x", "game21", nobody},
		{"hall.round.7.close", "game21", nobody},
		{"hall.live.lobby", nobody, callers},
		{"hall.live.room.x", nobody, callers},

		// Commands are the edges' to send, and each service's to hear.
		{"hall.auth.signin", callers, nobody},
		{"hall.account.who", callers, nobody},
		{"hall.chat.say", callers, nobody},
		{"hall.room.join", callers, nobody},
		{"hall.game21.answer", callers, nobody},
		{"hall.other.verb", nobody, nobody},
		{"$SRV.PING", nobody, listeners},
		{"$SRV.INFO.chat", nobody, "chat-listener"},

		// What edges are asked.
		{"hall.edge.edge1.x.alive", "auth", callers},
		{"hall.edge.edge1.x.takeover", "auth", callers},
		{"hall.edge.edge1.x.whisper", "chat", callers},
		{"hall.edge.edge1.x.entered", "room", callers},
		{"hall.edge.edge1.x.other", nobody, callers},

		// Inboxes.
		{"_INBOX.x", all5 + " " + listeners, nobody},
		{"_INBOX_auth.x", nobody, "auth auth-listener"},
		{"_INBOX_account.x", nobody, "account account-listener"},
		{"_INBOX_chat.x", nobody, "chat chat-listener"},
		{"_INBOX_room.x", nobody, "room room-listener"},
		{"_INBOX_game21.x", nobody, "game21 game21-listener"},
		{"_INBOX_edge.x", nobody, callers},
		{"_INBOX_admin.x", nobody, nobody},

		// Buckets, of which edges see their leases alone.
		{"$KV.sessions.x", "auth", nobody},
		{"$KV.game21.schedule", "game21", nobody},
		{"$KV.game21.other", nobody, nobody},
		{"$KV.whispers.x", "chat", nobody},
		{"$KV.edges.edge1.x", callers, nobody},
		{"$KV.edges.x", nobody, nobody},
		{"$JS.API.STREAM.MSG.GET.KV_sessions", all5, nobody},
		{"$JS.API.STREAM.MSG.GET.KV_edges", "auth account chat edge1 edge2", nobody},
		{"$JS.API.STREAM.MSG.GET.KV_game21", "game21", nobody},
		{"$JS.API.STREAM.MSG.GET.KV_whispers", "chat", nobody},
		{"$JS.API.CONSUMER.CREATE.KV_whispers.x.$KV.whispers.>", nobody, nobody},
		{"$JS.API.DIRECT.GET.KV_sessions", nobody, nobody},
		{"$JS.API.DIRECT.GET.KV_sessions.$KV.sessions.x", nobody, nobody},
		{"$JS.API.CONSUMER.CREATE.KV_sessions", nobody, nobody},
		{"$JS.API.CONSUMER.CREATE.KV_sessions.x.$KV.sessions.>", all5, nobody},
		{"$JS.API.STREAM.INFO.KV_sessions", all5, nobody},

		// Streams are read, made where they are missing, and never changed or emptied.
		{"$JS.API.STREAM.MSG.GET.HALL_EVENTS", all5 + " edge1 edge2", nobody},
		{"$JS.API.DIRECT.GET.HALL_EVENTS", all5 + " edge1 edge2", nobody},
		{"$JS.API.DIRECT.GET.HALL_GAME21", "game21", nobody},
		{"$JS.API.STREAM.INFO.HALL_EVENTS", all5 + " edge1 edge2", nobody},
		{"$JS.API.STREAM.CREATE.HALL_EVENTS", all5 + " edge1 edge2", nobody},
		{"$JS.API.STREAM.CREATE.KV_sessions", all5, nobody},
		{"$JS.API.STREAM.CREATE.MINE", nobody, nobody},
		{"$JS.API.CONSUMER.CREATE.HALL_EVENTS.account.hall.events.lobby", "account room", nobody},
		{"$JS.API.CONSUMER.MSG.NEXT.HALL_EVENTS.account", "account room", nobody},
		{"$JS.API.CONSUMER.MSG.NEXT.HALL_EVENTS.room", "room", nobody},
		{"$JS.ACK.HALL_EVENTS.account.1.2.3.4.5", "account", nobody},
		{"$JS.ACK.HALL_EVENTS.room.1.2.3.4.5", "room", nobody},
		{"$JS.API.STREAM.LIST", nobody, nobody},
		{"$JS.API.STREAM.NAMES", nobody, nobody},
		{"$JS.API.STREAM.UPDATE.HALL_EVENTS", nobody, nobody},
		{"$JS.API.STREAM.DELETE.HALL_EVENTS", nobody, nobody},
		{"$JS.API.STREAM.PURGE.HALL_EVENTS", nobody, nobody},
		{"$JS.API.STREAM.MSG.DELETE.HALL_EVENTS", nobody, nobody},
		{"$JS.API.STREAM.DELETE.KV_sessions", nobody, nobody},
		{"$JS.API.STREAM.PURGE.KV_sessions", nobody, nobody},
		{"$JS.API.STREAM.DELETE.KV_edges", nobody, nobody},
		{"$JS.API.STREAM.RESTORE.HALL_EVENTS", nobody, nobody},
		{"$JS.API.STREAM.SNAPSHOT.HALL_EVENTS", nobody, nobody},
		{"$JS.API.STREAM.LEADER.STEPDOWN.HALL_EVENTS", nobody, nobody},
		{"$JS.API.META.LEADER.STEPDOWN", nobody, nobody},
		{"$JS.EVENT.ADVISORY.API", nobody, nobody},

		// The server's own.
		{"$SYS.REQ.SERVER.PING", nobody, nobody},
		{"$SYS.REQ.ACCOUNT.PING.CONNZ", nobody, nobody},
		{"$SYS.REQ.USER.INFO", nobody, nobody},
		{"mine", nobody, nobody},

		// Wildcards, which are only subscribed.
		{">", "-", nobody},
		{"hall.>", "-", nobody},
		{"hall.events.>", "-", nobody},
		{"hall.live.>", "-", callers},
		{"hall.auth.*", "-", nobody}, // without the queue group that shares the work
		{"hall.edge.*.*.*", "-", callers},
		{"_INBOX.>", "-", nobody},
		{"_INBOX_auth.>", "-", "auth auth-listener"},
		{"_INBOX_edge.>", "-", callers},
		{"*.x", "-", nobody},
		{"$KV.>", "-", nobody},
		{"$JS.>", "-", nobody},
		{"$SYS.>", "-", nobody},
	}
	for _, tt := range tests {
		t.Run(tt.subject, func(t *testing.T) {
			t.Parallel()
			for name := range strings.FieldsSeq(everybody) {
				if tt.publish != "-" {
					c := n.as(t, name)
					got := permitted(t, c, func() error { return c.Publish(tt.subject, nil) })
					if want := has(tt.publish, name); got != want {
						t.Errorf("%s may publish: %v, want %v", name, got, want)
					}
				}
				c := n.as(t, name)
				got := permitted(t, c, func() error { _, err := c.SubscribeSync(tt.subject); return err })
				if want := has(tt.subscribe, name); got != want {
					t.Errorf("%s may subscribe: %v, want %v", name, got, want)
				}
			}
		})
	}
	t.Run("queues", func(t *testing.T) {
		t.Parallel()
		for _, s := range services {
			for name := range strings.FieldsSeq(everybody) {
				c := n.as(t, name)
				got := permitted(t, c, func() error { _, err := c.QueueSubscribeSync("hall."+s+".verb", "q"); return err })
				if want := name == s+listenerExt; got != want {
					t.Errorf("%s may serve hall.%s: %v, want %v", name, s, got, want)
				}
			}
		}
	})
	t.Run("admin", func(t *testing.T) {
		t.Parallel()
		for _, subject := range []string{"hall.live.lobby", "hall.live.room.x"} {
			c := n.as(t, "admin")
			if permitted(t, c, func() error { return c.Publish(subject, nil) }) {
				t.Errorf("the operator may publish %s", subject)
			}
		}
	})
	t.Run("strangers", func(t *testing.T) {
		t.Parallel()
		for _, opt := range []nats.Option{nats.Name("no credentials"), nats.UserInfo("hall-admin", "x"), nats.UserInfo("hall-route", "x"), nats.Token("x")} {
			if nc, err := nats.Connect(n.nats, opt); err == nil {
				nc.Close()
				t.Error("who has no key connects")
			}
		}
	})
}

func has(names, name string) bool {
	return strings.Contains(" "+names+" ", " "+name+" ")
}

// TestEdgesAreApart: what one edge is told, another cannot hear, whatever it subscribes; and
// neither can make the server write where it may not.
func TestEdgesAreApart(t *testing.T) {
	t.Parallel()
	n := startKeyedNATS(t)
	one, two := n.as(t, "edge1"), n.as(t, "edge2")
	spy := n.as(t, "edge2")
	var overheard []*nats.Subscription
	for _, subject := range []string{"hall.edge.*.*.*", "_INBOX_edge.>"} {
		sub, err := spy.SubscribeSync(subject)
		if err != nil {
			t.Fatal(err)
		}
		overheard = append(overheard, sub)
	}
	// A service's answer goes to who asked.
	serve(t, n.as(t, "auth-listener"), n.as(t, "auth"), "hall.auth.signin", "q")
	serve(t, one, one, "hall.edge.edge1.x.alive", "")
	flush(t, spy)
	if _, err := one.Request("hall.auth.signin", []byte("secret"), natstest.Wait); err != nil {
		t.Errorf("edge1 asks auth: %v", err)
	}
	if _, err := n.as(t, "auth").Request("hall.edge.edge1.x.alive", []byte("secret"), natstest.Wait); err != nil {
		t.Errorf("auth asks edge1: %v", err)
	}
	// It is known at once that an edge is not there.
	if _, err := n.as(t, "auth").Request("hall.edge.edge1.y.alive", nil, natstest.Wait); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("auth asks an edge that is not there: %v, want %v", err, nats.ErrNoResponders)
	}
	flush(t, spy)
	for _, sub := range overheard {
		for {
			m, err := sub.NextMsg(1)
			if err != nil {
				break
			}
			t.Errorf("edge2 hears %s: %s", m.Subject, m.Data)
		}
	}

	// The lease of another edge is out of reach.
	admin := n.jetStream(t, "admin")
	last := func(stream string) uint64 {
		s, err := admin.Stream(natstest.Context(t), stream)
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo().State.LastSeq
	}
	if err := one.Publish("$KV.edges.edge1.x", []byte("mine")); err != nil {
		t.Fatal(err)
	}
	flush(t, one)
	natstest.Eventually(t, "edge1's lease", func() bool { return last("KV_edges") == 1 })
	if err := two.Publish("$KV.edges.edge1.x", []byte("forged")); err != nil {
		t.Fatal(err)
	}
	// Nor does JetStream write what an edge asked for to where it may not write itself.
	if _, err := admin.Publish(natstest.Context(t), "hall.events.lobby", []byte(`"a line"`)); err != nil {
		t.Fatal(err)
	}
	for _, reply := range []string{"hall.events.lobby", "hall.live.lobby", "hall.round.7.close", "$KV.sessions.x", "$KV.edges.edge1.x", "$KV.edges.x"} {
		for _, ask := range []string{"$JS.API.INFO", "$JS.API.STREAM.INFO.HALL_EVENTS", "$JS.API.STREAM.MSG.GET.HALL_EVENTS", "$JS.API.DIRECT.GET.HALL_EVENTS"} {
			if err := two.PublishRequest(ask, reply, []byte(`{"seq":1}`)); err != nil {
				t.Fatal(err)
			}
		}
	}
	// What is answered to this came after what was answered to those.
	if _, err := two.Request("$JS.API.DIRECT.GET.HALL_EVENTS", []byte(`{"seq":1}`), natstest.Wait); err != nil {
		t.Error(err)
	}
	if _, err := two.Request("$JS.API.STREAM.MSG.GET.HALL_EVENTS", []byte(`{"seq":1}`), natstest.Wait); err != nil {
		t.Error(err)
	}
	for stream, want := range map[string]uint64{"HALL_EVENTS": 1, "HALL_GAME21": 0, "KV_sessions": 0, "KV_edges": 1, "KV_game21": 0, "KV_whispers": 0} {
		if got := last(stream); got != want {
			t.Errorf("%s has %d messages, want %d", stream, got, want)
		}
	}
}

// serve answers what is asked at a subject.
func serve(t *testing.T, hear, answer *nats.Conn, subject, queue string) {
	t.Helper()
	_, err := hear.QueueSubscribe(subject, queue, func(m *nats.Msg) {
		if err := answer.Publish(m.Reply, []byte("secret")); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	flush(t, hear)
}

func flush(t *testing.T, nc *nats.Conn) {
	t.Helper()
	if err := nc.FlushWithContext(natstest.Context(t)); err != nil {
		t.Fatal(err)
	}
}

// TestSessionKeyed plays in a hall whose parts have their own rights, and nobody is refused
// anything.
func TestSessionKeyed(t *testing.T) {
	t.Parallel()
	n := startKeyedNATS(t)
	data := t.TempDir()
	at := []string{"--nats", n.nats, "--nats-nkey"}
	run := func(args ...string) *process { return launch(t, append([]string{"run"}, args...)...) }
	services := run(append([]string{"auth", "account", "game21", "--data", data, "--demo-accounts", "--game21-first", "4s", "--game21-solvable", "--game21-duration", "6s"}, append(at, n.keys)...)...)
	rest := run(append([]string{"chat", "room"}, append(at, n.keys)...)...)
	edges := []*process{}
	for _, name := range []string{"edge1", "edge2"} {
		e := run("edge", "--edge-name", name, "--nats", n.nats, "--nats-nkey", filepath.Join(n.keys, name+seedExt), "--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0")
		e.tcp = e.await(e.log, openLine)[1]
		edges = append(edges, e)
	}
	for _, p := range append([]*process{services, rest}, edges...) {
		p.await(p.log, regexp.MustCompile(`msg="all parts serve"`))
	}

	// Who asks at once is told of sessions that account has to read for itself.
	early := edges[0].connect()
	for range 5 {
		early.says("/SIGNIN netease4 123\n/GETONLINETIME\n/SIGNOUT")
		early.hears("system: welcome, netease4")
		early.hearsMatch(`^system: your online time is \d+ seconds?$`)
		early.hears("system: bye, netease4")
	}
	early.says("/QUIT")

	one, two := edges[0].signIn("netease1", "123"), edges[1].signIn("netease2", "123")
	one.hears("system: netease2 joined the hall")
	two.says("hi")
	one.hears("netease2: hi")
	one.says("/W netease2 psst")
	two.hears("(whisper) netease1: psst")
	one.says("/W netease3 psst")
	one.hears("system: netease3 is offline")
	two.says("/HISTORY 5")
	two.hears("netease2: hi")
	one.says("/CREATEROOM den")
	one.hears("system: you created and joined den")
	two.says("/JOINROOM den")
	two.hears("system: you joined den")
	two.says("/CHATROOM hello, den")
	one.hears("[den] netease2: hello, den")
	two.says("/WHO")
	two.hears("system: 2 online")
	two.says("/ROOMS")
	two.hears("system: den, 2 here")
	two.says("/GETONLINETIME")
	two.hearsMatch(`^system: your online time is \d+ seconds?$`)
	numbers := strings.Fields(two.hearsMatch(`^system: round 1: make 21 of (\d+ \d+ \d+ \d+), `)[1])
	two.says("/21GAME " + strings.Join(numbers, "+"))
	one.hears("system: round 1: netease2 has answered")
	one.hearsMatch(`^system: round 1: a best solution is (.*) = 21$`)
	two.says("/SCORES")
	two.hearsMatch(`^system: 1\. netease2, \d won of 1$`)
	two.says("/CHATROOM still here")
	one.hears("[den] netease2: still here")

	// Another edge takes the session over.
	again := edges[1].connect()
	again.says("/SIGNIN netease1 123")
	again.hears("system: can't sign in repeatedly")
	again.says("/SIGNIN netease1 123 TAKEOVER")
	again.hears("system: welcome, netease1")
	one.hears("system: signed in elsewhere")
	again.says("/QUIT")
	two.hears("system: netease1 left the hall")

	for _, p := range []*process{edges[0], edges[1], services, rest, n.process} {
		p.stops(os.Interrupt)
		if log := p.log.String(); violation.MatchString(log) || regexp.MustCompile(`SU[A-Z2-7]{56}`).MatchString(log) {
			t.Errorf("somebody was refused something, or a key is logged:\n%s", log)
		}
	}
}

// TestSyncAlways reads from running servers that every write is on disk before it is
// acknowledged. That of hall up is read by TestSafe.
func TestSyncAlways(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(monitor string){
		"alone": func(monitor string) {
			launch(t, "nats", "--data", t.TempDir(), "--nats-listen", "127.0.0.1:0", "--nats-monitor", monitor)
		},
		"docker/nats.conf": func(monitor string) { startKeyedNATS(t, "--nats-monitor", monitor) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			monitor := freeAddress(t)
			start(monitor)
			natstest.Eventually(t, "monitoring", func() bool {
				text, err := get("http://" + monitor + "/healthz")
				return err == nil && strings.Contains(text, `"status":"ok"`)
			})
			text, err := get("http://" + monitor + "/jsz")
			if err != nil || !strings.Contains(text, `"sync_always": true`) {
				t.Errorf("JetStream is configured as %s (%v)", text, err)
			}
		})
	}
}

// freeAddress is where nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func get(url string) (string, error) {
	resp, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}
