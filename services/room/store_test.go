package room_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"gamehall/services/room"
	"gamehall/shared/natstest"
	"gamehall/shared/roomapi"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// An edge checks what the server republishes by its sequence and the one before it in the
// channel. Those of events that were stored in a batch are right, too, and the event of a
// command is at the sequence that the command was answered.
func TestRepublishedBatches(t *testing.T) {
	t.Parallel()
	eachSize(t, func(t *testing.T, h hall, signIn func(string) session.Record, replicas int) {
		h.start(room.Config{Replicas: replicas})
		ann, bob := signIn("ann"), signIn("bob")
		live, err := h.nc.SubscribeSync(streams.Live("room." + roomID(t, "room1")))
		if err != nil {
			t.Fatal(err)
		}
		seqs := []uint64{h.create(ann, "room1").Seq}
		for range 3 {
			seqs = append(seqs, h.say(ann, "a"), h.join(bob, "room1").Seq, h.say(bob, "b"), h.quit(bob).Seq)
		}
		prev := uint64(0)
		for _, want := range seqs {
			msg, err := live.NextMsgWithContext(natstest.Context(t))
			if err != nil {
				t.Fatal(err)
			}
			seq, last := number(t, msg, jetstream.SequenceHeader), number(t, msg, "Nats-Last-Sequence")
			if seq != want || last != prev {
				t.Errorf("republished %d after %d, want %d after %d: %v", seq, last, want, prev, msg.Header)
			}
			prev = seq
		}
		log := h.log("room1")
		for i, e := range log {
			if e.Seq != seqs[i] {
				t.Errorf("event %d is stored at %d, answered %d", i, e.Seq, seqs[i])
			}
		}
	})
}

func number(t testing.TB, msg *nats.Msg, header string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(msg.Header.Get(header), 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", header, err)
	}
	return n
}

// What this service builds on: a batch whose records have changed, or that holds a stored id,
// stores nothing of itself; and a line is refused when its sender's record has changed.
func TestBatchIsAllOrNothing(t *testing.T) {
	t.Parallel()
	eachSize(t, func(t *testing.T, h hall, _ func(string) session.Record, _ int) {
		ctx := natstest.Context(t)
		batch := func(id string, member, rm uint64) (uint64, error) {
			msg := func(subject, key, value string) *nats.Msg {
				return &nats.Msg{Subject: subject, Header: nats.Header{key: {value}}, Data: []byte(`{}`)}
			}
			ack, err := jetstreamext.PublishMsgBatch(ctx, h.js, []*nats.Msg{
				msg(roomapi.MemberSubject.Of("u"), jetstream.ExpectedLastSubjSeqHeader, fmt.Sprint(member)),
				msg("hall.state.room.r", jetstream.ExpectedLastSubjSeqHeader, fmt.Sprint(rm)),
				msg(roomapi.Room.Of("r"), jetstream.MsgIDHeader, id),
			}, jetstreamext.BatchFlowControl{})
			if err != nil {
				return 0, err
			}
			return ack.Sequence, nil
		}
		seq, err := batch("1", 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if m, r := h.lastSeq(roomapi.MemberSubject.Of("u")), h.lastSeq("hall.state.room.r"); m != seq-roomapi.EventAfter || r != seq-1 {
			t.Errorf("the event is at %d, the records at %d and %d", seq, m, r)
		}
		if _, err := batch("2", 0, seq-1); !streams.Conflict(err) {
			t.Errorf("with an old record of the member: %v", err)
		}
		if _, err := batch("2", seq-2, seq-2); !streams.Conflict(err) {
			t.Errorf("with an old record of the room: %v", err)
		}
		if _, err := batch("1", seq-2, seq-1); !streams.Repeated(err) {
			t.Errorf("with a stored id: %v", err)
		}
		line := func(id string, member uint64) error {
			_, err := h.js.PublishMsg(ctx, &nats.Msg{Subject: roomapi.Room.Of("r"), Data: []byte(`{}`), Header: nats.Header{
				jetstream.MsgIDHeader:                   {id},
				jetstream.ExpectedLastSubjSeqSubjHeader: {roomapi.MemberSubject.Of("u")},
				jetstream.ExpectedLastSubjSeqHeader:     {fmt.Sprint(member)},
			}})
			return err
		}
		if err := line("3", seq); !streams.Conflict(err) {
			t.Errorf("a line with an old record: %v", err)
		}
		if last := h.lastSeq("hall.>"); last != seq {
			t.Errorf("something was stored: the stream is at %d, want %d", last, seq)
		}
		if err := line("3", seq-2); err != nil {
			t.Errorf("a line: %v", err)
		}
	})
}
