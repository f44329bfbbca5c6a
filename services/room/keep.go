package room

import (
	"context"
	"time"

	"gamehall/shared/bus"
	"gamehall/shared/event"
	"gamehall/shared/roomapi"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

const (
	// keepMost bounds the time between two looks of the keeper: an empty room is gone at most
	// this much late. Looking costs a pass over what is in memory.
	keepMost = time.Second
	// compareEvery is how often members are compared with the sessions, which makes up for a
	// copy that died between a join and its look at the session.
	compareEvery = 30 * time.Second
)

// keep removes rooms that were empty for long enough, stores records again before they are too
// old, and lets those leave whose session is over, until ctx ends. Every copy does it; a
// compare-and-set lets one win.
func (s *Service) keep(ctx context.Context) {
	tick := time.NewTicker(min(keepMost, s.cfg.EmptyAfter/4+1, s.cfg.KeptFor/8+1))
	defer tick.Stop()
	var compared time.Time
	for {
		if compared.IsZero() || time.Since(compared) >= compareEvery {
			compared = time.Now()
			s.compare(ctx)
		}
		s.sweep(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// sweep goes once through the records.
func (s *Service) sweep(ctx context.Context) {
	now := s.cfg.Now()
	old := func(at time.Time) bool { return now.Sub(at) > s.cfg.KeptFor/2 }
	rooms, members := s.mirror.snapshot()
	for id, k := range rooms {
		switch {
		case k.record.Expired(now, s.cfg.EmptyAfter):
			s.again(ctx, roomSubject.Of(id), Remove(k.record), k.seq)
		case old(k.at):
			s.again(ctx, roomSubject.Of(id), k.record, k.seq)
		}
	}
	for id, k := range members {
		if old(k.at) && (k.record.In() || owns(rooms, id, k.record)) {
			s.again(ctx, roomapi.MemberSubject.Of(id), k.record, k.seq)
		}
	}
}

// owns tells whether one of the user's own rooms exists.
func owns(rooms map[string]kept[Room], userID string, m Membership) bool {
	for _, id := range m.Owned {
		if r := rooms[id].record; r.Exists() && r.OwnerID == userID {
			return true
		}
	}
	return false
}

// again stores a record unless it has changed. Whoever changed it was a command or another
// copy's keeper, and the next look shows what is left to do.
func (s *Service) again(ctx context.Context, subject string, v any, seq uint64) {
	ctx, cancel := context.WithTimeout(ctx, bus.CallFor)
	defer cancel()
	if err := s.store.rewrite(ctx, subject, v, seq); err != nil && !streams.Conflict(err) && ctx.Err() == nil {
		s.log.Warn("a record could not be kept", "subject", subject, "error", err)
	}
}

// compare lets those leave whose session is over, or whose room is lost.
func (s *Service) compare(ctx context.Context) {
	rooms, members := s.mirror.snapshot()
	for id, k := range members {
		m := k.record
		if !m.In() {
			continue
		}
		if session, ok := s.dir.Peek(id); ok && session.Live() && session.Epoch() == m.Epoch && rooms[m.RoomID].record.Exists() {
			continue
		}
		if err := s.compareOne(ctx, id, m); err != nil && ctx.Err() == nil {
			s.log.Warn("a member could not be compared with its session", "user", m.User, "error", err)
		}
	}
}

// compareOne decides by what the leaders say.
func (s *Service) compareOne(ctx context.Context, userID string, m Membership) error {
	ctx, cancel := context.WithTimeout(ctx, bus.CallFor)
	defer cancel()
	_, live, err := s.live(ctx, userID, m.Epoch)
	if err != nil {
		return err
	}
	if live {
		r, _, err := s.store.readRoom(ctx, m.RoomID)
		if err != nil || r.Exists() {
			return err
		}
	}
	return s.leave(ctx, userID, m.Epoch)
}

// live gives the user's session as the bucket's leader has it, and tells whether it is that of
// the epoch and live.
func (s *Service) live(ctx context.Context, userID string, epoch uint64) (session.Record, bool, error) {
	r, found, err := s.dir.Read(ctx, userID)
	return r, found && r.Live() && r.Epoch() == epoch, err
}

// sessionEnded is told of every session that ended.
func (s *Service) sessionEnded(ctx context.Context, e event.Event) error {
	return s.leave(ctx, e.UserID, e.Epoch)
}
