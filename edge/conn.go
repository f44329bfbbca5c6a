package edge

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/time/rate"

	"gamehall/shared/event"
	"gamehall/shared/wire"
)

// conn is a connection. Its reading goroutine carries out its commands one after the other;
// whatever is sent goes through out, by a writer.
type conn struct {
	id      string
	edge    *Edge
	nc      net.Conn
	raw     syscall.RawConn
	w       *writer
	addr    netip.Addr
	trusted bool
	since   time.Time
	done    chan struct{} // closed when the socket is

	// What the sweeper looks at: unix nanoseconds; 0 is none.
	heard    atomic.Int64 // last byte
	acted    atomic.Int64 // last complete command
	begun    atomic.Int64 // of a line that has not ended
	progress atomic.Int64 // last byte that the socket took
	asked    atomic.Bool  // a first command came
	closeAt  atomic.Int64 // last words may take until then
	timedOut atomic.Bool  // the kernel found the peer dead

	queued bool // in the writer's list; guarded by the writer

	mu      sync.Mutex // guards the rest; never held while reading, writing or calling
	out     outbox
	session *session
	busy    bool          // a command is under way
	pending bool          // a sign-in is under way
	lost    bool          // the session was taken over, perhaps before this edge knew it
	stalled bool          // the socket is full: a goroutine of its own drains it
	dead    bool          // the socket is closed
	closing bool          // nothing more is taken; last words are on their way
	away    bool          // auth was told so
	telling chan struct{} // closed when auth has been told
}

