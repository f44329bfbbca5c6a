package crowd

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gamehall/shared/fault"
	"gamehall/shared/wire"
	"gamehall/tools/check/history"
)

// The times of a connection, as the protocol has them.
const (
	beatEvery = 10 * time.Second
	deadAfter = 15 * time.Second // nothing came, although a ping was sent
	// answerWithin is how long a player waits: the hall promises an answer, if only
	// "unavailable", after 15 s.
	answerWithin = 25 * time.Second
)

// How a connection ended, beside the reasons that the hall tells.
const (
	endedEOF   = "eof"
	endedReset = "reset"
	endedDead  = "dead"
	endedKill  = "kill"
	endedQuit  = "quit"
)

// connection is one connection of a player. Its reader writes down what comes; its owner
// calls the rest.
type connection struct {
	p      *Player
	number int
	edge   string
	door   door
	doorIs string

	mu      sync.Mutex
	pending map[uint64]*call
	reason  wire.Reason // that the hall told
	paused  chan struct{}
	muted   bool
	broken  bool // the network is, by a fault
	closing bool // the player ends it
	err     error

	lastIn  time.Time // guarded by mu
	lastOut time.Time
	pinged  time.Time // the first ping since lastIn

	as   atomic.Pointer[identity]
	gone chan struct{} // closed when nothing more is read
	wg   sync.WaitGroup
}

// identity is whose session a connection has.
type identity struct{ user, session string }

// call is a command that was sent.
type call struct {
	req   uint64
	cmd   wire.Command
	reply wire.Reply
	done  chan struct{} // closed once the outcome is written
	known bool          // there was a reply
}

// connect opens a connection and writes that down.
func (p *Player) connect(ctx context.Context, e Endpoint) (*connection, error) {
	d, err := open(ctx, p.door, e.addr(p.door))
	if err != nil {
		return nil, err
	}
	p.conns++
	now := time.Now()
	c := &connection{
		p: p, number: p.conns, edge: e.Name, door: d, doorIs: p.door,
		pending: map[uint64]*call{}, lastIn: now, lastOut: now, gone: make(chan struct{}),
	}
	c.write(history.Event{Type: history.Conn, Door: p.door})
	p.stand(c)
	c.wg.Go(c.listen)
	c.wg.Go(c.beat)
	return c, nil
}

// write adds an event of this connection.
func (c *connection) write(e history.Event) {
	e.Conn, e.Edge = c.number, c.edge
	if as := c.as.Load(); as != nil {
		if e.Type != history.Recv && e.User == "" {
			e.User = as.user
		}
		if e.Session == "" {
			e.Session = as.session
		}
	}
	c.p.out.Write(e)
}

// listen reads until the connection ends.
func (c *connection) listen() {
	defer close(c.gone)
	for {
		c.mu.Lock()
		paused := c.paused
		c.mu.Unlock()
		if paused != nil {
			<-paused
		}
		if err := c.door.read(c); err != nil {
			c.over(err)
			return
		}
	}
}

// over notes the end: nobody knows what became of the commands under way.
func (c *connection) over(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	for _, k := range c.pending {
		c.unknown(k)
	}
}

// unknown writes that the outcome of k is not known. c.mu is held.
func (c *connection) unknown(k *call) {
	delete(c.pending, k.req)
	e := history.Event{Type: history.Info, F: k.cmd.Type, Req: k.req}
	c.p.lost(k.cmd, &e)
	c.write(e)
	close(k.done)
}

