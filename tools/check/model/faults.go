package model

import (
	"time"

	"gamehall/tools/check/history"
)

// faults breaks things, at times that scale with the run.
func (h *hall) faults() {
	whole := h.run.Quiet - began
	at := func(percent int64) int64 { return began + whole*percent/100 }
	add := func(from, to int64, kind, target, role string) {
		h.run.Faults = append(h.run.Faults, history.Fault{From: from, To: to, Kind: kind, Target: target, Role: role})
	}
	kill := func(from int64, edge string) {
		add(from, from+4*second, history.Kill, edge, "")
		h.at(from, func() { h.killEdge(edge) })
	}
	kill(at(10), "edge-1")
	add(at(20), at(20), history.Drop, "c1", "")
	h.at(at(20), func() {
		h.clients[1].away = 40 * second // too long for its token
		h.drop(h.clients[1], false)
	})
	add(at(30), at(30)+8*second, history.Kill, "nats-1", "leader")
	h.at(at(30), func() { h.stalled = h.now + 5*second })
	add(at(52), at(52), history.Drop, "c1", "")
	h.at(at(52), func() { h.drop(h.clients[1], false) })
	add(at(54), at(54), history.Drop, "c2", "")
	h.at(at(54), func() { h.drop(h.clients[2], true) })
	add(at(56), at(56)+3*second, history.SlowRead, "c0", "")
	h.at(at(56), func() { h.slow(h.clients[0]) })
	kill(at(60), "edge-2")
	h.run.Healed = at(60) + 40*second
	if h.run.Healed < h.run.Quiet && len(h.clients) > 3 {
		// After all is healed: what a fault that widens bounds would hide.
		h.at(h.run.Healed, func() { h.fallSilent(h.clients[3]) })
	}
	h.run.Healed = min(h.run.Healed, at(85))
}

// killEdge loses all that the edge has. Its users have as long to come back as its lease
// stands.
func (h *hall) killEdge(edge string) {
	renewed := h.now - h.between(0, 4000)
	for _, c := range h.clients {
		if c.conn == nil || c.conn.edge != edge {
			continue
		}
		s := c.conn.sess
		c.lose("eof", history.ByServer, s)
		if s != nil {
			h.expire(s, renewed+30*second-h.now+h.between(0, 3000), max(s.since, renewed))
		}
	}
}

// lose ends the connection without a word; its session waits.
func (c *client) lose(reason, by string, s *sess) {
	if s != nil {
		s.detached, s.conn = c.h.now, nil
		if c.under == 0 || c.doing != history.SignIn { // else it never had its token
			c.token = s
		}
	}
	c.conn.lost(reason, by)
}

// drop loses a client's connection; for good when it vanishes.
func (h *hall) drop(c *client, vanish bool) {
	if c.conn == nil || c.conn.sess == nil {
		h.in(second, func() { h.drop(c, vanish) })
		return
	}
	s := c.conn.sess
	c.vanished = vanish
	c.lose("kill", history.ByClient, s)
	h.expire(s, 30*second+h.between(0, 2000), h.now)
}

// slow makes a client stop reading for three seconds.
func (h *hall) slow(c *client) {
	conn := c.conn
	if conn == nil || conn.sess == nil {
		return
	}
	c.write(history.Event{Type: history.Pause})
	conn.clear = max(conn.clear, h.now+3*second)
	conn.later(func() { c.write(history.Event{Type: history.Unpause}) })
}

// fallSilent makes a client send nothing more, until it is dropped.
func (h *hall) fallSilent(c *client) {
	conn := c.conn
	if conn == nil || conn.sess == nil || c.under != 0 {
		h.in(50*millisecond, func() { h.fallSilent(c) })
		return
	}
	c.silent = true
	c.write(history.Event{Type: history.Mute})
	h.in(int64(31*time.Second), func() {
		if conn.gone {
			return
		}
		s := conn.sess
		c.vanished = true
		conn.tell(history.Event{Type: history.Recv, F: history.Closing, Channel: history.UserOnly, Reason: "heartbeat"})
		conn.later(func() {
			c.lose("heartbeat", history.ByServer, s)
			if s != nil {
				h.expire(s, 30*second+h.between(0, 2000), h.now-31*second)
			}
		})
	})
}
