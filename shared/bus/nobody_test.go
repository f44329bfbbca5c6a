package bus_test

import (
	"errors"
	"testing"
	"time"

	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
)

// A call that reached nobody says so; one that somebody may have taken does not.
func TestCallTellsThatNobodyWasThere(t *testing.T) {
	t.Parallel()
	ns := natstest.RunBare(t)
	nc := ns.Connect(t)
	call := func() error {
		_, err := chatapi.Say.Call(natstest.Context(t), nc, chatapi.SayRequest{Text: "hi"}, bus.Attempt(100*time.Millisecond))
		if fault.CodeOf(err) != fault.Unavailable {
			t.Fatalf("error %v, want unavailable", err)
		}
		return err
	}
	if err := call(); !errors.Is(err, bus.ErrNobody) {
		t.Errorf("nobody serves it: %v, want ErrNobody", err)
	}
	silent, err := nc.SubscribeSync(string(chatapi.Say))
	if err != nil {
		t.Fatal(err)
	}
	if err := call(); errors.Is(err, bus.ErrNobody) {
		t.Errorf("somebody has it and does not answer: %v, want no ErrNobody", err)
	}
	if _, err := silent.NextMsg(natstest.Wait); err != nil {
		t.Errorf("the one that does not answer: %v", err)
	}
}
