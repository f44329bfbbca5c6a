package account

import (
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/chatapi"
	"gamehall/shared/event"
	"gamehall/shared/streams"
)

const (
	// durable is the consumer that all copies share.
	durable = "account"
	// ackWait is when what a dead copy had fetched goes to another one: longer than a
	// transaction that waits for a locked database.
	ackWait = 10 * time.Second
	// batchMost is how many events share a transaction, and so an fsync, when many wait.
	batchMost = 256
	// writeFor bounds a transaction.
	writeFor = 5 * time.Second
	// lastWriteFor bounds it once the service is to stop: what is not stored then comes again,
	// to another copy or the next start.
	lastWriteFor = time.Second
	// retryAfter is when an event comes again that could not be stored or read.
	retryAfter = 250 * time.Millisecond
	// tries is how often an event that cannot be read is tried: a newer copy may know it.
	tries = 3
)

// consumer makes the durable consumer, or finds it. It redelivers without end: an event
// that this database cannot take now must not be lost, and one that cannot be read is ended
// by whoever had it for the last time.
func (s *Service) consumer(ctx context.Context) (jetstream.Consumer, error) {
	c, err := s.js.CreateOrUpdateConsumer(ctx, streams.Events, jetstream.ConsumerConfig{
		Durable:       durable,
		Description:   "joined and left, for online time",
		FilterSubject: string(chatapi.Lobby),
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       ackWait,
		MaxDeliver:    -1,
		MaxAckPending: 8 * batchMost,
	})
	if err != nil {
		return nil, fmt.Errorf("consumer %s: %w", durable, err)
	}
	return c, nil
}

// follow stores what the lobby hears until ctx ends, and then what it has fetched.
func (s *Service) follow(ctx context.Context) error {
	c, err := s.consumer(ctx)
	if err != nil {
		return err
	}
	var pace streams.Pace
	for ctx.Err() == nil {
		changed := s.sessions.Changed()
		batch, err := streams.Pull(ctx, c, batchMost)
		pace.Read(len(batch))
		forUs := s.take(ctx, batch)
		if err != nil {
			return fmt.Errorf("consume %s: %w", durable, err)
		}
		if forUs == 0 && len(batch) > 0 && len(batch) < batchMost {
			pace.Pause(ctx, changed)
		}
	}
	return nil
}

// take stores what the batch says and then acknowledges it, also when ctx has ended. It gives for how
// many that was more than to pass over a line of chat.
func (s *Service) take(ctx context.Context, batch []jetstream.Msg) (forUs int) {
	var all []told
	var of []jetstream.Msg // whose they are
	for _, m := range batch {
		t, ok, err := readMsg(m)
		switch {
		case err != nil:
			forUs++
			s.refuse(m, err)
		case ok:
			all, of = append(all, t), append(of, m)
		default: // nothing for us, such as a line of chat
			s.settled(m, m.Ack())
		}
	}
	if forUs += len(all); len(all) == 0 {
		return forUs
	}
	writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeFor)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastWriteFor, cancel) })()
	err := s.store.tell(writing, all)
	if err != nil {
		s.log.Error("joined and left are not stored yet", "events", len(all), "error", err)
	}
	for _, m := range of {
		if err != nil {
			s.settled(m, m.NakWithDelay(retryAfter))
		} else {
			s.settled(m, m.Ack())
		}
	}
	return forUs
}

func readMsg(m jetstream.Msg) (told, bool, error) {
	if event.IsChat(m.Data()) {
		return told{}, false, nil
	}
	meta, err := m.Metadata()
	if err != nil {
		return told{}, false, err
	}
	var e event.Event
	if err := json.Unmarshal(m.Data(), &e); err != nil {
		return told{}, false, err
	}
	return tells(e, meta.Timestamp)
}

// refuse has m tried again, or gives it up.
func (s *Service) refuse(m jetstream.Msg, why error) {
	meta, err := m.Metadata()
	if err == nil && meta.NumDelivered < tries {
		s.settled(m, m.NakWithDelay(retryAfter))
		return
	}
	seq := uint64(0)
	if err == nil {
		seq = meta.Sequence.Stream
	}
	s.log.Error("an event of the lobby cannot be read and is passed over", "seq", seq, "error", why)
	s.settled(m, m.TermWithReason("cannot be read"))
}

// settled logs that an acknowledgement was not sent. The event comes again, and changes
// nothing then.
func (s *Service) settled(m jetstream.Msg, err error) {
	if err != nil {
		s.log.Debug("not acknowledged", "subject", m.Subject(), "error", err)
	}
}

// caughtUp tells whether everything in the lobby up to the sequence seq is stored.
func (s *Service) caughtUp(ctx context.Context, seq uint64) (bool, error) {
	info, err := s.consumed(ctx)
	if err != nil {
		return false, err
	}
	return info.AckFloor.Stream >= seq || info.NumPending == 0 && info.NumAckPending == 0, nil
}

// consumed asks how far the consumer is.
func (s *Service) consumed(ctx context.Context) (*jetstream.ConsumerInfo, error) {
	c, err := s.js.Consumer(ctx, streams.Events, durable)
	if err != nil {
		return nil, fmt.Errorf("consumer %s: %w", durable, err)
	}
	return c.CachedInfo(), nil
}
