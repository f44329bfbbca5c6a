package edge

import (
	"context"
	"time"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/wire"
)

// confirm asks auth whether the session is still the one of its user, before a command of it
// that took long is answered with ok: whoever signs in elsewhere waits for this edge no longer than
// a second, and from its welcome on the old session gets no ok. For the same reason an answer counts
// only when it came soon. It asks while the command has time, as what was done should be told.
// Fault: unavailable, as the command's outcome cannot be told any more.
func (c *conn) confirm(ctx context.Context, s *session) error {
	until, _ := ctx.Deadline()
	if least := time.Now().Add(requestFor); until.Before(least) {
		until = least
	}
	for pause := confirmPause; c.current() == s; pause *= 2 { // else signed out, or over already
		err := c.present(s)
		switch {
		case err == nil:
			return nil
		case fault.CodeOf(err) == fault.NotSignedIn:
			c.edge.log.Warn("a session was taken over while a command of it was under way", "user", s.user, "conn", c.id)
			c.close(wire.SignedInElsewhere)
		}
		if fault.CodeOf(err) != fault.Unavailable || !time.Now().Before(until) || c.edge.ctx.Err() != nil {
			return fault.New(fault.Unavailable, "the hall was interrupted, please try again")
		}
		select { // who is busy is not to be asked without a pause
		case <-time.After(min(pause, confirmAfter)):
		case <-c.done:
		case <-c.edge.ctx.Done():
		}
	}
	return nil
}

// present asks auth whether s is still the session of its user, for as long as its answer would
// count.
func (c *conn) present(s *session) error {
	c.mu.Lock()
	away := c.away // which a heartbeat leaves as it is
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(c.edge.ctx, confirmAfter)
	defer cancel()
	_, err := authapi.Presence.Call(s.as(ctx), c.edge.nc, authapi.PresenceRequest{Away: away}, bus.Soon())
	return err
}
