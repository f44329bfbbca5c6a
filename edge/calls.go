package edge

import (
	"context"
	"time"

	"gamehall/shared/bus"
	"gamehall/shared/edgeapi"
	"gamehall/shared/name"
	"gamehall/shared/wire"
)

// calls answers what services ask of this edge under one tenure.
type calls struct {
	e *Edge
	t *tenure
}

// alive says whether a connection stands. One without a session counts while its sign-in is
// under way: of two at the same instant only one may win.
func (a *calls) alive(_ context.Context, req edgeapi.AliveRequest) (edgeapi.AliveResponse, error) {
	c, silent := a.e.sessions.conn(req.Conn), !a.e.sessions.hasSpoken(req.Conn)
	if c == nil || a.t.check() != nil {
		return edgeapi.AliveResponse{Silent: c == nil && silent}, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	stands := !c.dead && !c.closing && !c.lost
	has := c.pending || c.session != nil && !c.session.ending
	silent = silent && (c.session == nil || c.silent(c.session))
	return edgeapi.AliveResponse{Alive: stands && has, Silent: silent}, nil
}

// takeover closes a connection whose session somebody else has now. From its answer on the
// old client is told nothing but that.
func (a *calls) takeover(_ context.Context, req edgeapi.TakeoverRequest) (edgeapi.TakeoverResponse, error) {
	if c := a.e.sessions.conn(req.Conn); c != nil {
		why := wire.SignedInElsewhere
		if req.Resumed {
			why = wire.Bye // its client has moved on, and knows it
		}
		a.e.takeOver(c, req.Session, why)
	}
	return edgeapi.TakeoverResponse{}, nil
}

// takeOver closes c if it has that session, which is another connection's now, or may be about to
// get it.
func (e *Edge) takeOver(c *conn, session string, why wire.Reason) {
	c.mu.Lock()
	meant := c.session == nil && c.pending || c.session != nil && c.session.id == session
	if meant {
		c.lost = true
	}
	c.mu.Unlock()
	if !meant {
		return
	}
	s, first := c.endSession()
	c.close(why)
	if first {
		e.background(func() { e.letGo(c, s) })
	}
}

// whisper shows a line to one session. Having it queued for a connection that stands is
// having delivered it; that is remembered, for whoever asks again.
func (a *calls) whisper(ctx context.Context, req edgeapi.WhisperRequest) (edgeapi.WhisperResponse, error) {
	id := whisperID(req.From, name.UserID(req.To), bus.Command(ctx))
	had := a.e.whispers.once(id, time.Now(), func() bool {
		c, s := a.e.sessions.session(req.Session)
		if s == nil || a.t.check() != nil || c.current() != s {
			return false
		}
		return c.tell(wire.Private{Kind: wire.KindWhisper, From: req.From, To: req.To, Text: req.Text})
	})
	return edgeapi.WhisperResponse{Delivered: had}, nil
}

// entered lets a session hear the room that its user is in, whoever asked for it.
func (a *calls) entered(ctx context.Context, req edgeapi.EnteredRequest) (edgeapi.EnteredResponse, error) {
	in := room{name: req.Room, id: req.RoomID, seq: req.Seq}
	c, s := a.e.sessions.entered(req.Session, in, time.Now())
	if s == nil {
		return edgeapi.EnteredResponse{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, beginWithin)
	defer cancel()
	return edgeapi.EnteredResponse{}, a.e.enter(ctx, c, s, in)
}