// serve reads commands until the connection ends.
func (c *conn) serve() {
	defer c.edge.gone(c)
	defer func() {
		if p := recover(); p != nil {
			c.edge.log.Error("connection closed by a panic", "conn", c.id, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	in := &lineReader{c: c}
	defer in.release()
	limits := &pace{}
	if r := c.edge.cfg.Rate; r > 0 {
		limits.rate = rate.NewLimiter(rate.Limit(r), c.edge.cfg.Burst)
	}
	for {
		line, err := in.next()
		if errors.Is(err, errTooLong) {
			c.acting()
			c.reply(wire.Reply{Err: tooLong()})
			if !limits.wait(c, invalidCost) || !limits.invalid(c) {
				return
			}
			continue
		}
		if err != nil {
			if errors.Is(err, errForeign) {
				return
			}
			c.ended(err)
			return
		}
		c.acting()
		command, err := wire.ParseLine(line)
		if err != nil {
			if !limits.wait(c, invalidCost) {
				return
			}
			c.reply(wire.Reply{Err: asFault(err)})
			if !limits.invalid(c) {
				return
			}
			continue
		}
		if !limits.wait(c, 1) {
			return
		}
		if !c.do(command) {
			return
		}
	}
}

// acting notes that a command has come.
func (c *conn) acting() {
	now := time.Now().UnixNano()
	c.begun.Store(0)
	c.acted.Store(now)
	c.asked.Store(true)
}

// ended takes the end of what is read: a client that only stopped sending still gets what
// was on its way.
func (c *conn) ended(err error) {
	if errors.Is(err, io.EOF) {
		c.close(wire.Bye)
		select {
		case <-c.done:
		case <-time.After(closeFor):
		}
		return
	}
	c.timedOut.Store(errors.Is(err, syscall.ETIMEDOUT))
	if !errors.Is(err, net.ErrClosed) {
		c.edge.log.Debug("connection lost", "conn", c.id, "error", err)
	}
}

// reply queues the answer to a command.
func (c *conn) reply(r wire.Reply) {
	c.push(wire.AppendReply(nil, r, time.Now()))
}

// tell queues an event for this connection alone. It gives false when the connection takes
// nothing any more.
func (c *conn) tell(p wire.Private) bool {
	return c.push(wire.AppendPrivate(nil, p, time.Now()))
}

// show queues a stored event for this connection alone.
func (c *conn) show(e event.Stored) {
	c.push(wire.AppendEvent(nil, e, time.Local))
}

func (c *conn) push(data []byte) bool {
	c.mu.Lock()
	open := !c.closing && !c.dead
	if open {
		c.out.push(data)
	}
	c.mu.Unlock()
	if open {
		c.w.send(c)
	}
	return open
}

// close says why, sends what was queued, and closes the connection; a client that does not
// read has closeFor. The first reason counts.
func (c *conn) close(why wire.Reason) {
	c.mu.Lock()
	if c.closing || c.dead {
		c.mu.Unlock()
		return
	}
	c.closing = true
	for slot := range slots {
		c.out.feeds[slot] = nil
	}
	c.out.push(wire.AppendPrivate(nil, wire.Private{Kind: wire.KindClosing, Reason: why}, time.Now()))
	c.mu.Unlock()
	c.closeAt.Store(time.Now().Add(closeFor).UnixNano())
	c.edge.stats.closed.WithLabelValues(string(why)).Inc()
	c.w.send(c)
}

// sentAll ends a closing connection once its last words are out: it says that no more comes,
// so that the words are not destroyed by a reset, and the reader waits for the client to
// close.
func (c *conn) sentAll() {
	c.mu.Lock()
	over := c.closing && !c.dead
	c.mu.Unlock()
	if !over {
		return
	}
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		return
	}
	c.broken()
}

// broken closes the socket. Its reader sees that and cleans up.
func (c *conn) broken() {
	c.mu.Lock()
	was := c.dead
	c.dead = true
	c.mu.Unlock()
	if was {
		return
	}
	close(c.done)
	if err := c.nc.Close(); err != nil {
		c.edge.log.Debug("close", "conn", c.id, "error", err)
	}
}

// moved notes that the socket took something.
func (c *conn) moved() { c.progress.Store(time.Now().UnixNano()) }

// stall gives a full socket a goroutine that waits for it.
func (c *conn) stall() {
	c.mu.Lock()
	c.stalled = true
	c.mu.Unlock()
	if c.progress.Load() == 0 {
		c.moved()
	}
	c.edge.stats.stalled.Inc()
	c.edge.wg.Add(1)
	go func() {
		defer c.edge.wg.Done()
		defer c.edge.stats.stalled.Dec()
		c.drain()
	}()
}

// drain sends until c has had everything, waiting for its socket.
func (c *conn) drain() {
	var pieces [][]byte
	for {
		c.mu.Lock()
		pieces = c.out.batch(pieces[:0])
		if len(pieces) == 0 || c.dead {
			c.stalled = false
			c.mu.Unlock()
			c.w.send(c) // a closing connection has its end yet to come
			return
		}
		c.mu.Unlock()
		var n int
		var err error
		werr := c.raw.Write(func(fd uintptr) bool {
			n, err = writePieces(int(fd), pieces)
			return n > 0 || !errors.Is(err, syscall.EAGAIN)
		})
		if err = errors.Join(werr, err); err != nil && n <= 0 {
			c.mu.Lock()
			c.stalled = false
			c.mu.Unlock()
			c.broken()
			return
		}
		c.mu.Lock()
		c.out.sent(max(0, n))
		c.mu.Unlock()
		c.moved()
	}
}

// pace bounds how fast a connection asks. The reading goroutine owns it.
type pace struct {
	rate *rate.Limiter // nil is no bound
	bad  []time.Time   // when the last invalid commands came
}

// wait holds the reader until n commands fit the rate: what a client sends meanwhile stays
// in its socket. It gives false when the connection ends first.
func (p *pace) wait(c *conn, n int) bool {
	if p.rate == nil {
		return true
	}
	delay := p.rate.ReserveN(time.Now(), min(n, p.rate.Burst())).Delay()
	if delay <= 0 {
		return true
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.done:
		return false
	}
}

// invalid counts one more invalid command, and closes a connection that sends only those.
func (p *pace) invalid(c *conn) bool {
	now := time.Now()
	p.bad = append(p.bad, now)
	if len(p.bad) < invalidMost {
		return true
	}
	if now.Sub(p.bad[0]) > invalidWithin {
		p.bad = p.bad[1:]
		return true
	}
	c.edge.log.Info("closed: nothing but invalid commands", "conn", c.id, "addr", c.addr)
	c.close(wire.Protocol)
	return false
}
