package streams

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/event"
)

// The channels of HALL_EVENTS by their clients' names; a room's is "room:<name>" there and
// its id here.
const (
	eventsPrefix = "hall.events."
	LobbyChannel = "lobby"
	GameChannel  = "game21"
)

// Subject is where a channel's events are stored: "lobby", "game21" or "room.<id>".
func Subject(channel string) string { return eventsPrefix + channel }

// Live is where the server tells what it stored in a channel.
func Live(channel string) string { return "hall.live." + channel }

// page is how many messages one direct get asks for; the server's limit is 1,024.
const page = 512

// Msg is a stored message, not decoded.
type Msg struct {
	Subject string
	Seq     uint64
	At      time.Time
	ID      string // its Nats-Msg-Id; only what Range and History give has it
	Data    []byte
}

// Decode gives the event in m; channel is what clients call its channel, prev the sequence
// before it there.
func (m Msg) Decode(channel string, prev uint64) (event.Stored, error) {
	s := event.Stored{Channel: channel, Seq: m.Seq, Prev: prev, At: m.At}
	if err := json.Unmarshal(m.Data, &s.Event); err != nil {
		return s, fmt.Errorf("decode event %d: %w", m.Seq, err)
	}
	return s, nil
}

// Range reads what subject stores in (after, upTo], in order, from whichever replica
// answers, and hands it to each until that gives false.
func Range(ctx context.Context, js jetstream.JetStream, subject string, after, upTo uint64, each func(Msg) bool) error {
	return RangeOf(ctx, js, Events, subject, after, upTo, each)
}

// RangeOf is [Range] in any of the streams; subject may have wildcards.
func RangeOf(ctx context.Context, js jetstream.JetStream, stream, subject string, after, upTo uint64, each func(Msg) bool) error {
	for more := true; more && after < upTo; {
		ask := map[string]any{"seq": after + 1, "next_by_subj": subject, "batch": page}
		n := 0
		err := directGet(ctx, js, stream, ask, func(m Msg) bool {
			n++
			after = m.Seq
			more = m.Seq <= upTo && each(m)
			return more
		})
		if err != nil {
			return fmt.Errorf("read %s after %d: %w", subject, after, err)
		}
		more = more && n == page
	}
	return nil
}

// History gives the last limit messages of subject before the sequence before (0: the
// newest) and after the sequence after, oldest first. A stream cannot be read backwards, so
// it reads windows that grow while they hold too few.
func History(ctx context.Context, js jetstream.JetStream, subject string, after, before uint64, limit int) ([]Msg, error) {
	if before == 0 {
		last, err := LastSequences(ctx, js, []string{subject}, 1)
		if err != nil {
			return nil, err
		}
		before = last[subject] + 1
	}
	var found []Msg
	hi := before - 1
	for window := uint64(max(2*limit, 64)); hi > after && len(found) < limit; window *= 4 {
		lo := after
		if hi > window && hi-window > after {
			lo = hi - window
		}
		var part []Msg
		err := Range(ctx, js, subject, lo, hi, func(m Msg) bool {
			part = append(part, m)
			return true
		})
		if err != nil {
			return nil, err
		}
		found = slices.Concat(part, found)
		hi = lo
	}
	if len(found) > limit {
		found = found[len(found)-limit:]
	}
	return found, nil
}

// LastSequences gives the last sequence of each subject that stored anything from the
// sequence from on; a quiet subject is missing. It asks for at most 1,000 subjects at a
// time, which the server's limit (1,024, else 413) is just above.
func LastSequences(ctx context.Context, js jetstream.JetStream, subjects []string, from uint64) (map[string]uint64, error) {
	last := map[string]uint64{}
	for some := range slices.Chunk(subjects, 1000) {
		ask := map[string]any{"multi_last": some, "seq": max(1, from), "batch": len(some)}
		err := directGet(ctx, js, Events, ask, func(m Msg) bool {
			last[m.Subject] = m.Seq
			return true
		})
		if err != nil {
			return nil, fmt.Errorf("read last sequences: %w", err)
		}
	}
	return last, nil
}

