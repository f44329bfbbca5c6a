package room

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"gamehall/shared/bus"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/roomapi"
	"gamehall/shared/streams"
)

// roomSubject is where a room's record is; * is the room's id.
const roomSubject bus.Event[Room] = "hall.state.room.*"

const (
	// lanes is how many changes one copy makes side by side. A room's changes share a lane, so
	// that they do not refuse each other; a server takes 50 batches at a time from all copies.
	lanes = 16
	// pauseFrom and pauseTo bound the wait of whoever lost against another copy.
	pauseFrom, pauseTo = 2 * time.Millisecond, 100 * time.Millisecond
	// linesSearched is how many lines are looked through for one whose acknowledgement was
	// lost: far more than a room hears while anybody retries.
	linesSearched = 512
	// repeatsMost is how often a stored message id may be told before the record must show it.
	repeatsMost = 5
)

// store keeps the records of rooms and members in HALL_EVENTS, beside the events that tell of
// them. It is the only part that knows the stream.
type store struct {
	js     jetstream.JetStream
	mirror *mirror
	log    *slog.Logger
	now    func() time.Time
	lane   [lanes]chan struct{} // each holds one token
}

func newStore(js jetstream.JetStream, m *mirror, log *slog.Logger, now func() time.Time) *store {
	s := &store{js: js, mirror: m, log: log, now: now}
	for i := range s.lane {
		s.lane[i] = make(chan struct{}, 1)
		s.lane[i] <- struct{}{}
	}
	return s
}

// act is one change: a user's command, or what follows from the end of its session.
type act struct {
	userID  string
	msgID   string // of the event
	command string // "" when it is no command
	verb    string
	roomID  string // "": the room that the user is in
	decide  func(Room, Membership) (Change, error)
}

// errNothing says that a change is not needed (any more).
var errNothing = errors.New("nothing to do")

// do carries out a: reads both records from the leader, decides, and writes them and the event
// in one atomic batch that is refused whole when either record has changed. Then it reads
// again, and may find that it was itself who changed them. A command that was carried out
// before, by whichever copy, gives its first answer.
func (s *store) do(ctx context.Context, a act) (Done, error) {
	repeats := 0
	for pause := pauseFrom; ; pause = min(2*pause, pauseTo) {
		m, seq, err := s.readMember(ctx, a.userID)
		if err != nil {
			return Done{}, err
		}
		if d, ok := m.Did(a.command); ok {
			if d.Verb != a.verb {
				return Done{}, reused()
			}
			return d, nil
		}
		d, err := s.try(ctx, a, m, seq)
		switch {
		case err == nil:
			return d, nil
		case streams.Repeated(err):
			// The record will show the command; unless its id was spent on a line.
			if repeats++; repeats == repeatsMost {
				return Done{}, reused()
			}
		case !streams.Conflict(err) && !errors.Is(err, errAgain):
			return Done{}, err
		}
		if err := wait(ctx, pause); err != nil {
			return Done{}, err
		}
	}
}

// errAgain says that what was decided by is out of date.
var errAgain = errors.New("read again")

// try is one attempt of do with the member's record as read at seq.
func (s *store) try(ctx context.Context, a act, m Membership, seq uint64) (Done, error) {
	roomID := a.roomID
	if roomID == "" {
		roomID = m.RoomID
	}
	leave, err := s.enterLane(ctx, roomID)
	if err != nil {
		return Done{}, err
	}
	defer leave()
	var r Room
	var roomSeq uint64
	if roomID != "" {
		if r, roomSeq, err = s.readRoom(ctx, roomID); err != nil {
			return Done{}, err
		}
	}
	c, err := a.decide(r, m)
	if err != nil {
		// A copy that got the same command may have been faster: its own join can fill the
		// room that it is refused from. Only records of one moment may refuse.
		if _, again, readErr := s.readMember(ctx, a.userID); readErr != nil || again != seq {
			return Done{}, errors.Join(errAgain, readErr)
		}
		return Done{}, err
	}
	d := Done{Command: a.command, Verb: a.verb, Room: c.Event.Room, RoomID: roomID, At: s.now()}
	if a.command != "" {
		c.Member.did(d)
	}
	d.Seq, err = s.write(ctx, a, c, roomID, roomSeq, seq)
	return d, err
}

