package streams_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

const lobby = "hall.events.lobby"

// say stores a line and gives its sequence.
func say(t testing.TB, js jetstream.JetStream, subject, id string) uint64 {
	t.Helper()
	seq, err := streams.Publish(natstest.Context(t), js, subject, id, event.Event{Kind: event.Chat, Text: id})
	if err != nil {
		t.Fatalf("publish %s: %v", id, err)
	}
	return seq
}

// onR1AndR3 runs a test on one server and on a cluster of three.
func onR1AndR3(t *testing.T, test func(t *testing.T, js jetstream.JetStream)) {
	t.Helper()
	t.Run("R1", func(t *testing.T) {
		t.Parallel()
		test(t, natstest.Run(t).JetStream(t))
	})
	t.Run("R3", func(t *testing.T) {
		t.Parallel()
		test(t, natstest.RunCluster(t, 3).JetStream(t))
	})
}

// The same id is the same event, also when many send it at once and get 10158 meanwhile.
func TestPublishOnce(t *testing.T) {
	t.Parallel()
	onR1AndR3(t, func(t *testing.T, js jetstream.JetStream) {
		t.Helper()
		say(t, js, lobby, "before")
		var wg sync.WaitGroup
		seqs := make([]uint64, 20)
		for i := range seqs {
			wg.Go(func() { seqs[i] = say(t, js, lobby, "once") })
		}
		wg.Wait()
		for _, seq := range seqs {
			if seq != 2 {
				t.Fatalf("sequences %v, want 2 for all", seqs)
			}
		}
		if seq := say(t, js, lobby, "after"); seq != 3 {
			t.Errorf("the next one has sequence %d, want 3", seq)
		}
	})
}

// A publish that begins while NATS is away ends when NATS is back, once.
func TestPublishWaitsForNATS(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	js := ns.JetStream(t)
	say(t, js, lobby, "1")
	ns.Stop(t)

	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := streams.Publish(short, js, lobby, "2", event.Event{Kind: event.Chat}); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("while nats is away: %v, want unavailable", err)
	}
	done := make(chan uint64)
	go func() { done <- say(t, js, lobby, "2") }()
	ns.Start(t)
	if seq := <-done; seq != 2 {
		t.Errorf("sequence %d, want 2", seq)
	}
}

// A lost acknowledgement costs a retry and no second event: a stand-in for JetStream's
// answer to a request that did not come back.
func TestPublishAfterALostAcknowledgement(t *testing.T) {
	t.Parallel()
	js := natstest.Run(t).JetStream(t)
	m := &nats.Msg{Subject: lobby, Header: nats.Header{jetstream.MsgIDHeader: {"lost"}}, Data: []byte(`{"event":"chat"}`)}
	if err := js.Conn().PublishMsg(m); err != nil { // no reply subject: nobody hears the answer
		t.Fatal(err)
	}
	if seq := say(t, js, lobby, "lost"); seq != 1 {
		t.Errorf("sequence %d, want the first one's, 1", seq)
	}
	if seq := say(t, js, lobby, "next"); seq != 2 {
		t.Errorf("sequence %d, want 2", seq)
	}
}

// What no retry can mend comes back at once.
func TestPublishFailsForGood(t *testing.T) {
	t.Parallel()
	js := natstest.Run(t).JetStream(t)
	if _, err := streams.Publish(natstest.Context(t), js, lobby, "x", make(chan int)); fault.CodeOf(err) != fault.Internal {
		t.Errorf("what has no JSON: %v", err)
	}
	first := say(t, js, "hall.round.1.open", "a")
	if _, err := streams.Publish(natstest.Context(t), js, "hall.round.1.open", "b", 1); !streams.Taken(err) {
		t.Errorf("a subject that is taken: %v", err)
	}
	if again := say(t, js, "hall.round.1.open", "a"); again != first {
		t.Errorf("the one who took it, again: %d, want %d", again, first)
	}
}

// The loser of a compare-and-set is told so, by whatever way the server has, and finds the
// winner with the leader.
func TestConflict(t *testing.T) {
	t.Parallel()
	onR1AndR3(t, func(t *testing.T, js jetstream.JetStream) {
		t.Helper()
		ctx := natstest.Context(t)
		if streams.Conflict(nil) || streams.Conflict(nats.ErrTimeout) || streams.Conflict(jetstream.ErrStreamNotFound) {
			t.Error("no conflict is taken for one")
		}
		for round := range 10 {
			subject := "hall.state.room." + strconv.Itoa(round)
			const racers = 8
			errs := make([]error, racers)
			var wg sync.WaitGroup
			for i := range racers {
				wg.Go(func() {
					errs[i] = streams.Retry(ctx, func(ctx context.Context) error {
						_, err := js.Publish(ctx, subject, []byte("{}"), jetstream.WithExpectLastSequencePerSubject(0),
							jetstream.WithMsgID(fmt.Sprintf("%d.%d", round, i)))
						return err
					})
				})
			}
			wg.Wait()
			winner := -1
			for i, err := range errs {
				switch {
				case err == nil && winner < 0:
					winner = i
				case err == nil:
					t.Fatalf("both %d and %d won", winner, i)
				case !streams.Conflict(err):
					t.Fatalf("racer %d: %v, want a conflict", i, err)
				}
			}
			last, found, err := streams.Last(ctx, js, streams.Events, subject)
			if err != nil || !found || last.ID != fmt.Sprintf("%d.%d", round, winner) {
				t.Fatalf("the leader has %+v (found %v, error %v), want that of %d", last, found, err, winner)
			}
		}

		kv, err := js.KeyValue(ctx, streams.Sessions)
		if err != nil {
			t.Fatal(err)
		}
		rev, err := kv.Create(ctx, "ann", []byte("1"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kv.Create(ctx, "ann", []byte("2")); !streams.Conflict(err) {
			t.Errorf("create twice: %v, want a conflict", err)
		}
		if _, err := kv.Update(ctx, "ann", []byte("2"), rev+7); !streams.Conflict(err) {
			t.Errorf("update another revision: %v, want a conflict", err)
		}
		if _, err := kv.Update(ctx, "ann", []byte("2"), rev); err != nil {
			t.Errorf("update: %v", err)
		}
	})
}
