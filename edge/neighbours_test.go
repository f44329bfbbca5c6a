package edge_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/edgeapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/game21api"
	"gamehall/shared/name"
	"gamehall/shared/natstest"
	"gamehall/shared/roomapi"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// neighbours plays the services: whoever says the password "123" is signed in, whatever is
// said is stored. A hook that is set is called first; its error is the answer.
type neighbours struct {
	onSignUp func(authapi.SignUpRequest) error
	onSignIn func(context.Context, authapi.SignInRequest) error
	mute     bool // nobody answers a sign-in until serveSignIn
	former   bool // auth knows nothing of a loss that is told later
	onSay    func(context.Context, string) error
	more     string                                          // "refuses" or "tells one": how chat takes several lines
	onAsked  func(context.Context) error                     // by presence
	onJoin   func(context.Context, roomapi.Membership) error // after it was told
	status   game21api.StatusResponse                        // of the game

	svc  *bus.Service
	js   jetstream.JetStream
	kv   jetstream.KeyValue
	ends chan string // who signed out, in order; "bob detached" may be resumed
	away chan string // "ann away", "ann alive"

	mu       sync.Mutex
	rooms    map[string]string // by user: the room
	onJoined func(user string) // after the hall was told and before the answer
}

// afterJoined sets what is done after the hall was told of a sign-in and before its answer.
func (n *neighbours) afterJoined(do func(user string)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.onJoined = do
}

// server is one NATS server, or a cluster.
type server interface {
	Dialer() bus.Dialer
	JetStream(t testing.TB) jetstream.JetStream
}

func (n *neighbours) start(t *testing.T, ns server) {
	t.Helper()
	ctx := natstest.Context(t)
	n.js, n.ends, n.away, n.rooms = ns.JetStream(t), make(chan string, 1000), make(chan string, 1000), map[string]string{}
	dir, err := session.Open(ctx, n.js, natstest.Quiet())
	if err != nil {
		t.Fatalf("play the neighbours: %v", err)
	}
	t.Cleanup(dir.Close)
	if n.kv, err = n.js.KeyValue(ctx, streams.Sessions); err != nil {
		t.Fatalf("play the neighbours: %v", err)
	}
	n.svc, err = bus.NewService(ctx, bus.Config{
		Name: "neighbours", Dialer: ns.Dialer(), Hidden: true, Authorize: dir.Authorize(false), Log: natstest.Quiet(),
	})
	if err != nil {
		t.Fatalf("play the neighbours: %v", err)
	}
	t.Cleanup(func() { _ = n.svc.Stop(context.WithoutCancel(t.Context())) }) // a test may have taken NATS away
	for _, err := range []error{
		bus.Handle(n.svc, authapi.SignUp, n.signUp, bus.Anyone()),
		bus.Handle(n.svc, authapi.SignOut, n.signOut),
		bus.Handle(n.svc, authapi.Detach, func(ctx context.Context, r authapi.DetachRequest) (authapi.DetachResponse, error) {
			if n.former && r.Ago != 0 {
				return authapi.DetachResponse{}, fault.New(fault.BadRequest, "unknown field ago_ms")
			}
			n.ends <- bus.Caller(ctx).User + " detached"
			return authapi.DetachResponse{}, nil
		}),
		bus.Handle(n.svc, authapi.Presence, n.presence),
		bus.Handle(n.svc, chatapi.Say, n.say),
		bus.Handle(n.svc, roomapi.Create, func(ctx context.Context, r roomapi.CreateRequest) (roomapi.JoinResponse, error) {
			return n.join(ctx, r.Room)
		}),
		bus.Handle(n.svc, roomapi.Join, func(ctx context.Context, r roomapi.JoinRequest) (roomapi.JoinResponse, error) {
			return n.join(ctx, r.Room)
		}),
		bus.Handle(n.svc, roomapi.Quit, n.quit),
		bus.Handle(n.svc, roomapi.Say, n.sayInRoom),
		bus.Handle(n.svc, game21api.Status, func(context.Context, game21api.StatusRequest) (game21api.StatusResponse, error) {
			return n.status, nil
		}),
		n.svc.Ready(ctx),
	} {
		if err != nil {
			t.Fatalf("play the neighbours: %v", err)
		}
	}
	if !n.mute {
		n.serveSignIn(t)
	}
}