// write stores the change and gives the sequence of its event. The order matters: whichever
// replica has the event has the records, and a mirror that has the room's record has the
// member's.
func (s *store) write(ctx context.Context, a act, c Change, roomID string, roomSeq, memberSeq uint64) (uint64, error) {
	var batch []*nats.Msg
	add := func(subject string, v any, header nats.Header) error {
		data, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("encode %T: %w", v, err)
		}
		batch = append(batch, &nats.Msg{Subject: subject, Data: data, Header: header})
		return nil
	}
	err := errors.Join(
		add(roomapi.MemberSubject.Of(a.userID), c.Member, expect(memberSeq)),
		add(roomSubject.Of(roomID), c.Room, expect(roomSeq)),
		add(roomapi.Room.Of(roomID), c.Event, nats.Header{jetstream.MsgIDHeader: {a.msgID}}))
	if err != nil {
		return 0, err
	}
	var seq uint64
	err = streams.RetryOver(ctx, s.js.Conn(), func(ctx context.Context) error {
		// Nothing is asked before the last message, which the server answers for all of them.
		ack, err := jetstreamext.PublishMsgBatch(ctx, s.js, batch, jetstreamext.BatchFlowControl{})
		if err == nil {
			seq = ack.Sequence
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store %s: %w", a.msgID, err)
	}
	return seq, nil
}

// rewrite stores a record again, or a room's end, unless it has changed since seq.
func (s *store) rewrite(ctx context.Context, subject string, v any, seq uint64) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %T: %w", v, err)
	}
	return streams.RetryOver(ctx, s.js.Conn(), func(ctx context.Context) error {
		_, err := s.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: data, Header: expect(seq)}, jetstream.WithRetryAttempts(0))
		if err != nil {
			return fmt.Errorf("rewrite %s: %w", subject, err)
		}
		return nil
	})
}

func expect(seq uint64) nats.Header {
	return nats.Header{jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(seq, 10)}}
}

// say stores a line of who in the room that it is in, and gives its sequence. The stream takes
// it only while who's record is the one that was read, so that no line is stored after its
// sender's leaving, however late it is written. Only this user's own changes can refuse it.
func (s *store) say(ctx context.Context, who bus.Identity, msgID, text string) (uint64, error) {
	m, memberSeq, known := s.mirror.member(who.ID)
	if !known || Speaks(m, who) != nil {
		var err error
		if m, memberSeq, err = s.readMember(ctx, who.ID); err != nil {
			return 0, err
		}
	}
	for pause := pauseFrom; ; pause = min(2*pause, pauseTo) {
		if err := Speaks(m, who); err != nil {
			// It may be that an earlier attempt was stored, and the sender has left since.
			seq, found, findErr := s.said(ctx, m, msgID)
			if findErr != nil || found {
				return seq, findErr
			}
			return 0, err
		}
		seq, err := s.line(ctx, who.ID, m, memberSeq, msgID, text)
		if err == nil || !streams.Conflict(err) {
			return seq, err
		}
		if err := wait(ctx, pause); err != nil {
			return 0, err
		}
		if m, memberSeq, err = s.readMember(ctx, who.ID); err != nil {
			return 0, err
		}
	}
}

