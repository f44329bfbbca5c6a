package streams_test

import (
	"errors"
	"math"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// A stream with one message per subject refuses the second at once: it is no fault that
// passes. The same id again is the first one's sequence.
func TestTaken(t *testing.T) {
	t.Parallel()
	js := natstest.Run(t).JetStream(t)
	ctx := natstest.Context(t)
	first, err := streams.Publish(ctx, js, "hall.round.1.open", "a", 1)
	if err != nil {
		t.Fatal(err)
	}
	again, err := streams.Publish(ctx, js, "hall.round.1.open", "a", 1)
	if err != nil || again != first {
		t.Errorf("the same id again: %d, %v; want %d", again, err, first)
	}
	_, err = streams.Publish(ctx, js, "hall.round.1.open", "b", 2)
	if !streams.Taken(err) {
		t.Errorf("another id: %v, want it taken", err)
	}
	full := &jetstream.APIError{Code: 503, ErrorCode: 10077, Description: "no space left"}
	if streams.Taken(full) || !streams.Passing(full) || streams.Taken(errors.New("else")) {
		t.Error("a full store is not a subject that is taken, and may pass")
	}
}

func TestRangeOfAndLastOf(t *testing.T) {
	t.Parallel()
	js := natstest.Run(t).JetStream(t)
	ctx := natstest.Context(t)
	seqs := map[string]uint64{}
	for _, s := range []string{"hall.round.1.open", "hall.round.1.answer.x", "hall.round.2.open", "hall.round.1.close"} {
		seq, err := streams.Publish(ctx, js, s, s, s)
		if err != nil {
			t.Fatal(err)
		}
		seqs[s] = seq
	}
	var got []uint64
	err := streams.RangeOf(ctx, js, streams.Game21, "hall.round.1.>", seqs["hall.round.1.open"], math.MaxUint64, func(m streams.Msg) bool {
		got = append(got, m.Seq)
		return true
	})
	if err != nil || len(got) != 2 || got[0] != seqs["hall.round.1.answer.x"] || got[1] != seqs["hall.round.1.close"] {
		t.Errorf("after the open: %v, %v", got, err)
	}
	last, err := streams.LastOf(ctx, js, streams.Game21, "hall.round.1.close", "hall.round.2.close")
	if err != nil || len(last) != 1 || last["hall.round.1.close"].Seq != seqs["hall.round.1.close"] {
		t.Errorf("last: %v, %v", last, err)
	}
	m, found, err := streams.Last(ctx, js, streams.Game21, "hall.round.*.open")
	if err != nil || !found || m.Seq != seqs["hall.round.2.open"] {
		t.Errorf("last open: %+v %v %v", m, found, err)
	}
}
