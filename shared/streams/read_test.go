package streams_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"pgregory.net/rapid"

	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// store publishes many events without waiting for each, and gives their sequences by
// subject.
func store(t testing.TB, js jetstream.JetStream, subjects []string) map[string][]uint64 {
	t.Helper()
	futures := make([]jetstream.PubAckFuture, len(subjects))
	for i, s := range subjects {
		f, err := js.PublishAsync(s, []byte(`{"event":"chat","text":"`+strconv.Itoa(i)+`"}`), jetstream.WithMsgID(fmt.Sprintf("%s.%d", s, i)), jetstream.WithStallWait(natstest.Wait))
		if err != nil {
			t.Fatalf("publish: %v", err)
		}
		futures[i] = f
	}
	seqs := map[string][]uint64{}
	for i, f := range futures {
		select {
		case ack := <-f.Ok():
			seqs[subjects[i]] = append(seqs[subjects[i]], ack.Sequence)
		case err := <-f.Err():
			t.Fatalf("publish: %v", err)
		}
	}
	return seqs
}

func sequences(ms []streams.Msg) []uint64 {
	var seqs []uint64
	for _, m := range ms {
		seqs = append(seqs, m.Seq)
	}
	return seqs
}

// between gives what of seqs is in (after, upTo].
func between(seqs []uint64, after, upTo uint64) []uint64 {
	var in []uint64
	for _, s := range seqs {
		if s > after && s <= upTo {
			in = append(in, s)
		}
	}
	return in
}

// Range and History give what a plain slice of the same events gives, wherever one looks: a
// busy channel, a quiet one, bursts of either, more than a page.
func TestReadingIsThatOfASlice(t *testing.T) {
	t.Parallel()
	js := natstest.Run(t).JetStream(t)
	var subjects []string
	const quiet, busy = "hall.events.room.quiet", lobby
	for i := range 4000 {
		switch {
		case i > 1000 && i < 2600: // a burst longer than three pages
			subjects = append(subjects, busy)
		case i%97 == 0:
			subjects = append(subjects, quiet)
		case i%7 == 0:
			subjects = append(subjects, busy)
		default:
			subjects = append(subjects, "hall.events.room.other")
		}
	}
	stored := store(t, js, subjects)
	top := uint64(len(subjects))

	rapid.Check(t, func(rt *rapid.T) {
		ctx, cancel := context.WithTimeout(t.Context(), natstest.Wait)
		defer cancel()
		subject := rapid.SampledFrom([]string{quiet, busy, "hall.events.room.never"}).Draw(rt, "subject")
		after := rapid.Uint64Range(0, top+10).Draw(rt, "after")
		end := rapid.OneOf(rapid.Uint64Range(0, top+10), rapid.Just(uint64(math.MaxUint64))).Draw(rt, "end")

		var got []uint64
		err := streams.Range(ctx, js, subject, after, end, func(m streams.Msg) bool {
			got = append(got, m.Seq)
			return true
		})
		if want := between(stored[subject], after, end); err != nil || !slices.Equal(got, want) {
			rt.Fatalf("range: %v, %v; want %v", got, err, want)
		}

		limit := rapid.IntRange(0, 300).Draw(rt, "limit")
		ms, err := streams.History(ctx, js, subject, after, end, limit)
		upTo := end - 1
		if end == 0 {
			upTo = math.MaxUint64
		}
		want := between(stored[subject], after, upTo)
		want = want[max(0, len(want)-limit):]
		if err != nil || !slices.Equal(sequences(ms), want) {
			rt.Fatalf("history: %v, %v; want %v", sequences(ms), err, want)
		}
	})
}

func TestRangeStops(t *testing.T) {
	t.Parallel()
	js := natstest.Run(t).JetStream(t)
	store(t, js, slices.Repeat([]string{lobby}, 1200))
	for _, most := range []int{1, 511, 512, 513, 1199, 1200} {
		n := 0
		err := streams.Range(natstest.Context(t), js, lobby, 0, math.MaxUint64, func(streams.Msg) bool {
			n++
			return n < most
		})
		if err != nil || n != most {
			t.Errorf("stopped after %d (%v), want %d", n, err, most)
		}
	}
}

