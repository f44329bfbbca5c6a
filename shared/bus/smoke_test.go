package bus_test

import (
	"context"
	"testing"

	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

func TestSmoke(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	js := ns.JetStream(t)
	d, err := session.Open(natstest.Context(t), js, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	svc, err := bus.NewService(natstest.Context(t), bus.Config{Name: "chat", Description: "x", Dialer: ns.Dialer(), Authorize: d.Authorize(true)})
	if err != nil {
		t.Fatal(err)
	}
	if err := bus.Handle(svc, chatapi.Say, func(ctx context.Context, r chatapi.SayRequest) (chatapi.SayResponse, error) {
		seq, err := streams.Publish(ctx, js, string(chatapi.Lobby), bus.Caller(ctx).ID+"."+bus.Command(ctx), event.Event{Kind: event.Chat, Text: r.Text})
		return chatapi.SayResponse{Seq: seq}, err
	}); err != nil {
		t.Fatal(err)
	}
	if err := svc.Ready(natstest.Context(t)); err != nil {
		t.Fatal(err)
	}
	nc := ns.Connect(t)
	_, err = chatapi.Say.Call(bus.As(natstest.Context(t), "ann"), nc, chatapi.SayRequest{Text: "x"})
	if fault.CodeOf(err) != fault.NotSignedIn {
		t.Fatal(err)
	}
	ns.SignIn(t, "ann", "e1")
	for i := range 3 {
		r, err := chatapi.Say.Call(bus.As(natstest.Context(t), "Ann"), nc, chatapi.SayRequest{Text: "x"})
		t.Log(i, r, err)
	}
	ms, err := streams.History(natstest.Context(t), js, string(chatapi.Lobby), 0, 0, 2)
	t.Log(len(ms), err)
	if len(ms) != 2 {
		t.Fatal()
	}
	l, err := streams.LastSequences(natstest.Context(t), js, []string{string(chatapi.Lobby), "hall.events.game21"}, 2)
	t.Log(l, err)
	if err := svc.Stop(natstest.Context(t)); err != nil {
		t.Fatal(err)
	}
}
