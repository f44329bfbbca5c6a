package room_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/services/room"
	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/name"
	"gamehall/shared/natstest"
	"gamehall/shared/roomapi"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// server is what a test needs of one server or of a cluster.
type server interface {
	Dialer() bus.Dialer
	Connect(t testing.TB) *nats.Conn
	JetStream(t testing.TB) jetstream.JetStream
}

// hall is a server, the service on it, and users.
type hall struct {
	t  testing.TB
	ns server
	nc *nats.Conn
	js jetstream.JetStream
}

// open gives a hall with one copy of the service.
func open(t testing.TB) (hall, *natstest.Server) {
	t.Helper()
	ns := natstest.Run(t)
	h := enter(t, ns)
	h.start(room.Config{})
	return h, ns
}

// enter gives a hall without the service.
func enter(t testing.TB, ns server) hall {
	t.Helper()
	return hall{t: t, ns: ns, nc: ns.Connect(t), js: ns.JetStream(t)}
}

// start adds a copy of the service, which stops with the test or by the function given.
func (h hall) start(cfg room.Config) (stop func()) {
	h.t.Helper()
	cfg.NATS, cfg.Log = h.ns.Dialer(), natstest.Quiet()
	s, err := room.Start(natstest.Context(h.t), cfg)
	if err != nil {
		h.t.Fatalf("start: %v", err)
	}
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(h.t.Context()), natstest.Wait)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			h.t.Errorf("stop: %v", err)
		}
	})
	h.t.Cleanup(stop)
	return stop
}

// call sends req in the name of r's session.
func call[Req, Resp any](h hall, r session.Record, m bus.Method[Req, Resp], req Req) (Resp, error) {
	return m.Call(natstest.As(natstest.Context(h.t), r), h.nc, req)
}

// must is call that has to succeed.
func must[Req, Resp any](h hall, r session.Record, m bus.Method[Req, Resp], req Req) Resp {
	h.t.Helper()
	resp, err := call(h, r, m, req)
	if err != nil {
		h.t.Fatalf("%s of %s: %v", m, r.User, err)
	}
	return resp
}

// refused is call that has to fail with code and, unless it is empty, with the sentence.
func refused[Req, Resp any](h hall, r session.Record, m bus.Method[Req, Resp], req Req, code fault.Code, sentence string) {
	h.t.Helper()
	_, err := call(h, r, m, req)
	if fault.CodeOf(err) != code || sentence != "" && err.Error() != sentence {
		h.t.Errorf("%s of %s: %v (%s), want %s %q", m, r.User, err, fault.CodeOf(err), code, sentence)
	}
}

func (h hall) create(r session.Record, name string) roomapi.JoinResponse {
	h.t.Helper()
	return must(h, r, roomapi.Create, roomapi.CreateRequest{Room: name})
}

func (h hall) join(r session.Record, name string) roomapi.JoinResponse {
	h.t.Helper()
	return must(h, r, roomapi.Join, roomapi.JoinRequest{Room: name})
}

func (h hall) say(r session.Record, text string) uint64 {
	h.t.Helper()
	return must(h, r, roomapi.Say, roomapi.SayRequest{Text: text}).Seq
}

func (h hall) quit(r session.Record) roomapi.QuitResponse {
	h.t.Helper()
	return must(h, r, roomapi.Quit, roomapi.QuitRequest{})
}

// rooms gives the list as a user sees it: name and members.
func (h hall) rooms(r session.Record) []string {
	h.t.Helper()
	var all []string
	for _, l := range must(h, r, roomapi.List, roomapi.ListRequest{}).Rooms {
		all = append(all, fmt.Sprintf("%s %d/%d", l.Room, l.Members, l.Max))
	}
	return all
}

// tellLeft tells the lobby that r's session ended, as auth does.
func (h hall) tellLeft(r session.Record) {
	h.t.Helper()
	_, err := streams.Publish(natstest.Context(h.t), h.js, string(chatapi.Lobby), "left."+r.UserID+"."+bus.NewID(),
		event.Event{Kind: event.Left, User: r.User, UserID: r.UserID, Epoch: r.Epoch()})
	if err != nil {
		h.t.Fatalf("tell left: %v", err)
	}
}

