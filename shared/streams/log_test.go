package streams_test

import (
	"errors"
	"math"
	"runtime"
	"strconv"
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

// What was acknowledged is seen, on whichever replica it is looked for, and also where the last
// message of the stream is gone.
func TestLastNow(t *testing.T) {
	t.Parallel()
	test := func(t *testing.T, js jetstream.JetStream, replicas int) {
		ctx := natstest.Context(t)
		if err := streams.Ensure(ctx, js, streams.Options{Replicas: replicas}); err != nil {
			t.Fatal(err)
		}
		subjects := []string{"hall.events.room.a", "hall.events.room.b", "hall.events.room.none"}
		if none, err := streams.LastNow(ctx, js, streams.Events, subjects...); err != nil || len(none) != 0 {
			t.Errorf("of an empty stream: %v, %v", none, err)
		}
		for i := range 40 {
			id := strconv.Itoa(i)
			first, err := streams.Publish(ctx, js, subjects[0], "a"+id, 1)
			if err != nil {
				t.Fatal(err)
			}
			second, err := streams.Publish(ctx, js, subjects[1], "b"+id, 1)
			if err != nil {
				t.Fatal(err)
			}
			for _, asked := range [][]string{subjects, subjects[1:2]} {
				last, err := streams.LastNow(ctx, js, streams.Events, asked...)
				if err != nil || last[subjects[1]].Seq != second || len(asked) > 1 && last[subjects[0]].Seq != first {
					t.Fatalf("look %d at %d: %v, %v; want %d and %d", i, len(asked), last, err, first, second)
				}
				if _, is := last[subjects[2]]; is {
					t.Fatalf("found what is not there: %v", last)
				}
			}
		}
	}
	t.Run("one replica", func(t *testing.T) {
		t.Parallel()
		test(t, natstest.Run(t).JetStream(t), 1)
	})
	t.Run("three replicas", func(t *testing.T) {
		t.Parallel()
		test(t, natstest.RunCluster(t, 3).JetStream(t), 3)
	})
}

// A look takes little memory: the client's own queue of what comes would have half a MiB.
func TestLastOfTakesLittle(t *testing.T) { //nolint:paralleltest // it counts what is allocated
	js, ctx := natstest.Run(t).JetStream(t), natstest.Context(t)
	if _, err := streams.Publish(ctx, js, "hall.events.room.a", "a", 1); err != nil {
		t.Fatal(err)
	}
	const looks = 50
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range looks {
		if last, err := streams.LastOf(ctx, js, streams.Events, "hall.events.room.a", "hall.events.room.b"); err != nil || len(last) != 1 {
			t.Fatalf("%v, %v", last, err)
		}
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / looks; each > 256<<10 {
		t.Errorf("a look took %d KiB", each>>10)
	}
}
