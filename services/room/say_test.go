package room_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"gamehall/services/room"
	"gamehall/shared/bus"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/roomapi"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

func natsMsg(subject, user, body string) *nats.Msg {
	return &nats.Msg{Subject: subject, Header: nats.Header{bus.HeaderUser: {user}}, Data: []byte(body)}
}

func sessions(t testing.TB, ns *natstest.Server, n int) []session.Record {
	t.Helper()
	all := make([]session.Record, n)
	for i := range all {
		all[i] = ns.SignIn(t, fmt.Sprintf("user%d", i), "")
	}
	return all
}

func TestSay(t *testing.T) {
	t.Parallel()
	h, ns := open(t)
	ann := ns.SignIn(t, "ann", "")
	refused(h, ann, roomapi.Say, roomapi.SayRequest{Text: "hi"}, fault.NotInRoom, "you are not in a room")
	h.create(ann, "room1")
	seq := h.say(ann, "  hi  ")
	refused(h, ann, roomapi.Say, roomapi.SayRequest{Text: "   "}, fault.BadRequest, "")
	refused(h, ann, roomapi.Say, roomapi.SayRequest{Text: "a\x1b[2Jb"}, fault.BadRequest, "")
	refused(h, ann, roomapi.Say, roomapi.SayRequest{Text: strings.Repeat("x", 2001)}, fault.TooLong, "")
	log := h.log("room1")
	last := log[len(log)-1]
	if last.Seq != seq || last.Text != "hi" || last.From != "ann" || last.Room != "room1" || last.UserID != "" {
		t.Errorf("the line is %+v", last)
	}
	h.quit(ann)
	refused(h, ann, roomapi.Say, roomapi.SayRequest{Text: "hi"}, fault.NotInRoom, "")
	if n := count(h.log("room1"), event.RoomChat); n != 1 {
		t.Errorf("%d lines", n)
	}
}

// One user says and quits at once, so that two copies carry it out side by side: a line is
// between its sender's join and leave, or refused.
func TestSayRacesWithQuit(t *testing.T) {
	t.Parallel()
	eachSize(t, func(t *testing.T, h hall, signIn func(string) session.Record, replicas int) {
		h.start(room.Config{Replicas: replicas})
		h.start(room.Config{Replicas: replicas})
		host, ann := signIn("host"), signIn("ann")
		h.create(host, "room1")
		rounds := 80
		if replicas > 1 {
			rounds = 15
		}
		acked := map[uint64]string{}
		var mu sync.Mutex
		for round := range rounds {
			h.join(ann, "room1")
			var wg sync.WaitGroup
			for i := range 4 {
				wg.Go(func() {
					text := fmt.Sprint(round, ".", i)
					got, err := call(h, ann, roomapi.Say, roomapi.SayRequest{Text: text})
					if code := fault.CodeOf(err); code != "" && code != fault.NotInRoom {
						t.Errorf("say: %v", err)
					}
					if err == nil {
						mu.Lock()
						acked[got.Seq] = text
						mu.Unlock()
					}
				})
			}
			wg.Go(func() { h.quit(ann) })
			wg.Wait()
		}
		h.consistent([]session.Record{host, ann}, "room1")
		stored := map[uint64]string{}
		for _, e := range h.log("room1") {
			if e.Kind == event.RoomChat {
				stored[e.Seq] = e.Text
			}
		}
		if fmt.Sprint(stored) != fmt.Sprint(acked) {
			t.Errorf("stored %v, acknowledged %v", stored, acked)
		}
	})
}

// A random run of many users on two copies, with sessions that end and a NATS that is started
// again or changes its leader: afterwards the records are what the events tell.
func TestRecordsAreWhatEventsTell(t *testing.T) {
	t.Parallel()
	eachSize(t, func(t *testing.T, h hall, signIn func(string) session.Record, replicas int) {
		h.start(room.Config{Replicas: replicas})
		h.start(room.Config{Replicas: replicas})
		names := []string{"room0", "room1", "room2"}
		steps := 120
		if replicas > 1 {
			steps = 25
		}
		users := make([]session.Record, 6)
		for i := range users {
			users[i] = signIn(fmt.Sprintf("user%d", i))
		}
		var wg sync.WaitGroup
		var calm sync.RWMutex // sessions are made only while NATS is up
		wg.Go(func() {
			for range 3 {
				before := len(h.log(names[0]))
				natstest.Eventually(t, "something happens", func() bool { return len(h.log(names[0])) > before })
				func() {
					calm.Lock()
					defer calm.Unlock()
					switch ns := h.ns.(type) {
					case *natstest.Server:
						ns.Restart(t)
					case *natstest.Cluster:
						ns.StepDown(t, streams.Events)
					}
				}()
			}
		})
		for i := range users {
			wg.Go(func() {
				for step := range steps {
					name := names[rand.IntN(len(names))]
					var err error
					switch rand.IntN(8) {
					case 0, 1:
						_, err = call(h, users[i], roomapi.Create, roomapi.CreateRequest{Room: name})
					case 2, 3:
						_, err = call(h, users[i], roomapi.Join, roomapi.JoinRequest{Room: name})
					case 4:
						_, err = call(h, users[i], roomapi.Quit, roomapi.QuitRequest{})
					case 5, 6:
						_, err = call(h, users[i], roomapi.Say, roomapi.SayRequest{Text: fmt.Sprint(i, " ", step)})
					case 7:
						calm.RLock()
						old := users[i]
						users[i] = signIn(users[i].User)
						calm.RUnlock()
						h.tellLeft(old)
					}
					switch fault.CodeOf(err) {
					case "", fault.RoomExists, fault.AlreadyInRoom, fault.NoSuchRoom, fault.NotInRoom, fault.RateLimited:
					case fault.Unavailable: // the outcome is open where an answer took longer than a second
					default:
						t.Errorf("%v", err)
					}
				}
			})
		}
		wg.Wait()
		// Whoever is in a room by an earlier session is heard of, in the lobby's order.
		for _, u := range users {
			natstest.Eventually(t, "the sessions' ends are heard", func() bool {
				m := h.membership(u)
				return m.RoomID == "" || m.Epoch == u.Epoch()
			})
		}
		h.consistent(users, names...)
	})
}