// message takes what came as an object.
func (c *connection) message(m wire.Message) error {
	c.heard()
	switch {
	case m.IsReply:
		req, err := strconv.ParseUint(m.Re, 10, 64)
		if err != nil {
			return errors.New("a reply to nothing: " + m.Re)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		k := c.pending[req]
		if k == nil {
			return nil // the player has stopped waiting
		}
		r, err := m.Reply(k.cmd)
		if err != nil {
			return err
		}
		c.answer(k, r)
	case m.Event != nil:
		e := toldStored(*m.Event)
		c.write(e)
		c.p.told(e)
	case m.Private != nil:
		e := toldPrivate(*m.Private)
		c.write(e)
		if m.Private.Kind == wire.KindClosing {
			c.mu.Lock()
			c.reason = m.Private.Reason
			c.mu.Unlock()
		}
	}
	return nil
}

// line takes what came as a line.
func (c *connection) line(text string) {
	c.heard()
	if e, told := readLine(text); told {
		c.write(e)
		c.p.told(e)
	} else if words, system := cut(text); system {
		if reason, closing := closings[words]; closing {
			c.write(history.Event{Type: history.Recv, F: history.Closing, Channel: history.UserOnly, Reason: string(reason)})
			c.mu.Lock()
			c.reason = reason
			c.mu.Unlock()
			return
		}
		if words == slow {
			c.write(history.Event{Type: history.Recv, F: history.Notice, Channel: history.UserOnly, Text: words})
			return
		}
	}
	user := ""
	if as := c.as.Load(); as != nil {
		user = as.user
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.pending { // at most one
		if r, ok := answerLine(k.cmd, user, text); ok {
			c.answer(k, r)
		}
	}
}

func cut(line string) (string, bool) {
	const system = "system: "
	if len(line) < len(system) || line[:len(system)] != system {
		return line, false
	}
	return line[len(system):], true
}

// answer writes the outcome of k. c.mu is held.
func (c *connection) answer(k *call, r wire.Reply) {
	delete(c.pending, k.req)
	k.reply, k.known = r, true
	e := answered(k.cmd, r)
	e.Req = k.req
	c.p.answered(c, k.cmd, r, &e)
	c.write(e)
	if k.cmd.Type == wire.SignOut && r.Err == nil {
		c.as.Store(nil)
	}
	close(k.done)
}

func (c *connection) heard() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastIn, c.pinged = time.Now(), time.Time{}
}

// send writes down that a command is asked, and asks it.
func (c *connection) send(cmd wire.Command) *call {
	k := &call{cmd: cmd, done: make(chan struct{})}
	c.mu.Lock()
	k.req = c.p.nextReq()
	k.cmd.ID = strconv.FormatUint(k.req, 10)
	e := asked(k.cmd)
	e.Req = k.req
	c.p.asking(k.cmd, &e)
	c.pending[k.req] = k
	c.write(e)
	if done(c.gone) {
		c.unknown(k)
		c.mu.Unlock()
		return k
	}
	c.lastOut = time.Now()
	c.mu.Unlock()
	if err := c.door.send(k.cmd); err != nil {
		c.hangUp(err)
	}
	return k
}

// do asks a command and waits for its outcome. Without one in time the connection is dropped.
func (c *connection) do(ctx context.Context, cmd wire.Command) *call {
	k := c.send(cmd)
	t := time.NewTimer(answerWithin)
	defer t.Stop()
	select {
	case <-k.done:
		return k
	case <-t.C:
		c.hangUp(errDead)
	case <-ctx.Done():
		c.hangUp(ctx.Err())
	}
	<-k.done // its reader ends
	return k
}

var errDead = errors.New("no answer")

// hangUp ends the reading; the first reason counts.
func (c *connection) hangUp(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.resumeReading()
	c.mu.Unlock()
	c.door.close(true)
}

// beat sends the heartbeat and notices that nobody is there any more.
func (c *connection) beat() {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-c.gone:
			return
		}
		now := time.Now()
		c.mu.Lock()
		beats := !c.muted && c.doorIs != lines && now.Sub(c.lastOut) >= beatEvery
		if beats && c.pinged.IsZero() {
			c.pinged = now
		}
		dead := c.paused == nil && !c.pinged.IsZero() && now.Sub(c.lastIn) > deadAfter && now.Sub(c.pinged) > deadAfter/3
		c.mu.Unlock()
		switch {
		case dead:
			c.hangUp(errDead)
			return
		case beats:
			c.send(wire.Command{Type: wire.Ping})
		}
	}
}

// pause stops reading until the returned function is called.
func (c *connection) pause() (unpause func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = make(chan struct{})
	c.write(history.Event{Type: history.Pause})
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.paused != nil {
			c.write(history.Event{Type: history.Unpause})
			c.lastIn, c.pinged = time.Now(), time.Time{}
		}
		c.resumeReading()
	}
}

// resumeReading wakes the reader. c.mu is held.
func (c *connection) resumeReading() {
	if c.paused != nil {
		close(c.paused)
		c.paused = nil
	}
}

// mute ends the heartbeat.
func (c *connection) mute() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.muted = true
	c.write(history.Event{Type: history.Mute})
}

// breaks notes that a fault breaks the network of the connection, or that it is healed.
func (c *connection) breaks(broken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = broken
}

// close ends the connection, by the player when how is not empty, and writes that down. It
// returns once nothing more is written. It gives the reason that the hall told.
func (c *connection) close(how string) wire.Reason {
	c.mu.Lock()
	if how != "" && !done(c.gone) && c.err == nil {
		c.closing = true
	}
	c.resumeReading()
	c.mu.Unlock()
	c.door.close(how != endedQuit)
	c.wg.Wait()
	c.p.stand(nil)
	e := history.Event{Type: history.Disc, Reason: string(c.reason)}
	switch {
	case c.closing:
		e.By, e.Reason = history.ByClient, how
	case errors.Is(c.err, errDead), errors.Is(c.err, context.Canceled):
		e.By, e.Reason = history.ByNetwork, endedDead
	default:
		e.By = history.ByServer
		if c.broken {
			e.By = history.ByNetwork
		}
		if e.Reason == "" {
			e.Reason = ended(c.err)
		}
	}
	c.write(e)
	return c.reason
}

func ended(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return endedEOF
	}
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return endedReset
	}
	return err.Error()
}

func done(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// retryable tells whether the same command may be sent again.
func retryable(r wire.Reply) bool { return r.Err != nil && r.Err.Code.Retry() }

// refusedBy gives the code of a refusal; empty when there was none or no answer.
func (k *call) refusedBy() fault.Code {
	if !k.known || k.reply.Err == nil {
		return ""
	}
	return k.reply.Err.Code
}
