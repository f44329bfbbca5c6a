package room

import (
	"context"
	"time"

	"gamehall/shared/bus"
	"gamehall/shared/edgeapi"
)

// How an edge hears that its user entered a room.
const (
	// tellFor is how long it may take; the answer to the command waits for it.
	tellFor = time.Second
	// tellUntil is for how long it is told again where it did not answer, while others go on: one
	// that is frozen or cut off for longer has let go of its sessions.
	tellUntil = 35 * time.Second
	// tellPause is between two attempts.
	tellPause = 500 * time.Millisecond
	// untoldMost is how many of them may wait; a session that resumes reads its room anyway.
	untoldMost = 256
)

// entering is what an edge has to hear.
type entering struct {
	who   bus.Identity
	done  Done
	until time.Time
}

// tell tells the caller's edge that its user is in a room. An edge that asked for it learns it
// from the answer, too; this one is for commands that came by another way.
func (s *Service) tell(ctx context.Context, who bus.Identity, done Done) {
	if who.Edge == "" {
		return
	}
	e := entering{who, done, time.Now().Add(tellUntil)}
	if s.told(ctx, e) {
		return
	}
	select {
	case s.untold <- e:
	default:
		s.log.Warn("an edge does not know that its user entered a room", "edge", who.Edge, "user", who.User)
	}
}

// told tells it once, and whether it was heard.
func (s *Service) told(ctx context.Context, e entering) bool {
	_, err := edgeapi.Entered.To(e.who.Edge).Call(ctx, s.bus.Conn(), edgeapi.EnteredRequest{
		Session: e.who.Session, Room: e.done.Room, RoomID: e.done.RoomID, Seq: e.done.Seq,
	}, bus.Attempt(tellFor))
	return err == nil
}

// tellAgain tells those edges again that did not answer, until they do, the user is elsewhere, or
// ctx ends. It owns what waits for that.
func (s *Service) tellAgain(ctx context.Context) {
	var waiting []entering
	tick := time.NewTicker(tellPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-s.untold:
			waiting = append(waiting, e)
			continue
		case <-tick.C:
		}
		silent := map[string]bool{} // one silent edge costs one attempt a round
		left := waiting[:0]
		for _, e := range waiting {
			switch {
			case !s.stands(ctx, e):
			case !time.Now().Before(e.until):
				s.log.Warn("an edge does not know that its user entered a room", "edge", e.who.Edge, "user", e.who.User)
			case silent[e.who.Edge]:
				left = append(left, e)
			case !s.told(bus.As(ctx, e.who.User), e):
				silent[e.who.Edge] = true
				left = append(left, e)
			}
		}
		waiting = left
	}
}

// stands tells whether there is still somebody to tell: the same session, in the same room.
func (s *Service) stands(ctx context.Context, e entering) bool {
	m, _, err := s.store.readMember(ctx, e.who.ID)
	if err == nil && (m.RoomID != e.done.RoomID || m.JoinSeq != e.done.Seq) {
		return false // it left, and may be in again
	}
	now, live, err := s.live(ctx, e.who.ID, e.who.Epoch)
	return err != nil || live && now.Session == e.who.Session
}
