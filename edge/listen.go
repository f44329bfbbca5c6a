package edge

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"time"

	"gamehall/shared/bus"
	"gamehall/shared/fault"
)

// accepting takes connections until the port is closed. When no more files can be opened it
// waits, longer each time, and serves those it has.
func (e *Edge) accepting() {
	wait := 5 * time.Millisecond
	for {
		err := e.accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			e.log.Warn("accept", "error", err, "wait", wait)
			select {
			case <-e.ctx.Done():
				return
			case <-time.After(wait):
			}
			wait = min(2*wait, time.Second)
			continue
		}
		wait = 5 * time.Millisecond
	}
}

// accept takes the next connection; its error is the port's.
func (e *Edge) accept() error {
	if e.gate != nil {
		fd, from, err := e.gate.accept()
		if err == nil {
			e.letIn(fd, from)
		}
		return err
	}
	nc, err := e.tcp.Accept()
	if err == nil {
		e.take(nc)
	}
	return err
}

// take makes nc a connection of the edge, or closes it when there are too many.
func (e *Edge) take(nc net.Conn) {
	if e.tls != nil {
		nc = tls.Server(&guard{Conn: nc, secured: true}, e.tls)
	}
	c, err := e.admit(nc)
	if err != nil {
		e.turnedAway(addrOf(nc.RemoteAddr().String()), err)
		_ = nc.Close() // nothing was said yet
		return
	}
	e.run(c, &input{c: c})
}

func (e *Edge) turnedAway(from netip.Addr, err error) {
	e.log.Debug("connection refused", "addr", from, "error", err)
}

// run serves a connection that was admitted. One that has sent nothing yet needs no goroutine yet.
func (e *Edge) run(c *conn, in *input) {
	e.sessions.connect(c)
	if !e.tasks.hold() {
		e.gone(c)
		return
	}
	r := newReading(c, in)
	if _, parks := c.sock.(parker); !parks || len(in.unread()) > 0 || !r.park() {
		e.runners.run(r)
	}
	if e.draining.Load() {
		e.retire(c) // it came between the two looks
	}
}

// allowed says whether one more connection from c's address may be had, and counts it.
// Fault: unavailable, rate_limited.
func (e *Edge) allowed(c *conn) error {
	open, sessions := e.sessions.counts()
	switch {
	case e.draining.Load() || e.tenure.Load().check() != nil:
		return closedForNow()
	case e.memory.short.Load():
		e.stats.refused.Inc()
		return fault.New(fault.Unavailable, "the hall is full, please try again later")
	case open >= e.cfg.Connections, !c.trusted && float64(open-sessions) >= preAuthShare*float64(e.cfg.Connections):
		e.stats.refused.Inc()
		return fault.New(fault.Unavailable, "the hall is full, please try again later")
	case !e.addresses.open(c):
		e.stats.refused.Inc()
		return fault.New(fault.RateLimited, "too many connections from your network, please try again later")
	}
	return nil
}

// admit makes a connection of nc within the limits. It is not served yet.
func (e *Edge) admit(nc net.Conn) (*conn, error) {
	c := e.visitor(addrOf(nc.RemoteAddr().String()))
	if err := e.allowed(c); err != nil {
		return nil, err
	}
	return c, e.receive(c, nc)
}

// visitor is a connection from an address, without a socket yet.
func (e *Edge) visitor(addr netip.Addr) *conn {
	c := &conn{id: bus.NewID(), edge: e, since: time.Now(), done: make(chan struct{}), addr: addr}
	c.trusted = e.addresses.trusted(c.addr)
	return c
}

// receive gives c, which was allowed, its socket.
func (e *Edge) receive(c *conn, nc net.Conn) error {
	nc = bare(nc)
	var err error
	if c.sock, err = newSocket(nc, c); err != nil {
		e.addresses.close(c)
		return err
	}
	e.received(c)
	return nil
}

// received counts c, which has its socket now, and gives it a writer.
func (e *Edge) received(c *conn) {
	c.heard.Store(instantOf(c.since))
	c.w = e.writers[int(e.stats.accepted.Add(1)%uint64(len(e.writers)))]
	e.stats.connections.Inc()
}

// addrOf is the address in a host:port; the zero address when there is none.
func addrOf(hostport string) netip.Addr {
	a, err := netip.ParseAddrPort(hostport)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap().WithZone("") // no range of addresses has one
}

// lastSeen is until when a connection that is gone can have been there: zero is now. What
// the kernel found dead was last confirmed deadAfter ago, what the edge found dead when it
// was last heard.
func (c *conn) lastSeen(now time.Time) time.Time {
	seen := now.Add(timeOf(c.heard.Load()).Sub(now)) // by the wall clock as it is now
	switch dead := now.Add(-deadAfter); {
	case c.lapsed.Load():
		return seen
	case !c.timedOut.Load():
		return time.Time{}
	case dead.After(seen):
		return dead
	}
	return seen
}
