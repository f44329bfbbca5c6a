package game21

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/event"
	"gamehall/shared/game21api"
	"gamehall/shared/streams"
)

// store is what rounds are kept in. Tests have one that fails where they want.
//
// What it writes it retries under the same id until ctx ends, and what is refused because
// somebody was faster is errTaken. Unless it says leader, a read may come from a replica
// that is behind; what it gives is then the beginning of the truth, without holes.
type store interface {
	// Schedule gives the next round and the key's revision, 0 when there is none (leader).
	Schedule(ctx context.Context) (Schedule, uint64, error)
	// Reschedule replaces the revision of the schedule.
	Reschedule(ctx context.Context, s Schedule, revision uint64) error

	// LatestOpen gives the open of the round that was opened last (leader), and with
	// errUnreadable at least its number.
	LatestOpen(ctx context.Context) (Open, bool, error)
	// CloseOf gives the close of a round (leader).
	CloseOf(ctx context.Context, round uint64) (Close, bool, error)
	// AnswerOf gives a user's answer in a round (leader).
	AnswerOf(ctx context.Context, round uint64, userID string) (Answer, bool, error)
	// ClosedBefore tells whether the round was closed before a was stored.
	ClosedBefore(ctx context.Context, a Answer) (bool, error)
	// Read gives what a round's log has after a sequence, in order.
	Read(ctx context.Context, round, after uint64) ([]Entry, error)
	// Closes gives the first closes after a sequence, at most so many, in order.
	Closes(ctx context.Context, after uint64, most int) ([]Close, error)

	WriteOpen(ctx context.Context, o Open) error
	// WriteAnswer gives the answer's sequence. fresh is false when the command was stored
	// before, perhaps in an earlier round: the sequence is then that one's.
	WriteAnswer(ctx context.Context, a Answer) (seq uint64, fresh bool, err error)
	WriteClose(ctx context.Context, c Close) error

	// LastEvents gives what the channel has of rounds from the given one on, in order, and
	// the channel's last sequence.
	LastEvents(ctx context.Context, round uint64) ([]event.Stored, uint64, error)
	// EventsAfter gives what the channel has after a sequence, in order, and its last
	// sequence (leader).
	EventsAfter(ctx context.Context, after uint64) ([]event.Stored, uint64, error)
	// Tell writes an event to the channel whose last sequence is after, and gives its own.
	Tell(ctx context.Context, id string, e event.Event, after uint64) (uint64, error)
}

var (
	// errTaken says that somebody was faster: read what is there.
	errTaken = errors.New("somebody was faster")
	// errUnreadable says that a message of the log is none of ours.
	errUnreadable = errors.New("cannot be read")
	// errOfAnother says that it is not of the round, or the user, of its subject.
	errOfAnother = errors.New("not what its subject says")
)

// scheduleKey is the one key of the bucket.
const scheduleKey = "schedule"

// pause is between two looks at a replica that is behind.
const pause = 5 * time.Millisecond

func roundSubject(round uint64, rest string) string {
	return "hall.round." + strconv.FormatUint(round, 10) + "." + rest
}

// natsStore is the store in JetStream.
type natsStore struct {
	js  jetstream.JetStream
	kv  jetstream.KeyValue
	log *slog.Logger
}

func openStore(ctx context.Context, js jetstream.JetStream, log *slog.Logger) (*natsStore, error) {
	kv, err := js.KeyValue(ctx, streams.Schedule)
	if err != nil {
		return nil, fmt.Errorf("open the schedule: %w", err)
	}
	return &natsStore{js: js, kv: kv, log: log}, nil
}

// Schedule implements store.
func (n *natsStore) Schedule(ctx context.Context) (s Schedule, revision uint64, err error) {
	err = streams.RetryOver(ctx, n.js.Conn(), func(ctx context.Context) error {
		e, err := n.kv.Get(ctx, scheduleKey)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		revision = e.Revision()
		if err := json.Unmarshal(e.Value(), &s); err != nil || s.Round == 0 {
			n.log.Error("the schedule cannot be read and is planned anew", "revision", revision, "error", err)
			s = Schedule{}
		}
		return nil
	})
	if err != nil {
		return Schedule{}, 0, fmt.Errorf("read the schedule: %w", err)
	}
	return s, revision, nil
}

// Reschedule implements store. A retry whose first attempt was stored is errTaken, too.
func (n *natsStore) Reschedule(ctx context.Context, s Schedule, revision uint64) error {
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode the schedule: %w", err)
	}
	err = streams.RetryOver(ctx, n.js.Conn(), func(ctx context.Context) error {
		if revision == 0 {
			_, err = n.kv.Create(ctx, scheduleKey, data)
		} else {
			_, err = n.kv.Update(ctx, scheduleKey, data, revision)
		}
		return err
	})
	switch {
	case err == nil:
		return nil
	case streams.Conflict(err) || errors.Is(err, jetstream.ErrKeyExists):
		return errTaken
	}
	return fmt.Errorf("move the schedule: %w", err)
}