func roomID(t testing.TB, typed string) string {
	t.Helper()
	_, key, err := name.Room(typed)
	if err != nil {
		t.Fatal(err)
	}
	return name.RoomID(key)
}

// log reads what a room was told, as the stream has it.
func (h hall) log(typed string) []event.Stored {
	h.t.Helper()
	var all []event.Stored
	prev := uint64(0)
	err := streams.Range(natstest.Context(h.t), h.js, roomapi.Room.Of(roomID(h.t, typed)), 0, math.MaxUint64, func(m streams.Msg) bool {
		e, err := m.Decode("room:"+typed, prev)
		if err != nil {
			h.t.Fatal(err)
		}
		all, prev = append(all, e), m.Seq
		return true
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

// told gives the log in short: who did what.
func told(log []event.Stored) []string {
	var all []string
	for _, e := range log {
		all = append(all, e.Kind+" "+e.User+e.From+" "+e.Text)
	}
	return all
}

// count counts the events of a kind.
func count(log []event.Stored, kind string) int {
	n := 0
	for _, e := range log {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// membership reads a user's record as other services do.
func (h hall) membership(r session.Record) roomapi.Membership {
	h.t.Helper()
	m, found, err := streams.Last(natstest.Context(h.t), h.js, streams.Events, roomapi.MemberSubject.Of(r.UserID))
	if err != nil {
		h.t.Fatal(err)
	}
	if !found {
		return roomapi.Membership{}
	}
	got, err := roomapi.ParseMembership(m.Data, m.Seq)
	if err != nil {
		h.t.Fatal(err)
	}
	return got
}

// consistent compares the records with the log of the rooms: what the events tell is what the
// records say, and no line is outside its sender's stay.
func (h hall) consistent(users []session.Record, names ...string) {
	h.t.Helper()
	type stay struct {
		room string
		seq  uint64
	}
	in := map[string]stay{} // by user
	for _, n := range names {
		id := roomID(h.t, n)
		here := map[string]uint64{}
		for _, e := range h.log(n) {
			switch e.Kind {
			case event.RoomJoined:
				if _, ok := here[e.User]; ok {
					h.t.Errorf("%s at %d: %s joined twice", n, e.Seq, e.User)
				}
				here[e.User] = e.Seq
			case event.RoomLeft:
				if _, ok := here[e.User]; !ok {
					h.t.Errorf("%s at %d: %s left and was not in", n, e.Seq, e.User)
				}
				delete(here, e.User)
			case event.RoomChat:
				if _, ok := here[e.From]; !ok {
					h.t.Errorf("%s at %d: a line of %s, who was not in", n, e.Seq, e.From)
				}
			}
		}
		for user, seq := range here {
			if other, ok := in[user]; ok {
				h.t.Errorf("%s is in %s and in %s", user, n, other.room)
			}
			in[user] = stay{id, seq}
		}
		if r, ok := h.record(id); (ok && r.Exists() || len(here) > 0) && r.Members != len(here) {
			h.t.Errorf("%s: the record counts %d, the events tell %v", n, r.Members, slices.Collect(maps.Keys(here)))
		}
	}
	for _, u := range users {
		m := h.membership(u)
		if got := (stay{m.RoomID, m.JoinSeq}); got != in[u.User] {
			h.t.Errorf("%s: the record says %v, the events tell %v", u.User, got, in[u.User])
		}
	}
}

func (h hall) record(id string) (room.Room, bool) {
	h.t.Helper()
	var r room.Room
	m, found, err := streams.Last(natstest.Context(h.t), h.js, streams.Events, "hall.state.room."+id)
	if err != nil {
		h.t.Fatal(err)
	}
	if found {
		if err := json.Unmarshal(m.Data, &r); err != nil {
			h.t.Fatal(err)
		}
	}
	return r, found
}

// eachSize runs a test on one server and on a cluster of three.
func eachSize(t *testing.T, test func(t *testing.T, h hall, signIn func(user string) session.Record, replicas int)) {
	t.Helper()
	t.Run("one", func(t *testing.T) {
		t.Parallel()
		ns := natstest.Run(t)
		test(t, enter(t, ns), func(user string) session.Record { return ns.SignIn(t, user, "") }, 1)
	})
	t.Run("three", func(t *testing.T) {
		t.Parallel()
		c := natstest.RunCluster(t, 3)
		test(t, enter(t, c), func(user string) session.Record { return c.Nodes[0].SignIn(t, user, "") }, 3)
	})
}

func TestStory(t *testing.T) {
	t.Parallel()
	h, ns := open(t)
	ann, bob, cid := ns.SignIn(t, "ann", ""), ns.SignIn(t, "bob", ""), ns.SignIn(t, "cid", "")

	refused(h, ann, roomapi.Quit, roomapi.QuitRequest{}, fault.NotInRoom, "you are not in a room")
	refused(h, ann, roomapi.Join, roomapi.JoinRequest{Room: "nowhere"}, fault.NoSuchRoom, "no such room: nowhere")
	made := h.create(ann, " Room1 ")
	if made.Room != "Room1" || made.RoomID != roomID(t, "room1") || made.Seq == 0 {
		t.Errorf("created %+v", made)
	}
	refused(h, ann, roomapi.Create, roomapi.CreateRequest{Room: "room2"}, fault.AlreadyInRoom, "you are already in Room1")
	refused(h, ann, roomapi.Join, roomapi.JoinRequest{Room: "room1"}, fault.AlreadyInRoom, "you are already in Room1")
	refused(h, bob, roomapi.Create, roomapi.CreateRequest{Room: "ROOM1"}, fault.RoomExists, "room Room1 exists")
	refused(h, bob, roomapi.Say, roomapi.SayRequest{Text: "hi"}, fault.NotInRoom, "you are not in a room")
	joined := h.join(bob, "rOOM1")
	h.say(ann, " hi bob ")
	h.say(bob, "hi ann")
	if got := must(h, bob, roomapi.Members, roomapi.MembersRequest{}); got.Room != "Room1" || !slices.Equal(got.Members, []string{"ann", "bob"}) {
		t.Errorf("members: %+v", got)
	}
	left := h.quit(ann) // its owner leaves, the room stays
	if got := h.rooms(ann); !slices.Equal(got, []string{"Room1 1/0"}) {
		t.Errorf("rooms: %v", got)
	}
	h.quit(bob) // the last one
	if got := h.rooms(bob); !slices.Equal(got, []string{"Room1 0/0"}) {
		t.Errorf("rooms: %v", got)
	}
	refused(h, bob, roomapi.Create, roomapi.CreateRequest{Room: "room1"}, fault.RoomExists, "room Room1 exists")
	h.join(cid, "room1")

	log := h.log("room1")
	want := []string{
		"room.joined ann ", "room.joined bob ", "room.chat ann hi bob", "room.chat bob hi ann",
		"room.left ann ", "room.left bob ", "room.joined cid ",
	}
	if !slices.Equal(told(log), want) {
		t.Fatalf("the room was told %q, want %q", told(log), want)
	}
	for i, seq := range []uint64{0: made.Seq, 1: joined.Seq, 4: left.Seq} {
		if seq != 0 && log[i].Seq != seq {
			t.Errorf("event %d has sequence %d, its command was answered %d", i, log[i].Seq, seq)
		}
	}
	if e := log[0]; e.UserID != ann.UserID || e.Epoch != ann.Epoch() || e.Room != "Room1" {
		t.Errorf("joined: %+v", e)
	}
	h.consistent([]session.Record{ann, bob, cid}, "room1")
}

func TestNobodyWithoutSession(t *testing.T) {
	t.Parallel()
	h, _ := open(t)
	_, err := roomapi.Create.Call(bus.As(natstest.Context(t), "ann"), h.nc, roomapi.CreateRequest{Room: "room1"})
	if fault.CodeOf(err) != fault.NotSignedIn {
		t.Errorf("create: %v", err)
	}
}

// Membership is in the stream: neither the service's end nor that of NATS loses it.
func TestRestart(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	h := enter(t, ns)
	stop := h.start(room.Config{})
	ann, bob := ns.SignIn(t, "ann", ""), ns.SignIn(t, "bob", "")
	made := h.create(ann, "room1")
	h.join(bob, "room1")
	stop()
	h.start(room.Config{})
	if got := must(h, ann, roomapi.Members, roomapi.MembersRequest{}); !slices.Equal(got.Members, []string{"ann", "bob"}) {
		t.Errorf("members after a restart of the service: %v", got.Members)
	}
	ns.Restart(t)
	h.say(ann, "still here")
	h.quit(bob) // and the mirror has found the stream again
	if got := must(h, ann, roomapi.Members, roomapi.MembersRequest{}); !slices.Equal(got.Members, []string{"ann"}) {
		t.Errorf("members after a restart of NATS: %v", got.Members)
	}
	if m := h.membership(ann); m.JoinSeq != made.Seq {
		t.Errorf("joined at %d, the record says %d", made.Seq, m.JoinSeq)
	}
	cid := ns.SignIn(t, "cid", "")
	h.join(cid, "room1")
	ns.SignOut(t, cid)
	h.tellLeft(cid) // the consumer of the lobby has, too
	h.until(cid, "")
	h.consistent([]session.Record{ann, bob, cid}, "room1")
}

// until waits until a user is in the room with that id.
func (h hall) until(r session.Record, id string) {
	h.t.Helper()
	natstest.Eventually(h.t, r.User+" is in "+id, func() bool { return h.membership(r).RoomID == id })
}

func TestStartWaitsForNATS(t *testing.T) {
	t.Parallel()
	ns := natstest.Absent(t)
	started := make(chan error, 1)
	go func() {
		s, err := room.Start(natstest.Context(t), room.Config{NATS: ns.Dialer(), Log: natstest.Quiet()})
		if err == nil {
			err = s.Stop(natstest.Context(t))
		}
		started <- err
	}()
	ns.Start(t)
	if err := <-started; err != nil {
		t.Error(err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- room.Run(ctx, room.Config{NATS: ns.Dialer(), Log: natstest.Quiet(), Bare: true}) }()
	ann := ns.SignIn(t, "ann", "")
	h := enter(t, ns)
	// Without a session, as the nats CLI calls.
	if _, err := roomapi.Create.Call(bus.As(natstest.Context(t), "ANN"), h.nc, roomapi.CreateRequest{Room: "room1"}); err != nil {
		t.Errorf("create: %v", err)
	}
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
	if m := h.membership(ann); m.Room != "room1" {
		t.Errorf("ann is in %q", m.Room)
	}
}

// The micro framework shows all endpoints with their schemas.
func TestService(t *testing.T) {
	t.Parallel()
	h, _ := open(t)
	answer, err := h.nc.RequestWithContext(natstest.Context(t), "$SRV.INFO.room", nil)
	if err != nil {
		t.Fatal(err)
	}
	var info struct {
		Endpoints []struct {
			Subject  string            `json:"subject"`
			Metadata map[string]string `json:"metadata"`
		} `json:"endpoints"`
	}
	if err := json.Unmarshal(answer.Data, &info); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range info.Endpoints {
		got = append(got, e.Subject)
		if e.Metadata["request_schema"] == "" || e.Metadata["response_schema"] == "" {
			t.Errorf("%s has no schemas", e.Subject)
		}
	}
	slices.Sort(got)
	want := []string{"hall.room.create", "hall.room.join", "hall.room.list", "hall.room.members", "hall.room.quit", "hall.room.say"}
	if !slices.Equal(got, want) {
		t.Errorf("endpoints %v, want %v", got, want)
	}
}

// clock is a clock that a test drives.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
