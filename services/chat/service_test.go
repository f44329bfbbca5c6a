package chat

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/edgeapi"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// start runs a copy of the service until the test ends.
func start(t *testing.T, ns *natstest.Server) *Service {
	t.Helper()
	return startWith(t, ns, Config{})
}

func startWith(t *testing.T, ns *natstest.Server, cfg Config) *Service {
	t.Helper()
	cfg.NATS = ns.Dialer()
	if cfg.Log == nil {
		cfg.Log = natstest.Quiet()
	}
	s, err := Start(natstest.Context(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

// stop may be called twice.
func stop(t *testing.T, s *Service) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), natstest.Wait)
	defer cancel()
	if err := s.Stop(ctx); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("stop: %v", err)
	}
}

// stored gives the messages of the lobby, oldest first.
func stored(t *testing.T, ns *natstest.Server) []streams.Msg {
	t.Helper()
	msgs, err := streams.History(natstest.Context(t), ns.JetStream(t), string(chatapi.Lobby), 0, 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	return msgs
}

// A command that was accepted is answered by a service that was told to stop.
func TestStopAnswersWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	s := start(t, ns)
	nc := ns.Connect(t)
	ann := ns.SignIn(t, "ann", "edge1")
	ns.SignIn(t, "bob", "edge1")
	asked, answer := make(chan bool, 1), make(chan bool)
	natstest.Answer(t, ns, edgeapi.Whisper.To("edge1"), func(context.Context, edgeapi.WhisperRequest) (edgeapi.WhisperResponse, error) {
		asked <- true
		<-answer
		return edgeapi.WhisperResponse{Delivered: true}, nil
	})
	whispered := make(chan error, 1)
	go func() {
		// One attempt: nobody else could answer it.
		_, err := chatapi.Whisper.Call(natstest.As(natstest.Context(t), ann), nc, chatapi.WhisperRequest{To: "bob", Text: "hi"}, bus.Attempt(natstest.Wait))
		whispered <- err
	}()
	<-asked
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(natstest.Context(t)) }()
	for { // until it takes no more
		_, err := chatapi.Say.Call(natstest.As(natstest.Context(t), ann), nc, chatapi.SayRequest{Text: "late"}, bus.Attempt(10*time.Millisecond))
		if errors.Is(err, bus.ErrNobody) {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("it goes on taking commands")
		}
	}
	close(answer)
	if err := <-whispered; err != nil {
		t.Errorf("the whisper under way: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
}

// Run ends well when it is told to, also while it waits for a NATS that is not there.
func TestRun(t *testing.T) {
	t.Parallel()
	t.Run("serving", func(t *testing.T) {
		t.Parallel()
		ns := natstest.Run(t)
		nc := ns.Connect(t)
		ann := ns.SignIn(t, "ann", "edge1")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- Run(ctx, Config{NATS: ns.Dialer(), Log: natstest.Quiet()}) }()
		if _, err := chatapi.Say.Call(natstest.As(natstest.Context(t), ann), nc, chatapi.SayRequest{Text: "hi"}); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Run("no nats", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := Run(ctx, Config{NATS: bus.Dialer{URL: "nats://127.0.0.1:1", Log: natstest.Quiet()}, Log: natstest.Quiet()}); err == nil {
			t.Error("it ran without nats")
		}
	})
}
