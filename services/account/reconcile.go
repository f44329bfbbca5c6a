package account

import (
	"context"
	"time"

	"gamehall/shared/chatapi"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// lookAgain is how often the consumer is asked whether it has caught up.
const lookAgain = 100 * time.Millisecond

// reconcile compares the database with the bucket once: a session of the bucket that the
// database lacks is added, one that is open here and not there ended unseen, at its edge's
// last renewal.
//
// A session leaves the bucket after its left is stored, so a left that is still on its way
// is in the stream when the session is found missing: what is missing is closed only after
// the consumer has come that far.
func (s *Service) reconcile(ctx context.Context) error {
	if err := s.store.tell(ctx, running(s.sessions.Online())); err != nil {
		return err
	}
	open, err := s.store.open(ctx)
	if err != nil {
		return err
	}
	var gone []span
	for _, o := range open {
		there, err := s.inBucket(ctx, o)
		if err != nil {
			return err
		}
		if !there {
			gone = append(gone, o)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if err := s.waitForLefts(ctx); err != nil {
		return err
	}
	s.log.Info("sessions that ended unseen", "open", len(gone))
	return s.store.abandon(ctx, gone)
}

// running gives what the bucket says of sessions.
func running(records []*session.Record) []told {
	all := make([]told, 0, len(records))
	for _, r := range records {
		all = append(all, told{span: span{
			UserID: r.UserID, Epoch: r.Epoch(), User: r.User, Edge: r.Edge, Since: exact(r.Since),
		}})
	}
	return all
}

// inBucket tells whether the bucket has the session o, or has it as the one before whose
// end is yet to be told.
func (s *Service) inBucket(ctx context.Context, o span) (bool, error) {
	has := func(r session.Record) bool {
		return r.Epoch() == o.Epoch || r.Prev != nil && r.Prev.Epoch == o.Epoch
	}
	if r, ok := s.sessions.Peek(o.UserID); ok && has(r) {
		return true, nil
	}
	r, found, err := s.sessions.Read(ctx, o.UserID)
	return found && has(r), err
}

// waitForLefts returns once the consumer has stored what the lobby holds now.
func (s *Service) waitForLefts(ctx context.Context) error {
	var last streams.Msg
	err := streams.Retry(ctx, func(ctx context.Context) (err error) {
		last, _, err = streams.Last(ctx, s.js, streams.Events, string(chatapi.Lobby))
		return err
	})
	if err != nil {
		return err
	}
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		if done, err := s.caughtUp(ctx, last.Seq); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
