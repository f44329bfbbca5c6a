package edge

import (
	"context"
	"errors"
	"io"
	mrand "math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/time/rate"

	"gamehall/shared/event"
	"gamehall/shared/wire"
)

// conn is a connection. Its reader carries out its commands one after the other; whatever is
// sent goes through out, by a writer.
type conn struct {
	id      string
	edge    *Edge
	sock    socket
	dialect dialect // set once, with mu held, before the first command is read
	w       *writer
	addr    netip.Addr
	trusted bool
	since   time.Time
	done    chan struct{} // closed when the socket is

	// What the sweeper looks at: instants; 0 is none.
	heard    atomic.Int64 // last byte
	waits    atomic.Int64 // since when it is being read from; 0 while a command is carried out
	acted    atomic.Int64 // last complete command
	begun    atomic.Int64 // of a line that has not ended
	progress atomic.Int64 // last byte that the socket took
	asked    atomic.Bool  // a first command came
	spoke    atomic.Bool  // and one after the session began
	closeAt  atomic.Int64 // last words may take until then; unix nanoseconds
	timedOut atomic.Bool  // the kernel found the peer dead
	lapsed   atomic.Bool  // the edge did

	queued bool // in the writer's list; guarded by the writer

	mu      sync.Mutex // guards the rest; never held while reading, writing or calling
	out     outbox
	hears   [slots]*channel // whose writer's lists it is in; kept when it is closed, until it leaves
	session *session
	busy    bool          // a command is under way
	pending bool          // a sign-in is under way
	lost    bool          // the session was taken over, perhaps before this edge knew it
	stalled bool          // the socket is full: a goroutine of its own drains it
	dead    bool          // the socket is closed
	closing bool          // nothing more is taken; last words are on their way
	said    bool          // they are out
	hungUp  bool          // the client sends no more
	away    bool          // auth was told so
	telling chan struct{} // closed when auth has been told
	parked  *reading      // its reader, while nobody reads
	// Closed once there is something to read, or room to write: who waits for that made it.
	readable, writable chan struct{}
	watched            atomic.Int32 // the descriptor that the pollers know it by
}

// heartbeat tells whether cmd is one, which nobody typed.
func (c *conn) heartbeat(cmd wire.Command) bool { return c.dialect != lines && cmd.Type == wire.Ping }

// acting notes that a command has come.
func (c *conn) acting(cmd wire.Command) {
	c.begun.Store(0)
	if !c.heartbeat(cmd) {
		c.acted.Store(instant())
	}
	c.asked.Store(true)
	c.spoke.Store(true)
}

// ended takes the end of what is read. A client that only stopped sending still gets what
// was on its way.
func (c *conn) ended(err error) {
	var violated *wsError
	switch {
	case errors.As(err, &violated) && violated.why == "":
		c.closeWith(wire.Bye, violated.code)
	case errors.As(err, &violated):
		c.edge.log.Debug("protocol violated", "conn", c.id, "error", err)
		c.closeWith(wire.Protocol, violated.code)
	case errors.Is(err, errForeign):
		if c.dialect != lines {
			c.close(wire.Protocol)
			return
		}
		c.broken() // whatever speaks there, it would not understand us
	case errors.Is(err, io.EOF):
		c.leave()
		c.hangUp() // first: then one system call closes the socket
		c.close(wire.Bye)
	default:
		if !errors.Is(err, net.ErrClosed) {
			c.edge.log.Debug("connection lost", "conn", c.id, "error", err)
		}
		c.fail(err)
	}
}

// fail ends a connection whose socket fails. The kernel tells once that the peer is dead:
// to the reader, or to a writer.
func (c *conn) fail(err error) {
	if errors.Is(err, syscall.ETIMEDOUT) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH) {
		c.timedOut.Store(true)
	}
	c.broken()
}

// leave ends the session of a client that sends no more. It may still read: one that could
// not come back sees everything up to its own leaving.
func (c *conn) leave() {
	if s := c.current(); s == nil || s.resumable {
		return
	}
	ctx, cancel := context.WithTimeout(c.edge.ctx, requestFor)
	defer cancel()
	if _, err := c.signOut(ctx, wire.Command{}); err != nil {
		c.edge.log.Debug("no sign-out at the end", "conn", c.id, "error", err)
	}
}

// hangUp notes that the client sends no more: the socket is closed as soon as the last words
// are out.
func (c *conn) hangUp() {
	c.mu.Lock()
	c.hungUp = true
	said := c.said
	c.mu.Unlock()
	if said {
		c.broken()
	}
}