func (n *neighbours) serveSignIn(t *testing.T) {
	t.Helper()
	err := bus.Handle(n.svc, authapi.SignIn, n.signIn, bus.Anyone())
	if err = errors.Join(err, n.svc.Ready(natstest.Context(t))); err != nil {
		t.Fatalf("play the neighbours: %v", err)
	}
}

// store stores an event in a channel and gives its sequence.
func (n *neighbours) store(ctx context.Context, channel, id string, e event.Event) (uint64, error) {
	return streams.Publish(ctx, n.js, streams.Subject(channel), id, e)
}

func (n *neighbours) signUp(_ context.Context, r authapi.SignUpRequest) (authapi.SignUpResponse, error) {
	if n.onSignUp != nil {
		if err := n.onSignUp(r); err != nil {
			return authapi.SignUpResponse{}, err
		}
	}
	return authapi.SignUpResponse{User: r.Username}, nil
}

// signIn claims the session as auth does: what stands in the way is asked, and taken over.
func (n *neighbours) signIn(ctx context.Context, r authapi.SignInRequest) (authapi.SignInResponse, error) {
	if n.onSignIn != nil {
		if err := n.onSignIn(ctx, r); err != nil {
			return authapi.SignInResponse{}, err
		}
	}
	user, err := name.User(r.Username)
	if err != nil || r.Password != "123" {
		return authapi.SignInResponse{}, fault.New(fault.WrongCredentials, "wrong account or password")
	}
	if e, err := n.kv.Get(ctx, name.UserID(user)); err == nil {
		old, err := session.Parse(e)
		if err != nil {
			return authapi.SignInResponse{}, err
		}
		if r.Again && old.Command != bus.Command(ctx) {
			return authapi.SignInResponse{}, fault.New(fault.AlreadySignedIn, "can't sign in repeatedly")
		}
		alive, err := edgeapi.Alive.To(old.Edge).Call(bus.As(ctx, ""), n.svc.Conn(), edgeapi.AliveRequest{Conn: old.Conn}, bus.Attempt(time.Second))
		if err == nil && alive.Alive && !r.Takeover {
			return authapi.SignInResponse{}, fault.New(fault.AlreadySignedIn, "can't sign in repeatedly")
		}
		over := edgeapi.TakeoverRequest{Conn: old.Conn, Session: old.Session}
		if _, err := edgeapi.Takeover.To(old.Edge).Call(bus.As(ctx, ""), n.svc.Conn(), over, bus.Attempt(time.Second)); err != nil && alive.Alive {
			return authapi.SignInResponse{}, err
		}
		if _, err := n.tellLeft(ctx, old); err != nil {
			return authapi.SignInResponse{}, err
		}
	}
	rec := session.Record{
		User: user, UserID: name.UserID(user), Session: bus.NewID(), State: session.Alive,
		Since: time.Now().UTC(), Edge: r.Edge, Conn: r.Conn, Command: bus.Command(ctx),
	}
	data, err := json.Marshal(rec)
	if err != nil {
		return authapi.SignInResponse{}, err
	}
	if rec.Revision, err = n.kv.Put(ctx, rec.UserID, data); err != nil {
		return authapi.SignInResponse{}, err
	}
	seq, err := n.store(ctx, streams.LobbyChannel, fmt.Sprintf("joined.%s.%d", rec.UserID, rec.Epoch()),
		event.Event{Kind: event.Joined, User: user, UserID: rec.UserID, Epoch: rec.Epoch()})
	n.mu.Lock()
	then := n.onJoined
	n.mu.Unlock()
	if then != nil {
		then(user)
	}
	return authapi.SignInResponse{User: user, UserID: rec.UserID, Session: rec.Session, Epoch: rec.Epoch(), Seq: seq, Since: rec.Since}, err
}

func (n *neighbours) tellLeft(ctx context.Context, r session.Record) (uint64, error) {
	return n.store(ctx, streams.LobbyChannel, fmt.Sprintf("left.%s.%d", r.UserID, r.Epoch()),
		event.Event{Kind: event.Left, User: r.User, UserID: r.UserID, Epoch: r.Epoch()})
}