func TestMsg(t *testing.T) {
	t.Parallel()
	js := natstest.Run(t).JetStream(t)
	begun := time.Now().Add(-time.Minute)
	seq := say(t, js, lobby, "ann.1")
	ms, err := streams.History(natstest.Context(t), js, lobby, 0, 0, 1)
	if err != nil || len(ms) != 1 {
		t.Fatalf("history: %v, %v", ms, err)
	}
	last, found, err := streams.Last(natstest.Context(t), js, streams.Events, lobby)
	if err != nil || !found {
		t.Fatalf("last: found %v, error %v", found, err)
	}
	for _, m := range []streams.Msg{ms[0], last} {
		if m.Subject != lobby || m.Seq != seq || m.ID != "ann.1" || m.At.Before(begun) {
			t.Errorf("got %+v", m)
		}
		got, err := m.Decode("lobby", 7)
		want := event.Stored{Channel: "lobby", Seq: seq, Prev: 7, At: m.At, Event: event.Event{Kind: event.Chat, Text: "ann.1"}}
		if err != nil || got.Channel != want.Channel || got.Seq != want.Seq || got.Prev != want.Prev || !got.At.Equal(want.At) || got.Text != want.Text {
			t.Errorf("decoded %+v, %v; want %+v", got, err, want)
		}
	}
	if _, err := (streams.Msg{Data: []byte("{")}).Decode("lobby", 0); err == nil {
		t.Error("decoded what is no JSON")
	}
}

func TestLastSequences(t *testing.T) {
	t.Parallel()
	js := natstest.Run(t).JetStream(t)
	// More rooms than one request may name.
	var rooms []string
	for i := range 2300 {
		rooms = append(rooms, "hall.events.room."+strconv.Itoa(i))
	}
	stored := store(t, js, rooms)
	mid := stored[rooms[1149]][0]
	tests := []struct {
		name     string
		subjects []string
		from     uint64
		want     int
	}{
		{name: "all", subjects: rooms, want: 2300},
		{name: "all, from the first", subjects: rooms, from: 1, want: 2300},
		{name: "the newer half", subjects: rooms, from: mid, want: 1151},
		{name: "the last one", subjects: rooms, from: 2300, want: 1},
		{name: "nothing new", subjects: rooms, from: 2301, want: 0},
		{name: "one", subjects: rooms[7:8], want: 1},
		{name: "none", want: 0},
		{name: "unknown", subjects: []string{"hall.events.room.never"}, want: 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := streams.LastSequences(natstest.Context(t), js, tt.subjects, tt.from)
			if err != nil || len(got) != tt.want {
				t.Fatalf("%d of them, %v; want %d", len(got), err, tt.want)
			}
			for s, seq := range got {
				if seq != stored[s][0] {
					t.Errorf("%s: %d, want %d", s, seq, stored[s][0])
				}
			}
		})
	}
}

func TestKept(t *testing.T) {
	t.Parallel()
	js := natstest.RunBare(t).JetStream(t)
	// The hall's stream keeps 100,000 of a channel; to lose one takes one that keeps two.
	cfg := config(t, natstest.Run(t).JetStream(t), streams.Events)
	cfg.MaxMsgsPerSubject = 2
	if _, err := js.CreateStream(natstest.Context(t), cfg); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		say(t, js, lobby, strconv.Itoa(i))
	}
	for seq, want := range map[uint64]bool{1: false, 2: true, 3: true, 4: false} {
		if got, err := streams.Kept(natstest.Context(t), js, seq); err != nil || got != want {
			t.Errorf("%d is kept: %v, %v; want %v", seq, got, err, want)
		}
	}
	if _, found, err := streams.Last(natstest.Context(t), js, streams.Events, "hall.events.room.never"); err != nil || found {
		t.Errorf("last of nothing: found %v, error %v", found, err)
	}
}

// What is read while NATS is away comes when it is back, or is unavailable.
func TestReadsWaitForNATS(t *testing.T) {
	t.Parallel()
	reads := map[string]func(context.Context, jetstream.JetStream) (int, error){
		"Range": func(ctx context.Context, js jetstream.JetStream) (n int, err error) {
			err = streams.Range(ctx, js, lobby, 0, 10, func(streams.Msg) bool { n++; return true })
			return n, err
		},
		"History": func(ctx context.Context, js jetstream.JetStream) (int, error) {
			ms, err := streams.History(ctx, js, lobby, 0, 0, 10)
			return len(ms), err
		},
		"LastSequences": func(ctx context.Context, js jetstream.JetStream) (int, error) {
			last, err := streams.LastSequences(ctx, js, []string{lobby}, 1)
			return len(last), err
		},
		"Kept": func(ctx context.Context, js jetstream.JetStream) (int, error) {
			kept, err := streams.Kept(ctx, js, 1)
			return map[bool]int{true: 1}[kept], err
		},
		"Last": func(ctx context.Context, js jetstream.JetStream) (int, error) {
			_, found, err := streams.Last(ctx, js, streams.Events, lobby)
			return map[bool]int{true: 1}[found], err
		},
	}
	for name, read := range reads {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := natstest.Run(t)
			js := ns.JetStream(t)
			say(t, js, lobby, "1")
			ns.Stop(t)
			short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := read(short, js); fault.CodeOf(err) != fault.Unavailable {
				t.Errorf("while nats is away: %v, want unavailable", err)
			}
			type result struct {
				n   int
				err error
			}
			done := make(chan result)
			ctx := natstest.Context(t)
			go func() {
				n, err := read(ctx, js)
				done <- result{n, err}
			}()
			ns.Start(t)
			if r := <-done; r.err != nil || r.n != 1 {
				t.Errorf("after nats is back: %d, %v; want 1", r.n, r.err)
			}
		})
	}
}

