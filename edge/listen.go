package edge

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"gamehall/shared/bus"
)

// accepting takes connections until the port is closed. When no more files can be opened it
// waits, longer each time, and serves those it has.
func (e *Edge) accepting() {
	wait := 5 * time.Millisecond
	for {
		nc, err := e.tcp.Accept()
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
		e.take(nc)
	}
}

// take makes nc a connection of the edge, or closes it when there are too many.
func (e *Edge) take(nc net.Conn) {
	c := &conn{id: bus.NewID(), edge: e, nc: nc, since: time.Now(), done: make(chan struct{})}
	if a, err := netip.ParseAddrPort(nc.RemoteAddr().String()); err == nil {
		c.addr = a.Addr().Unmap()
	}
	c.trusted = e.addresses.trusted(c.addr)
	open, sessions := e.sessions.counts()
	refused := e.draining.Load() || e.tenure.Load().check() != nil
	if !refused {
		refused = open >= e.cfg.Connections || !c.trusted && float64(open-sessions) >= preAuthShare*float64(e.cfg.Connections)
	}
	if refused || !e.addresses.open(c) {
		e.stats.refused.Inc()
		_ = nc.Close() // nothing was said yet
		return
	}
	socket, ok := nc.(syscall.Conn)
	if ok {
		raw, err := socket.SyscallConn()
		c.raw, ok = raw, err == nil
	}
	if !ok {
		e.addresses.close(c)
		_ = nc.Close()
		return
	}
	if tcp, is := nc.(*net.TCPConn); is {
		if err := keepAlive(tcp, c.raw); err != nil {
			e.log.Warn("dead peers will be noticed late", "error", err)
		}
	}
	c.heard.Store(c.since.UnixNano())
	c.w = e.writers[int(e.stats.accepted.Add(1))%len(e.writers)]
	e.stats.connections.Inc()
	e.sessions.connect(c)
	e.background(c.serve)
	if e.draining.Load() {
		e.retire(c) // it came between the two looks
	}
}

// keepAlive lets the kernel find a dead peer: probes after half of deadAfter of silence, and
// an end when what was sent is not confirmed within deadAfter.
func keepAlive(tcp *net.TCPConn, raw syscall.RawConn) error {
	err := tcp.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable: true, Idle: deadAfter / 2, Interval: deadAfter / 6, Count: 3,
	})
	return errors.Join(err, userTimeout(raw, deadAfter))
}

// lastSeen is until when a connection that is gone can have been there: zero is now. What
// the kernel found dead was last confirmed deadAfter ago.
func (c *conn) lastSeen(now time.Time) time.Time {
	if !c.timedOut.Load() {
		return time.Time{}
	}
	seen := time.Unix(0, c.heard.Load())
	if dead := now.Add(-deadAfter); dead.After(seen) {
		return dead
	}
	return seen
}