func (n *neighbours) signOut(ctx context.Context, _ authapi.SignOutRequest) (authapi.SignOutResponse, error) {
	c := bus.Caller(ctx)
	seq, err := n.tellLeft(ctx, session.Record{User: c.User, UserID: c.ID, Claimed: c.Epoch})
	if err != nil {
		return authapi.SignOutResponse{}, err
	}
	if err := n.kv.Delete(ctx, c.ID); err != nil {
		return authapi.SignOutResponse{}, err
	}
	n.ends <- c.User
	return authapi.SignOutResponse{User: c.User, Seq: seq}, nil
}

func (n *neighbours) presence(ctx context.Context, r authapi.PresenceRequest) (authapi.PresenceResponse, error) {
	if n.onAsked != nil {
		if err := n.onAsked(ctx); err != nil {
			return authapi.PresenceResponse{}, err
		}
	}
	state := " alive"
	if r.Away {
		state = " away"
	}
	n.away <- bus.Caller(ctx).User + state
	return authapi.PresenceResponse{}, nil
}

func (n *neighbours) say(ctx context.Context, r chatapi.SayRequest) (chatapi.SayResponse, error) {
	if n.more == "refuses" && len(r.More) > 0 {
		return chatapi.SayResponse{}, fault.New(fault.BadRequest, "unknown member")
	}
	var seqs []uint64
	for i, text := range append([]string{r.Text}, r.More...) {
		if n.onSay != nil {
			if err := n.onSay(ctx, text); err != nil {
				return chatapi.SayResponse{}, err
			}
		}
		seq, err := n.store(ctx, streams.LobbyChannel, r.LineID(bus.Command(ctx), i), event.Event{Kind: event.Chat, From: bus.Caller(ctx).User, Text: text})
		if err != nil {
			return chatapi.SayResponse{}, err
		}
		seqs = append(seqs, seq)
	}
	if n.more == "tells one" {
		seqs = seqs[:1]
	}
	return chatapi.SayResponse{Seq: seqs[0], More: seqs[1:]}, nil
}

func (n *neighbours) join(ctx context.Context, room string) (roomapi.JoinResponse, error) {
	c := bus.Caller(ctx)
	shown, key, err := name.Room(room)
	if err != nil {
		return roomapi.JoinResponse{}, err
	}
	id := name.RoomID(key)
	seq, err := n.store(ctx, "room."+id, bus.Command(ctx),
		event.Event{Kind: event.RoomJoined, Room: shown, User: c.User, UserID: c.ID, Epoch: c.Epoch})
	n.mu.Lock()
	n.rooms[c.ID] = shown
	n.mu.Unlock()
	if err == nil && n.onJoin != nil {
		err = n.onJoin(ctx, roomapi.Membership{User: c.User, Room: shown, RoomID: id, JoinSeq: seq, Epoch: c.Epoch})
	}
	return roomapi.JoinResponse{Seq: seq, Room: shown, RoomID: id}, err
}

func (n *neighbours) roomOf(user string) (shown, channel string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	shown = n.rooms[user]
	if shown == "" {
		return "", "", fault.New(fault.NotInRoom, "you are not in a room")
	}
	return shown, roomChannel(shown), nil
}

func (n *neighbours) quit(ctx context.Context, _ roomapi.QuitRequest) (roomapi.QuitResponse, error) {
	c := bus.Caller(ctx)
	shown, channel, err := n.roomOf(c.ID)
	if err != nil {
		return roomapi.QuitResponse{}, err
	}
	n.mu.Lock()
	delete(n.rooms, c.ID)
	n.mu.Unlock()
	seq, err := n.store(ctx, channel, bus.Command(ctx),
		event.Event{Kind: event.RoomLeft, Room: shown, User: c.User, UserID: c.ID, Epoch: c.Epoch})
	return roomapi.QuitResponse{Seq: seq, Room: shown}, err
}

func (n *neighbours) sayInRoom(ctx context.Context, r roomapi.SayRequest) (roomapi.SayResponse, error) {
	c := bus.Caller(ctx)
	shown, channel, err := n.roomOf(c.ID)
	if err != nil {
		return roomapi.SayResponse{}, err
	}
	seq, err := n.store(ctx, channel, bus.Command(ctx), event.Event{Kind: event.RoomChat, Room: shown, From: c.User, Text: r.Text})
	return roomapi.SayResponse{Seq: seq}, err
}

// roomChannel is the channel of the room with that name.
func roomChannel(room string) string {
	_, key, err := name.Room(room)
	if err != nil {
		panic(err) // the test's own name
	}
	return "room." + name.RoomID(key)
}