// A batch that breaks off is read on from where it broke: nothing is lost, nothing is told
// twice. The server here is played.
func TestRangeOfABrokenBatch(t *testing.T) {
	t.Parallel()
	ns := natstest.RunBare(t)
	nc := ns.Connect(t)
	js := ns.JetStream(t)
	var asked atomic.Int32
	answer := func(reply, header string) {
		m := nats.NewMsg(reply)
		for line := range strings.SplitSeq(header, "\n") {
			k, v, _ := strings.Cut(line, ": ")
			m.Header.Set(k, v)
		}
		if err := nc.PublishMsg(m); err != nil {
			t.Errorf("answer: %v", err)
		}
	}
	message := func(reply string, seq int) {
		answer(reply, fmt.Sprintf("Nats-Subject: %s\nNats-Sequence: %d\nNats-Time-Stamp: 2026-11-20T15:24:24Z", lobby, seq))
	}
	_, err := nc.Subscribe("$JS.API.DIRECT.GET."+streams.Events, func(m *nats.Msg) {
		switch asked.Add(1) {
		case 1: // breaks off after two, without an end
			message(m.Reply, 1)
			message(m.Reply, 2)
		case 2: // the limit of bytes: one, and more to come
			if !strings.Contains(string(m.Data), `"seq":3`) {
				t.Errorf("asked for %s, want what is after 2", m.Data)
			}
			message(m.Reply, 3)
			answer(m.Reply, "Status: 204\nNats-Num-Pending: 1")
		default:
			message(m.Reply, 4)
			answer(m.Reply, "Status: 204\nNats-Num-Pending: 0")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	var got []uint64
	err = streams.Range(natstest.Context(t), js, lobby, 0, 100, func(m streams.Msg) bool {
		got = append(got, m.Seq)
		return true
	})
	if err != nil || !slices.Equal(got, []uint64{1, 2, 3, 4}) {
		t.Errorf("got %v, %v; want 1 to 4", got, err)
	}
}

// An answer that is no answer is an error, not an end.
func TestReadsRefuseNonsense(t *testing.T) {
	t.Parallel()
	for _, header := range []string{
		"Status: 413\nDescription: Too Many Results",
		"Status: 408\nDescription: Bad Request",
		"Status: 204",
		"Nats-Subject: x\nNats-Sequence: -1\nNats-Time-Stamp: 2026-11-20T15:24:24Z",
		"Nats-Subject: x\nNats-Sequence: 1\nNats-Time-Stamp: today",
	} {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			ns := natstest.RunBare(t)
			nc := ns.Connect(t)
			_, err := nc.Subscribe("$JS.API.DIRECT.GET."+streams.Events, func(m *nats.Msg) {
				r := nats.NewMsg(m.Reply)
				for line := range strings.SplitSeq(header, "\n") {
					k, v, _ := strings.Cut(line, ": ")
					r.Header.Set(k, v)
				}
				if err := nc.PublishMsg(r); err != nil {
					t.Errorf("answer: %v", err)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			err = streams.Range(natstest.Context(t), ns.JetStream(t), lobby, 0, 10, func(streams.Msg) bool { return true })
			if err == nil || fault.CodeOf(err) != fault.Internal || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v, want one at once", err)
			}
		})
	}
}

func TestSubjects(t *testing.T) {
	t.Parallel()
	for _, channel := range []string{streams.LobbyChannel, streams.GameChannel, "room.7f"} {
		if got := streams.ChannelOf(streams.Subject(channel)); got != channel {
			t.Errorf("stored: %q, want %q", got, channel)
		}
		if got := streams.ChannelOf(streams.Live(channel)); got != channel {
			t.Errorf("live: %q, want %q", got, channel)
		}
	}
	if s := streams.Subject(streams.LobbyChannel); s != lobby {
		t.Errorf("the lobby's subject is %q", s)
	}
}
