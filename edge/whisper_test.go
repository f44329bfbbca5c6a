package edge_test

import (
	"context"
	"testing"

	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/edgeapi"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
)

// whispers plays chat for bob: it hands the line to the edge.
func whispers(h *hall, session func() string) func(context.Context, chatapi.WhisperRequest) (chatapi.WhisperResponse, error) {
	return func(ctx context.Context, r chatapi.WhisperRequest) (chatapi.WhisperResponse, error) {
		req := edgeapi.WhisperRequest{Session: session(), From: "ann", To: r.To, Text: r.Text}
		got, err := edgeapi.Whisper.To(h.edge.ID()).Call(ctx, h.svc.Conn(), req)
		if err == nil && !got.Delivered {
			err = fault.New(fault.UserOffline, "%s is offline", r.To)
		}
		return chatapi.WhisperResponse(r), err
	}
}

// A whisper is shown once, however often its command is sent, and the answer says whether it
// was.
func TestWhisper(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	natstest.Answer(t, h.ns, chatapi.Whisper, whispers(h, func() string { return h.record(t, "bob").Session }))
	ann, bob := h.signIn(t, "ann"), h.signIn(t, "bob")
	ann.want("system: bob joined the hall")
	ann.send("/W bob hi  there")
	ann.want("(to bob) hi  there")
	bob.want("(whisper) ann: hi  there")
	// Nobody else sees it.
	ann.quiet()
	bob.quiet()

	nc := h.ns.Connect(t)
	session := h.record(t, "bob").Session
	whisper := func(command, session, text string) bool {
		t.Helper()
		ctx := bus.WithCommand(bus.As(natstest.Context(t), "ann"), command)
		got, err := edgeapi.Whisper.To(h.edge.ID()).Call(ctx, nc, edgeapi.WhisperRequest{Session: session, From: "ann", To: "bob", Text: text})
		if err != nil {
			t.Fatalf("whisper: %v", err)
		}
		return got.Delivered
	}
	for range 3 {
		if !whisper("c1", session, "once") {
			t.Error("not delivered")
		}
	}
	if !whisper("c2", session, "twice") {
		t.Error("not delivered")
	}
	bob.want("(whisper) ann: once", "(whisper) ann: twice")
	if !whisper("c1", "another", "once") {
		t.Error("what was delivered is not said to be, to who asks for another session")
	}
	if whisper("c3", "another", "to nobody") {
		t.Error("delivered to a session that there is not")
	}
	bob.quiet()
	bob.send("/SIGNOUT")
	bob.want("system: bye, bob")
	if whisper("c4", session, "too late") {
		t.Error("delivered to a session that was ended")
	}
	if !whisper("c1", session, "once") {
		t.Error("the first answer to a command is not given again")
	}
	bob.send("/SIGNIN bob 123")
	bob.want("system: welcome, bob")
	if whisper("c5", session, "to the one before") {
		t.Error("delivered to the user's next session")
	}
	bob.quiet()
}