// line stores text if the user's record m is still the one with the sequence memberSeq.
func (s *store) line(ctx context.Context, userID string, m Membership, memberSeq uint64, msgID, text string) (uint64, error) {
	data, err := json.Marshal(event.Event{Kind: event.RoomChat, From: m.User, Text: text, Room: m.Room})
	if err != nil {
		return 0, fmt.Errorf("encode line: %w", err)
	}
	header := expect(memberSeq)
	header.Set(jetstream.ExpectedLastSubjSeqSubjHeader, roomapi.MemberSubject.Of(userID))
	header.Set(jetstream.MsgIDHeader, msgID)
	var seq uint64
	err = streams.RetryOver(ctx, s.js.Conn(), func(ctx context.Context) error {
		ack, err := s.js.PublishMsg(ctx, &nats.Msg{Subject: roomapi.Room.Of(m.RoomID), Data: data, Header: header}, jetstream.WithRetryAttempts(0))
		if err == nil {
			seq = ack.Sequence // of the first one, too, when ack.Duplicate
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store line %s: %w", msgID, err)
	}
	return seq, nil
}

// errBehind is tried again.
var errBehind = fmt.Errorf("the replica that answered is behind: %w", nats.ErrTimeout)

// said looks for a line in the room that its sender was in last. On one replica the server
// compares the expected sequence before it looks for a repeated id, so it does not tell.
func (s *store) said(ctx context.Context, m Membership, msgID string) (seq uint64, found bool, err error) {
	if m.Last.RoomID == "" {
		return 0, false, nil
	}
	err = streams.Retry(ctx, func(ctx context.Context) error {
		lines, err := streams.History(ctx, s.js, roomapi.Room.Of(m.Last.RoomID), 0, m.Last.Seq+1, linesSearched)
		for _, l := range lines {
			if l.ID == msgID {
				seq, found = l.Seq, true
			}
		}
		if n := len(lines); err != nil || found || n > 0 && lines[n-1].Seq == m.Last.Seq {
			return err
		}
		// The replica that was read does not know of the leaving, and perhaps of the line neither.
		kept, err := streams.Kept(ctx, s.js, m.Last.Seq)
		if err == nil && kept {
			err = errBehind
		}
		return err
	})
	return seq, found, err
}

// readRoom reads a room's record from the leader; the zero Room and 0 when there is none.
func (s *store) readRoom(ctx context.Context, id string) (r Room, seq uint64, err error) {
	seq, err = s.read(ctx, roomSubject.Of(id), &r)
	return r, seq, err
}

// readMember reads a user's record from the leader; the zero Membership and 0 when there is
// none.
func (s *store) readMember(ctx context.Context, userID string) (m Membership, seq uint64, err error) {
	seq, err = s.read(ctx, roomapi.MemberSubject.Of(userID), &m)
	m.At(seq)
	return m, seq, err
}

func (s *store) read(ctx context.Context, subject string, v any) (seq uint64, err error) {
	err = streams.Retry(ctx, func(ctx context.Context) error {
		m, found, err := streams.Last(ctx, s.js, streams.Events, subject)
		if err != nil || !found {
			return err
		}
		seq = m.Seq
		return bus.Decode(m.Data, v)
	})
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", subject, err)
	}
	return seq, nil
}

// owned gives those of ids that are rooms of the user that exist.
func (s *store) owned(ctx context.Context, userID string, ids []string) ([]string, error) {
	var have []string
	for _, id := range ids {
		r, _, err := s.readRoom(ctx, id)
		if err != nil {
			return nil, err
		}
		if r.Exists() && r.OwnerID == userID {
			have = append(have, id)
		}
	}
	return have, nil
}

// enterLane waits for the room's turn in this copy.
func (s *store) enterLane(ctx context.Context, roomID string) (leave func(), err error) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(roomID)) // a hash's Write never fails
	lane := s.lane[h.Sum32()%lanes]
	select {
	case <-lane:
		return func() { lane <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, outOfTime()
	}
}

// wait lets about d pass.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return outOfTime()
	case <-time.After(d/2 + rand.N(d/2+1)): //nolint:gosec // only spreads who tries again
		return nil
	}
}

func outOfTime() error {
	return fault.New(fault.Unavailable, "the rooms are busy, please try again")
}

func reused() error {
	return fault.New(fault.BadRequest, "this command id was used for another command")
}
