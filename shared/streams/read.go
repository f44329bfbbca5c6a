package streams

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
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

const (
	// page is how many messages one direct get asks for; the server's limit is 1,024.
	page = 512
	// quiet is how long the next message of a batch may take before the batch is lost: its
	// server died, or a message was dropped.
	quiet = 2 * time.Second
)

// Msg is a stored message, not decoded.
type Msg struct {
	Subject string
	Seq     uint64
	At      time.Time
	ID      string // its Nats-Msg-Id
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
// answers, and hands it to each until that gives false. What comes broken is read on from
// where it broke, until ctx ends; then it is fault.Unavailable. A replica that is behind
// ends the range early, without an error: see [Kept].
func Range(ctx context.Context, js jetstream.JetStream, subject string, after, upTo uint64, each func(Msg) bool) error {
	return RangeOf(ctx, js, Events, subject, after, upTo, each)
}

// RangeOf is [Range] in any of the streams; subject may have wildcards.
func RangeOf(ctx context.Context, js jetstream.JetStream, stream, subject string, after, upTo uint64, each func(Msg) bool) error {
	for more := true; more && after < upTo; {
		var pending uint64
		err := retry(ctx, js.Conn(), func(ctx context.Context) (err error) {
			if !more || after >= upTo {
				return nil // it broke after the last one that was wanted
			}
			ask := map[string]any{"seq": after + 1, "next_by_subj": subject}
			pending, err = directGet(ctx, js, stream, ask, int(min(page, upTo-after)), func(m Msg) bool {
				if m.Seq > upTo {
					more = false
					return false
				}
				after = m.Seq
				more = each(m)
				return more
			})
			return err
		})
		if err != nil {
			return fmt.Errorf("read %s after %d: %w", subject, after, err)
		}
		more = more && pending > 0
	}
	return nil
}

// History gives the last limit messages of subject before the sequence before (0: the
// newest) and after the sequence after, oldest first, without a hole. A stream cannot be read
// backwards, so it reads windows, which grow where the subject is quiet and shrink where it is
// busy. Each may be answered by another replica, and one that is behind is asked again until ctx
// ends; then it is fault.Unavailable.
func History(ctx context.Context, js jetstream.JetStream, subject string, after, before uint64, limit int) (found []Msg, err error) {
	err = retry(ctx, js.Conn(), func(ctx context.Context) error {
		// From the leader: a replica that is behind would end it early, and without a word.
		last, _, err := Last(ctx, js, Events, subject)
		if err != nil {
			return err
		}
		read := func(after, upTo uint64, each func(Msg) bool) error {
			return Range(ctx, js, subject, after, upTo, each)
		}
		found, err = history(read, last.Seq, after, before, limit)
		return err
	})
	return found, err
}

// errBehind is the answer of a replica that has not all that was stored before it was asked.
var errBehind = fmt.Errorf("%w: a replica is behind", errNotYet)

// history is [History] of a subject of which the message last is stored, the newest one. A replica
// has all before any message that it has; so each window is read on to the next message that is
// known to be stored.
func history(read func(after, upTo uint64, each func(Msg) bool) error, last, after, before uint64, limit int) (found []Msg, err error) {
	hi, known := last, last
	if before > 0 {
		hi = min(hi, before-1)
	}
	most := max(4*limit, 64) // messages read for one window
	window := uint64(most)
	for hi > after && len(found) < limit {
		lo := after
		if hi-after > window {
			lo = hi - window
		}
		var part []Msg
		complete := false
		err := read(lo, known, func(m Msg) bool {
			complete = m.Seq > hi || m.Seq == known
			if m.Seq <= hi {
				part = append(part, m)
			}
			return !complete && len(part) <= most
		})
		switch {
		case err != nil:
			return nil, err
		case len(part) > most: // so the window is wider than most
			window = max(uint64(most), (hi-lo)/4)
			continue
		case !complete:
			return nil, errBehind
		}
		if len(part) > 0 {
			known = part[0].Seq
		}
		found = slices.Concat(part, found)
		hi = lo
		window *= 4
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
		err := multiLast(ctx, js, Events, some, max(1, from), func(m Msg) { last[m.Subject] = m.Seq })
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
	if err := multiLast(ctx, js, stream, subjects, 1, func(m Msg) { last[m.Subject] = m }); err != nil {
		return nil, fmt.Errorf("read the last of %v: %w", subjects, err)
	}
	return last, nil
}

// How often LastNow asks replicas, and after which pause: one that follows is behind for a moment.
const (
	lastNowLooks = 3
	lastNowPause = 2 * time.Millisecond
)

// LastNow is [LastOf] with what was acknowledged before it was asked, as [Last] has it of one
// subject: it finds in the answer, or asks for each subject by itself, what the leader knows to be
// the last that is stored. It goes on until ctx ends; then it is fault.Unavailable.
func LastNow(ctx context.Context, js jetstream.JetStream, stream string, subjects ...string) (map[string]Msg, error) {
	if len(subjects) > 1 {
		latest, found, err := Last(ctx, js, stream, ">")
		if err != nil || !found {
			return map[string]Msg{}, err
		}
		for range lastNowLooks {
			last, err := LastOf(ctx, js, stream, append(slices.Clone(subjects), latest.Subject)...)
			if err != nil {
				return nil, err
			}
			if m, is := last[latest.Subject]; is && m.Seq >= latest.Seq {
				return last, nil
			}
			select { // the replica is behind, or the message is gone
			case <-ctx.Done():
			case <-time.After(lastNowPause):
			}
		}
	}
	last := map[string]Msg{}
	for _, subject := range subjects {
		m, found, err := Last(ctx, js, stream, subject)
		if err != nil {
			return nil, err
		}
		if found {
			last[subject] = m
		}
	}
	return last, nil
}

// multiLast hands the last message of each subject to each, in one batch; where that breaks,
// it starts again, until ctx ends.
func multiLast(ctx context.Context, js jetstream.JetStream, stream string, subjects []string, from uint64, each func(Msg)) error {
	ask := map[string]any{"multi_last": subjects, "seq": from}
	return retry(ctx, js.Conn(), func(ctx context.Context) error {
		pending, err := directGet(ctx, js, stream, ask, len(subjects), func(m Msg) bool {
			each(m)
			return true
		})
		if err == nil && pending > 0 {
			err = fmt.Errorf("%d of them did not fit one answer", pending)
		}
		return err
	})
}

// directGet asks a stream for a batch (NATS ADR-31) of so many messages at most, hands each message on until each gives
// false, and gives the number of messages that match and did not fit the batch. A batch that
// does not come whole is an error: a reader that took it for the end would make a hole (which
// is why natsext.RequestMany, silent at its timeout, is not used).
func directGet(ctx context.Context, js jetstream.JetStream, stream string, ask map[string]any, most int, each func(Msg) bool) (pending uint64, err error) {
	ask["batch"] = most
	req, err := json.Marshal(ask)
	if err != nil {
		return 0, fmt.Errorf("encode: %w", err)
	}
	err = bus.While(ctx, js.Conn(), 0, func(ctx context.Context) (err error) {
		pending, err = readBatch(ctx, js.Conn(), stream, req, most, each)
		return err
	})
	return pending, err
}

// readBatch is directGet of what is encoded.
func readBatch(ctx context.Context, nc *nats.Conn, stream string, req []byte, most int, each func(Msg) bool) (pending uint64, err error) {
	inbox := nc.NewRespInbox()
	// A channel of our own has room for all that is asked for, and the end; the client's would have
	// half a MiB.
	batch := make(chan *nats.Msg, most+1)
	sub, err := nc.ChanSubscribe(inbox, batch)
	if err != nil {
		return 0, err
	}
	defer func() { _ = sub.Unsubscribe() }() // the connection is closed: so is the subscription
	if err := nc.PublishRequest("$JS.API.DIRECT.GET."+stream, inbox, req); err != nil {
		return 0, err
	}
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	for {
		var m *nats.Msg
		select {
		case m = <-batch:
			timer.Reset(quiet)
		case <-timer.C:
			return 0, nats.ErrTimeout
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204": // the end of the batch
			pending, err := strconv.ParseUint(m.Header.Get("Nats-Num-Pending"), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("direct get: pending: %w", err)
			}
			return pending, nil
		case "404": // nothing there
			return 0, nil
		case "503":
			return 0, nats.ErrNoResponders
		default:
			return 0, fmt.Errorf("direct get: %s %s", status, m.Header.Get("Description"))
		}
		seq, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("direct get: sequence: %w", err)
		}
		at, err := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
		if err != nil {
			return 0, fmt.Errorf("direct get: time: %w", err)
		}
		if !each(Msg{Subject: m.Header.Get(jetstream.SubjectHeader), Seq: seq, At: at, ID: m.Header.Get(jetstream.MsgIDHeader), Data: m.Data}) {
			return 0, nil
		}
	}
}

// Kept asks the leader whether the message with sequence seq is still stored. It goes on
// until ctx ends; then it is fault.Unavailable.
func Kept(ctx context.Context, js jetstream.JetStream, seq uint64) (bool, error) {
	_, found, err := leaderGet(ctx, js, Events, map[string]any{"seq": seq})
	return found, err
}

// Last reads the last message of subject, which may have wildcards, from the stream's
// leader, and so sees what was acknowledged before. found is false when there is none. It
// goes on until ctx ends; then it is fault.Unavailable.
func Last(ctx context.Context, js jetstream.JetStream, stream, subject string) (m Msg, found bool, err error) {
	return leaderGet(ctx, js, stream, map[string]any{"last_by_subj": subject})
}

// leaderGet is $JS.API.STREAM.MSG.GET, which only a stream's leader answers; the client
// library would use direct get where the stream allows it.
func leaderGet(ctx context.Context, js jetstream.JetStream, stream string, ask map[string]any) (m Msg, found bool, err error) {
	req, err := json.Marshal(ask)
	if err != nil {
		return Msg{}, false, fmt.Errorf("encode: %w", err)
	}
	err = RetryOver(ctx, js.Conn(), func(ctx context.Context) error {
		answer, err := js.Conn().RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+stream, req)
		if err != nil {
			return err
		}
		m, found, err = storedIn(answer)
		return err
	})
	if err != nil {
		return Msg{}, false, fmt.Errorf("read %s: %w", stream, err)
	}
	return m, found, nil
}

// storedIn gives the message that the leader's answer holds.
func storedIn(answer *nats.Msg) (m Msg, found bool, err error) {
	var got struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Header  []byte    `json:"hdrs"`
			Data    []byte    `json:"data"`
			Time    time.Time `json:"time"`
		} `json:"message"`
	}
	if err := json.Unmarshal(answer.Data, &got); err != nil {
		return Msg{}, false, err
	}
	switch {
	case got.Error == nil:
	case got.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return Msg{}, false, nil
	default:
		return Msg{}, false, got.Error
	}
	var header nats.Header
	if len(got.Message.Header) > 0 {
		if header, err = nats.DecodeHeadersMsg(got.Message.Header); err != nil {
			return Msg{}, false, err
		}
	}
	s := got.Message
	return Msg{Subject: s.Subject, Seq: s.Seq, At: s.Time, ID: header.Get(jetstream.MsgIDHeader), Data: s.Data}, true, nil
}

// ChannelOf is the channel of a stored or live subject: "lobby", "game21", "room.<id>".
func ChannelOf(subject string) string {
	if c, ok := strings.CutPrefix(subject, eventsPrefix); ok {
		return c
	}
	c, _ := strings.CutPrefix(subject, "hall.live.")
	return c
}