// last reads the last message of a subject of the log from the leader.
func (n *natsStore) last(ctx context.Context, subject string) (e Entry, err error) {
	err = streams.Retry(ctx, func(ctx context.Context) error {
		m, found, err := streams.Last(ctx, n.js, streams.Game21, subject)
		if err != nil || !found {
			return err
		}
		e, err = entryOf(m)
		return err
	})
	if err != nil {
		return e, fmt.Errorf("read %s: %w", subject, err)
	}
	return e, nil
}

// LatestOpen implements store.
func (n *natsStore) LatestOpen(ctx context.Context) (Open, bool, error) {
	e, err := n.last(ctx, "hall.round.*.open")
	o, found := e.(Open)
	return o, found, err
}

// CloseOf implements store.
func (n *natsStore) CloseOf(ctx context.Context, round uint64) (Close, bool, error) {
	e, err := n.last(ctx, roundSubject(round, "close"))
	c, found := e.(Close)
	return c, found, err
}

// AnswerOf implements store.
func (n *natsStore) AnswerOf(ctx context.Context, round uint64, userID string) (Answer, bool, error) {
	e, err := n.last(ctx, roundSubject(round, "answer."+userID))
	a, found := e.(Answer)
	return a, found, err
}

// ClosedBefore implements store. It asks for a itself, too: a replica that has it has all
// that was stored before it.
func (n *natsStore) ClosedBefore(ctx context.Context, a Answer) (bool, error) {
	mine, closing := roundSubject(a.Round, "answer."+a.UserID), roundSubject(a.Round, "close")
	for {
		var last map[string]streams.Msg
		err := streams.Retry(ctx, func(ctx context.Context) (err error) {
			last, err = streams.LastOf(ctx, n.js, streams.Game21, mine, closing)
			return err
		})
		if err != nil {
			return false, err
		}
		if _, current := last[mine]; current {
			c, closed := last[closing]
			return closed && c.Seq < a.Seq, nil
		}
		if err := idle(ctx, pause); err != nil {
			return false, err
		}
	}
}

