package account

import (
	"context"
	"fmt"
	"time"

	"gamehall/shared/chatapi"
	"gamehall/shared/fault"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

const (
	// readMost bounds what is read of the lobby for one question: all that copies may have in
	// their hands, and what waits while they pause. Who is further behind was away, and reads on first.
	readMost = 16 * batchMost
	// readAgain is when a replica that is behind is asked again.
	readAgain = 20 * time.Millisecond
)

// tellFormer stores what the lobby has of the sessions before r and the consumer did not bring yet.
// A copy that died may have had it in its hands, and then it comes again only after ackWait: a
// session that is over would count until then as far as its first edge was seen, or not at all, and
// a user who signed in again would be told less than before.
//
// The hall is told of an end before it is told of the user's next beginning, so all of them are
// there once r has joined. Every copy finds the same, and stores the same.
func (s *Service) tellFormer(ctx context.Context, r session.Record) error {
	if r.Joined != 0 && r.Joined <= s.acked.Load() {
		return nil
	}
	after, upTo, err := s.unstored(ctx, r)
	if err != nil {
		return err
	}
	var all []told
	for read := 0; after < upTo; {
		err := streams.Range(ctx, s.js, string(chatapi.Lobby), after, upTo, func(m streams.Msg) bool {
			read, after = read+1, m.Seq
			if e, err := m.Decode(streams.LobbyChannel, 0); err == nil && e.UserID == r.UserID {
				if t, ok, err := tells(e.Event, m.At); err == nil && ok { // else the consumer complains
					all = append(all, t)
				}
			}
			return read < readMost
		})
		if err != nil {
			return fmt.Errorf("read the former sessions of %s: %w", r.UserID, err)
		}
		if after >= upTo {
			break
		}
		if read >= readMost {
			return fault.New(fault.Unavailable, "the hall has yet to sum up, please try again")
		}
		kept, err := streams.Kept(ctx, s.js, upTo)
		if err != nil {
			return fmt.Errorf("read the former sessions of %s: %w", r.UserID, err)
		}
		if !kept {
			break
		}
		select { // the replica is behind
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(readAgain):
		}
	}
	if len(all) == 0 {
		return nil
	}
	return s.store.tell(ctx, all)
}

// unstored gives the part of the lobby, up to where r joined, that the consumer may not have
// brought; there is none when after is not before upTo.
func (s *Service) unstored(ctx context.Context, r session.Record) (after, upTo uint64, err error) {
	if upTo = r.Joined; upTo == 0 { // the mirror is behind
		last, _, err := streams.Last(ctx, s.js, streams.Events, string(chatapi.Lobby))
		if err != nil {
			return 0, 0, err
		}
		upTo = last.Seq
	}
	err = streams.Retry(ctx, func(ctx context.Context) error {
		info, err := s.consumed(ctx)
		if err == nil {
			// Not what waits counts, as in caughtUp: a replica may not know yet that r has joined.
			after = info.AckFloor.Stream
		}
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	for have := s.acked.Load(); have < after && !s.acked.CompareAndSwap(have, after); have = s.acked.Load() {
	}
	return after, upTo, nil
}