// LastOf gives the last message of each subject, which may have no wildcards, as one replica
// has them at one moment; a subject without one is missing. The replica may be behind: who
// asks for a message too that it knows to be stored, and finds it in the answer, knows that
// it has seen all that was stored before it.
func LastOf(ctx context.Context, js jetstream.JetStream, stream string, subjects ...string) (map[string]Msg, error) {
	last := map[string]Msg{}
	ask := map[string]any{"multi_last": subjects, "batch": len(subjects)}
	err := directGet(ctx, js, stream, ask, func(m Msg) bool {
		last[m.Subject] = m
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("read the last of %v: %w", subjects, err)
	}
	return last, nil
}

// directGet asks a stream for a batch (NATS ADR-31) and hands each message on until each
// gives false. A batch that does not come whole is an error: a reader that took it for the
// end would make a hole (which is why natsext.RequestMany, silent at its timeout, is not
// used).
func directGet(ctx context.Context, js jetstream.JetStream, stream string, ask map[string]any, each func(Msg) bool) error {
	req, err := json.Marshal(ask)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	nc := js.Conn()
	inbox := nc.NewRespInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }() // the connection is closed: so is the subscription
	if err := nc.PublishRequest("$JS.API.DIRECT.GET."+stream, inbox, req); err != nil {
		return err
	}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return err
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204", "404": // end of batch; nothing there
			return nil
		case "503":
			return nats.ErrNoResponders
		default:
			return fmt.Errorf("direct get: %s %s", status, m.Header.Get("Description"))
		}
		seq, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
		if err != nil {
			return fmt.Errorf("direct get: sequence: %w", err)
		}
		at, err := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
		if err != nil {
			return fmt.Errorf("direct get: time: %w", err)
		}
		if !each(Msg{Subject: m.Header.Get(jetstream.SubjectHeader), Seq: seq, At: at, ID: m.Header.Get(jetstream.MsgIDHeader), Data: m.Data}) {
			return nil
		}
	}
}

// Kept asks the leader whether the message with sequence seq is still stored.
func Kept(ctx context.Context, js jetstream.JetStream, seq uint64) (bool, error) {
	_, err := leaderGet(ctx, js, Events, map[string]any{"seq": seq})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Last reads the last message of subject from the stream's leader, and so sees what was
// acknowledged before. found is false when there is none.
func Last(ctx context.Context, js jetstream.JetStream, stream, subject string) (m Msg, found bool, err error) {
	m, err = leaderGet(ctx, js, stream, map[string]any{"last_by_subj": subject})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Msg{}, false, nil
	}
	return m, err == nil, err
}

// leaderGet is $JS.API.STREAM.MSG.GET, which only a stream's leader answers; the client
// library would use direct get where the stream allows it.
func leaderGet(ctx context.Context, js jetstream.JetStream, stream string, ask map[string]any) (Msg, error) {
	req, err := json.Marshal(ask)
	if err != nil {
		return Msg{}, fmt.Errorf("encode: %w", err)
	}
	answer, err := js.Conn().RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+stream, req)
	if err != nil {
		return Msg{}, fmt.Errorf("read %s: %w", stream, err)
	}
	var got struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Data    []byte    `json:"data"`
			Time    time.Time `json:"time"`
		} `json:"message"`
	}
	if err := json.Unmarshal(answer.Data, &got); err != nil {
		return Msg{}, fmt.Errorf("read %s: %w", stream, err)
	}
	if got.Error != nil {
		if got.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound {
			return Msg{}, jetstream.ErrMsgNotFound
		}
		return Msg{}, fmt.Errorf("read %s: %w", stream, got.Error)
	}
	return Msg{Subject: got.Message.Subject, Seq: got.Message.Seq, At: got.Message.Time, Data: got.Message.Data}, nil
}

// ChannelOf is the channel of a stored or live subject: "lobby", "game21", "room.<id>".
func ChannelOf(subject string) string {
	if c, ok := strings.CutPrefix(subject, eventsPrefix); ok {
		return c
	}
	c, _ := strings.CutPrefix(subject, "hall.live.")
	return c
}
