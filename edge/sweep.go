package edge

import (
	"context"
	"time"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/wire"
)

// sweep looks at every connection once in a while, in place of a timer for each.
func (e *Edge) sweep(now time.Time) {
	for _, c := range e.sessions.all() {
		e.look(c, now)
	}
	e.sessions.forget(now)
	e.whispers.forget(now)
}

func (e *Edge) look(c *conn, now time.Time) {
	past := func(then int64, d time.Duration) bool {
		return then != 0 && time.Duration(instantOf(now)-then) > d
	}
	c.mu.Lock()
	closing, stalled, s, speaks := c.closing, c.stalled, c.session, c.dialect
	lag := c.out.lag() // what is its own, such as replies, counts as well
	goAway := s != nil && !s.ending && !c.away && !closing && e.cfg.AwayAfter > 0 && past(c.acted.Load(), e.cfg.AwayAfter)
	if goAway {
		c.away, c.telling = true, make(chan struct{})
	}
	telling := c.telling
	c.mu.Unlock()
	switch {
	case closing:
		if at := c.closeAt.Load(); at != 0 && now.UnixNano() > at {
			c.broken()
		}
	case past(c.begun.Load(), lineWithin):
		c.close(wire.Protocol)
	case speaks != lines && past(c.heard.Load(), deadAfter) && past(c.waits.Load(), readWithin):
		// What came while nobody read would have been read by now.
		c.lapsed.Store(true)
		c.close(wire.Heartbeat)
	case !c.asked.Load() && now.Sub(c.since) > firstCommandWithin:
		c.close(wire.Idle)
	case e.cfg.IdleAfter > 0 && past(c.acted.Load(), e.cfg.AwayAfter+e.cfg.IdleAfter):
		c.close(wire.Idle)
	case stalled && (lag > lagMost && past(c.progress.Load(), stallMost) || lag > lagHard):
		c.close(wire.SlowConsumer)
	}
	if goAway {
		e.background(func() { e.tellAway(c, s, telling) })
	}
}

// tellAway tells auth that a session is away.
func (e *Edge) tellAway(c *conn, s *session, told chan struct{}) {
	defer close(told)
	ctx, cancel := context.WithTimeout(e.ctx, requestFor)
	defer cancel()
	_, err := authapi.Presence.Call(s.as(ctx), e.nc, authapi.PresenceRequest{Away: true}, bus.Patience(requestFor))
	if err != nil {
		e.log.Debug("not told that a session is away", "user", s.user, "conn", c.id, "error", err)
	}
}
