package room

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/roomapi"
	"gamehall/shared/streams"
)

// follow feeds the mirror until ctx ends.
func (s *store) follow(ctx context.Context) { s.persist(ctx, "the mirror of the rooms", s.feed) }

// persist calls read again and again until ctx ends, with a pause that is short when some
// progress was made. Why it broke is logged.
func (s *store) persist(ctx context.Context, what string, read func(ctx context.Context, progress func()) error) {
	for pause := pauseFrom; ctx.Err() == nil; pause = min(2*pause, time.Second) {
		if err := read(ctx, func() { pause = pauseFrom }); err != nil && ctx.Err() == nil {
			s.log.Warn("a reader begins again", "reader", what, "error", err)
		}
		if wait(ctx, pause) != nil {
			return
		}
	}
}

// feed hands the mirror every record that it has not had, and then each new one. It returns
// when the reading breaks.
func (s *store) feed(ctx context.Context, progress func()) error {
	// One reset by the client itself, which waits up to 10 s between two: we are faster.
	consumer, err := s.js.OrderedConsumer(ctx, streams.Events, jetstream.OrderedConsumerConfig{
		FilterSubjects:   []string{roomSubject.Of("*"), roomapi.MemberSubject.Of("*")},
		DeliverPolicy:    jetstream.DeliverLastPerSubjectPolicy,
		MaxResetAttempts: 1,
	})
	if err != nil {
		return err
	}
	if consumer.CachedInfo().NumPending == 0 {
		s.mirror.ready()
	}
	// The heartbeat tells a server that was started again, where this consumer is unknown.
	records, err := consumer.Messages(jetstream.PullExpiry(4*time.Second), jetstream.PullHeartbeat(time.Second))
	if err != nil {
		return err
	}
	defer records.Stop()
	for {
		msg, err := records.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return err
		}
		if err := s.take(msg, meta); err != nil {
			s.log.Error("a record cannot be read", "subject", msg.Subject(), "seq", meta.Sequence.Stream, "error", err)
		}
		progress()
		if meta.NumPending == 0 {
			s.mirror.ready()
		}
	}
}

// current waits until the mirror has every room as it is when this is called. The leader tells
// what comes next; while rooms change without a pause, eight times are current enough.
func (s *store) current(ctx context.Context) error {
	for range 8 {
		from := s.mirror.reached() + 1
		var next streams.Msg
		var found bool
		err := streams.Retry(ctx, func(ctx context.Context) error {
			var err error
			next, found, err = streams.Next(ctx, s.js, streams.Events, roomSubject.Of("*"), from)
			return err
		})
		if err != nil {
			return fmt.Errorf("read the rooms: %w", err)
		}
		if !found {
			return nil
		}
		if err := s.mirror.reach(ctx, next.Seq); err != nil {
			return err
		}
	}
	return nil
}

// take puts one record into the mirror.
func (s *store) take(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
	seq := meta.Sequence.Stream
	id := msg.Subject()[strings.LastIndexByte(msg.Subject(), '.')+1:]
	if strings.HasPrefix(msg.Subject(), roomSubject.Of("")) {
		var r Room
		err := bus.Decode(msg.Data(), &r)
		s.mirror.takeRoom(id, r, seq, meta.Timestamp)
		return err
	}
	var m Membership
	err := bus.Decode(msg.Data(), &m)
	m.At(seq)
	s.mirror.takeMember(id, m, seq, meta.Timestamp)
	return err
}

// lobby makes the durable consumer of the lobby that all copies share. A new one begins with
// what is new: what ended before is found by comparing.
func (s *store) lobby(ctx context.Context) (jetstream.Consumer, error) {
	var consumer jetstream.Consumer
	err := streams.Retry(ctx, func(ctx context.Context) (err error) {
		consumer, err = s.js.CreateOrUpdateConsumer(ctx, streams.Events, jetstream.ConsumerConfig{
			Durable:       serviceName,
			Description:   "sessions that ended: their users leave their rooms",
			FilterSubject: string(chatapi.Lobby),
			DeliverPolicy: jetstream.DeliverNewPolicy,
			AckPolicy:     jetstream.AckExplicitPolicy,
			AckWait:       30 * time.Second,
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("follow the lobby: %w", err)
	}
	return consumer, nil
}

// leavingsMost is how many events of the lobby one copy has in its hands.
const leavingsMost = 100

// leavings hands the end of every session to ended, until ctx ends. What ended cannot do now
// is handed again. After lines of chat alone it rests until changed, which is asked before, tells of
// a session's change.
func (s *store) leavings(ctx context.Context, changed func() <-chan struct{}, ended func(context.Context, event.Event) error) {
	s.persist(ctx, "the lobby", func(ctx context.Context, progress func()) error {
		consumer, err := s.lobby(ctx)
		if err != nil {
			return err
		}
		var pace streams.Pace
		for ctx.Err() == nil {
			change := changed()
			batch, err := streams.Pull(ctx, consumer, leavingsMost)
			pace.Read(len(batch))
			chat := 0
			for _, msg := range batch {
				if event.IsChat(msg.Data()) {
					chat++
				}
				if err := s.leaving(ctx, msg, ended); err != nil && ctx.Err() == nil {
					s.log.Warn("the end of a session is tried again", "error", err)
				}
				progress()
			}
			if err != nil {
				return err
			}
			if chat > 0 && chat == len(batch) && chat < leavingsMost {
				pace.Pause(ctx, change)
			}
		}
		return nil
	})
}

// leaving handles one event of the lobby. One that cannot be handled is logged and left out
// after three times, so that it does not hold up the others; comparing with the sessions
// makes up for it.
func (s *store) leaving(ctx context.Context, msg jetstream.Msg, ended func(context.Context, event.Event) error) error {
	if event.IsChat(msg.Data()) {
		return msg.Ack()
	}
	var e event.Event
	if err := bus.Decode(msg.Data(), &e); err != nil {
		s.log.Error("an event of the lobby cannot be read, it is left out", "error", err)
		return msg.Term()
	}
	if e.Kind != event.Left || e.UserID == "" {
		return msg.Ack()
	}
	ctx, cancel := context.WithTimeout(ctx, bus.CallFor)
	defer cancel()
	err := guard(func() error { return ended(ctx, e) })
	if err == nil {
		return msg.Ack()
	}
	if meta, metaErr := msg.Metadata(); metaErr == nil && meta.NumDelivered >= 3 && !fault.CodeOf(err).Retry() {
		s.log.Error("the end of a session cannot be handled, it is left out", "user", e.User, "epoch", e.Epoch, "error", err)
		return msg.Term()
	}
	return errors.Join(err, msg.NakWithDelay(time.Second))
}

// guard turns a panic of do into an error: it would end the process, and the next one, which is
// handed the same event.
func guard(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return do()
}