// idle waits for d.
func idle(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// Read implements store.
func (n *natsStore) Read(ctx context.Context, round, after uint64) ([]Entry, error) {
	return n.entries(ctx, roundSubject(round, ">"), after, math.MaxInt)
}

// Closes implements store.
func (n *natsStore) Closes(ctx context.Context, after uint64, most int) ([]Close, error) {
	entries, err := n.entries(ctx, "hall.round.*.close", after, most)
	closes := make([]Close, 0, len(entries))
	for _, e := range entries {
		if c, ok := e.(Close); ok {
			closes = append(closes, c)
		}
	}
	return closes, err
}

// entries reads at most so many messages of the log. What cannot be read is passed over, so
// that one bad message does not stop the game.
func (n *natsStore) entries(ctx context.Context, subject string, after uint64, most int) ([]Entry, error) {
	var entries []Entry
	err := streams.Retry(ctx, func(ctx context.Context) error {
		entries = nil
		return streams.RangeOf(ctx, n.js, streams.Game21, subject, after, math.MaxUint64, func(m streams.Msg) bool {
			e, err := entryOf(m)
			if err != nil {
				n.log.Error("a message of the rounds' log cannot be read", "subject", m.Subject, "seq", m.Seq, "error", err)
				return true
			}
			entries = append(entries, e)
			return len(entries) < most
		})
	})
	return entries, err
}

// entryOf reads a message of the log, or fails with errUnreadable; of an open it gives the
// number even so.
func entryOf(m streams.Msg) (Entry, error) {
	number, rest, _ := strings.Cut(strings.TrimPrefix(m.Subject, "hall.round."), ".")
	kind, userID, _ := strings.Cut(rest, ".")
	round, _ := strconv.ParseUint(number, 10, 64) // 0 when it is no number: no round of ours
	unreadable := func(err error) error { return fmt.Errorf("%s %w: %w", m.Subject, errUnreadable, err) }
	switch kind {
	case "open":
		var o Open
		err := errors.Join(json.Unmarshal(m.Data, &o), o.Numbers.Validate())
		if err != nil || o.Round != round {
			return Open{Seq: m.Seq, Round: round}, unreadable(errors.Join(err, errOfAnother))
		}
		// The server's time is the same for every copy; the opener's clock may be wrong.
		o.Seq, o.Stored, o.EndsAt = m.Seq, m.At, m.At.Add(o.EndsAt.Sub(o.OpenedAt))
		return o, nil
	case "answer":
		var a Answer
		err := json.Unmarshal(m.Data, &a)
		if err != nil || a.Round != round || a.UserID != userID {
			return nil, unreadable(errors.Join(err, errOfAnother))
		}
		a.Seq = m.Seq
		return a, nil
	case "close":
		var c Close
		if err := json.Unmarshal(m.Data, &c); err != nil || c.Round != round {
			// Whatever it is, no other close can be stored: it ends the round.
			c = Close{Round: round, Reason: Deadline, At: m.At}
		}
		c.Seq = m.Seq
		return c, nil
	}
	return nil, fmt.Errorf("%s %w: neither open, answer nor close", m.Subject, errUnreadable)
}

// WriteOpen implements store.
func (n *natsStore) WriteOpen(ctx context.Context, o Open) error {
	_, _, err := n.write(ctx, roundSubject(o.Round, "open"), "open."+strconv.FormatUint(o.Round, 10), o)
	return err
}

// WriteAnswer implements store.
func (n *natsStore) WriteAnswer(ctx context.Context, a Answer) (seq uint64, fresh bool, err error) {
	return n.write(ctx, roundSubject(a.Round, "answer."+a.UserID), a.UserID+"."+a.Command, a)
}

// WriteClose implements store.
func (n *natsStore) WriteClose(ctx context.Context, c Close) error {
	_, _, err := n.write(ctx, roundSubject(c.Round, "close"), "close."+strconv.FormatUint(c.Round, 10), c)
	return err
}

// write stores v at subject under the message id. fresh is false when it was there.
func (n *natsStore) write(ctx context.Context, subject, id string, v any, opts ...jetstream.PublishOpt) (seq uint64, fresh bool, err error) {
	data, err := json.Marshal(v)
	if err != nil {
		return 0, false, fmt.Errorf("encode %T: %w", v, err)
	}
	msg := &nats.Msg{Subject: subject, Header: nats.Header{jetstream.MsgIDHeader: {id}}, Data: data}
	opts = append(opts, jetstream.WithRetryAttempts(0))
	err = streams.RetryOver(ctx, n.js.Conn(), func(ctx context.Context) error {
		ack, err := n.js.PublishMsg(ctx, msg, opts...)
		if err == nil {
			seq, fresh = ack.Sequence, !ack.Duplicate
		}
		return err
	})
	switch {
	case err == nil:
		return seq, fresh, nil
	case streams.Taken(err) || streams.Conflict(err):
		return 0, false, errTaken
	}
	return 0, false, fmt.Errorf("store %s: %w", id, err)
}

// eventsAtOnce is how many events of the channel are read at a time.
const eventsAtOnce = 256

// LastEvents implements store. Rounds are in order in the channel, so it reads backwards to
// the first that is older.
func (n *natsStore) LastEvents(ctx context.Context, round uint64) (events []event.Stored, last uint64, err error) {
	subject := string(game21api.Game)
	err = streams.Retry(ctx, func(ctx context.Context) error {
		events, last = nil, 0
		for before := uint64(0); ; {
			page, err := streams.History(ctx, n.js, subject, 0, before, eventsAtOnce)
			if err != nil || len(page) == 0 {
				return err
			}
			if before == 0 {
				last = page[len(page)-1].Seq
			}
			before = page[0].Seq
			older := false
			some := make([]event.Stored, 0, len(page))
			for _, m := range page {
				e, ok := n.eventOf(m)
				older = older || ok && e.Round < int(round)
				if ok && e.Round >= int(round) {
					some = append(some, e)
				}
			}
			events = slices.Concat(some, events)
			if older {
				return nil
			}
		}
	})
	return events, last, err
}

// EventsAfter implements store.
func (n *natsStore) EventsAfter(ctx context.Context, after uint64) (events []event.Stored, last uint64, err error) {
	subject := string(game21api.Game)
	err = streams.Retry(ctx, func(ctx context.Context) error {
		events, last = nil, after
		end, found, err := streams.Last(ctx, n.js, streams.Events, subject)
		if err != nil {
			return err
		}
		if !found { // all have expired
			last = 0
			return nil
		}
		for last < end.Seq { // again while the replica that answers is behind
			err := streams.Range(ctx, n.js, subject, last, end.Seq, func(m streams.Msg) bool {
				last = m.Seq
				if e, ok := n.eventOf(m); ok {
					events = append(events, e)
				}
				return true
			})
			if err != nil {
				return err
			}
			if last < end.Seq {
				if err := idle(ctx, pause); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return events, last, err
}

func (n *natsStore) eventOf(m streams.Msg) (event.Stored, bool) {
	e, err := m.Decode(streams.GameChannel, 0)
	if err != nil {
		n.log.Error("an event of the game cannot be read", "seq", m.Seq, "error", err)
		return event.Stored{}, false
	}
	return e, true
}

// Tell implements store. The compare-and-set keeps the channel in order and every event in
// it once, also when a copy wakes up after the server has forgotten the ids.
func (n *natsStore) Tell(ctx context.Context, id string, e event.Event, after uint64) (uint64, error) {
	seq, fresh, err := n.write(ctx, string(game21api.Game), id, e, jetstream.WithExpectLastSequencePerSubject(after))
	if err != nil {
		return 0, err
	}
	if !fresh { // by somebody else, so there may be more between
		return 0, errTaken
	}
	return seq, nil
}