// linger lets a closing connection read its last words: what the client still sends is read
// and dropped, since closing a socket with unread bytes would destroy what was sent.
func (c *conn) linger(in *input) {
	defer in.release()
	c.mu.Lock()
	wait, hungUp := c.closing && !c.dead, c.hungUp
	c.mu.Unlock()
	if !wait {
		return
	}
	if err := c.sock.readBy(time.Now().Add(closeFor)); err != nil {
		return
	}
	in.waiting = true
	for !hungUp { // else there is nothing to come
		in.take(len(in.unread()))
		if err := in.fill(false); err != nil {
			if errors.Is(err, io.EOF) {
				c.hangUp()
			} else if !errors.Is(err, os.ErrDeadlineExceeded) {
				c.broken()
			}
			break
		}
	}
	select { // an end of input is not the end of output
	case <-c.done:
	case <-time.After(time.Until(time.Unix(0, c.closeAt.Load()))):
	}
}

// reply queues the answer to the command with id re.
func (c *conn) reply(re string, r wire.Reply) {
	c.push(c.dialect.reply(re, r))
}

// tell queues an event for this connection alone. It gives false when the connection takes
// nothing any more.
func (c *conn) tell(p wire.Private) bool {
	return c.push(c.dialect.private(p))
}

// show queues a stored event for this connection alone.
func (c *conn) show(e event.Stored) {
	c.push(c.dialect.event(e))
}

func (c *conn) push(data []byte) bool {
	c.mu.Lock()
	open := !c.closing && !c.dead
	if open {
		c.out.push(data)
	}
	c.mu.Unlock()
	if open && len(data) > 0 { // a line that was said is its own answer to people
		c.w.send(c)
	}
	return open
}

// close says why, sends what was queued, and closes the connection; a client that does not
// read has closeFor. The first reason counts.
func (c *conn) close(why wire.Reason) { c.closeWith(why, 0) }

// closeWith is close with a WebSocket code other than the reason's.
func (c *conn) closeWith(why wire.Reason, code ws.StatusCode) {
	p := wire.Private{Kind: wire.KindClosing, Reason: why, RetryAfter: retryAfter(why)}
	c.mu.Lock()
	if c.closing || c.dead {
		c.mu.Unlock()
		return
	}
	c.closing = true
	c.out.silence()
	c.out.push(c.dialect.farewell(p, code))
	c.mu.Unlock()
	c.closeAt.Store(time.Now().Add(lastWordsFor(why)).UnixNano())
	c.edge.stats.closed.WithLabelValues(string(why)).Inc()
	c.w.send(c)
}

// lastWordsFor is how long the last words may take: one that reads too slowly has much to
// read before them.
func lastWordsFor(why wire.Reason) time.Duration {
	if why == wire.SlowConsumer {
		return stallMost
	}
	return closeFor
}

// retryAfter is when a client may come back: spread, so that a crowd does not come at once.
func retryAfter(why wire.Reason) time.Duration {
	switch why {
	case wire.Restart, wire.Unavailable, wire.SlowConsumer:
		return time.Second/2 + mrand.N(3*time.Second) //nolint:gosec // it spreads load, it hides nothing
	}
	return 0
}

// sentAll ends a closing connection once its last words are out: it says that no more comes,
// so that the words are not destroyed by a reset, and the reader waits for the client to
// close.
func (c *conn) sentAll() {
	c.mu.Lock()
	over, hungUp := c.closing && !c.dead, c.hungUp
	c.said = c.said || over
	c.mu.Unlock()
	if !over {
		return
	}
	if hungUp {
		c.broken()
		return
	}
	end := func() {
		if c.sock.closeWrite() != nil {
			c.broken()
		}
	}
	if _, secured := c.sock.(*tlsSocket); secured {
		c.edge.background(end) // its last word may have to wait for the client
		return
	}
	end()
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
	if err := c.sock.close(); err != nil {
		c.edge.log.Debug("close", "conn", c.id, "error", err)
	}
	c.unpark() // to clean up
}

// over tells whether the socket is closed, or about to be.
func (c *conn) over() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// moved notes that the socket took something.
func (c *conn) moved(at int64) { c.progress.Store(at) }

// stall gives a full socket a goroutine that waits for it.
func (c *conn) stall() {
	c.mu.Lock()
	c.stalled = true
	c.mu.Unlock()
	if c.progress.Load() == 0 {
		c.moved(instant())
	}
	c.edge.background(func() {
		c.edge.stats.stalled.Inc()
		defer c.edge.stats.stalled.Dec()
		c.drain()
	})
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
		n, err := c.sock.wait(pieces)
		if err != nil {
			c.mu.Lock()
			c.stalled = false
			c.mu.Unlock()
			c.fail(err)
			return
		}
		c.mu.Lock()
		c.out.sent(max(0, n))
		c.mu.Unlock()
		c.moved(instant())
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

// free takes one more command when that fits the rate at once.
func (p *pace) free() bool { return p.rate == nil || p.rate.Allow() }

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
