package edge

import (
	"errors"
	"runtime/debug"

	"golang.org/x/time/rate"

	"gamehall/shared/chatapi"
	"gamehall/shared/fault"
	"gamehall/shared/name"
	"gamehall/shared/wire"
)

// reading is the reader of a connection: what it keeps between two commands. One goroutine at
// a time runs it. While nothing comes there is none: a goroutine's stack, which has grown to
// carry out commands, would be most of what an idle connection costs.
type reading struct {
	c        *conn
	in       *input
	limits   *pace
	commands reader // nil until the dialect is known
	ahead    *ahead // what next gives first
}

// ahead is what was read before it was its turn.
type ahead struct {
	cmd wire.Command
	err error
}

func newReading(c *conn, in *input) *reading {
	r := &reading{c: c, in: in, limits: &pace{}}
	if per := c.edge.cfg.Rate; per > 0 {
		r.limits.rate = rate.NewLimiter(rate.Limit(per), c.edge.cfg.Burst)
	}
	return r
}

// run reads commands and carries them out until the connection ends, or until it is parked:
// then whoever unparks it runs it on. The connection's task ends with it.
func (r *reading) run() {
	parked := false
	defer func() {
		if !parked {
			r.end()
		}
	}()
	defer func() {
		if p := recover(); p != nil {
			r.c.edge.log.Error("connection closed by a panic", "conn", r.c.id, "panic", p, "stack", string(debug.Stack()))
			r.c.broken()
		}
	}()
	parked = r.read()
}

// end cleans up when nothing more is read.
func (r *reading) end() {
	defer r.c.edge.tasks.end()
	defer r.c.edge.gone(r.c)
	r.c.linger(r.in)
}

// read is run without the end. It gives whether the connection was parked.
func (r *reading) read() (parked bool) {
	c := r.c
	for {
		cmd, err := r.next()
		if errors.Is(err, errIdle) {
			if r.park() {
				return true
			}
			continue
		}
		if f := new(fault.Error); errors.As(err, &f) {
			c.acting(cmd)
			if !r.limits.wait(c, invalidCost) {
				return false
			}
			c.reply(cmd.ID, wire.Reply{Err: f})
			if !r.limits.invalid(c) {
				return false
			}
			continue
		}
		if err != nil {
			c.ended(err)
			return false
		}
		c.acting(cmd)
		// Its next command waits until it has read most of what it asked for.
		if !r.limits.wait(c, 1) || c.room4more(c.edge.ctx) != nil || !c.do(r.together(cmd)...) {
			return false
		}
	}
}

// together gives cmd and, when it is a line for the lobby, the lines that have come right behind
// it: what a client sends without waiting for answers goes to chat as one request, and shares its
// way to the disk. It reads nothing for that and waits for nobody.
func (r *reading) together(cmd wire.Command) []wire.Command {
	cmds := []wire.Command{cmd}
	if !joins(cmd) {
		return cmds
	}
	r.in.held = true
	defer func() { r.in.held = false }()
	for len(cmds) < chatapi.SayMost {
		next, err := r.commands.next()
		if errors.Is(err, errHeld) {
			break
		}
		if err != nil || !joins(next) || !r.limits.free() {
			r.ahead = &ahead{next, err}
			break
		}
		r.c.acting(next)
		cmds = append(cmds, next)
	}
	return cmds
}

// joins tells whether a command may be carried out together with those beside it. A line that
// would be refused has a request of its own, and so has one with a key, as its outcome is
// remembered under that.
func joins(cmd wire.Command) bool {
	if cmd.Type != wire.Say || cmd.Key != "" {
		return false
	}
	_, err := name.Text(cmd.Text)
	return err == nil
}

// next gives the next command, once it has found how the connection speaks.
func (r *reading) next() (wire.Command, error) {
	if a := r.ahead; a != nil {
		r.ahead = nil
		return a.cmd, a.err
	}
	if r.commands == nil {
		if err := r.c.handshake(); err != nil {
			r.c.edge.log.Debug("no tls", "conn", r.c.id, "error", err)
			r.c.broken()
			return wire.Command{}, err
		}
		if err := r.open(); err != nil {
			return wire.Command{}, err
		}
	}
	return r.commands.next()
}

// open finds how the connection speaks, and the reader for it.
func (r *reading) open() error {
	c := r.c
	if c.dialect == messages {
		r.commands = &messageReader{in: r.in, limits: r.limits}
		return nil
	}
	d, err := recognise(r.in)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.dialect = d // the sweeper may be looking
	c.mu.Unlock()
	c.edge.speak(d)
	if d == frames {
		r.commands = &frameReader{in: r.in}
	} else {
		r.commands = &lineReader{in: r.in}
	}
	return nil
}

// park leaves the connection to the poller until something comes, or until it is closed. When
// that cannot be, it gives false, and there is something to read, or the reader must wait.
func (r *reading) park() bool {
	c := r.c
	c.mu.Lock()
	if c.dead {
		c.mu.Unlock()
		return false
	}
	c.parked = r
	c.waits.Store(instant())
	c.mu.Unlock()
	if s, ok := c.sock.(parker); ok && s.park() {
		return true
	}
	c.mu.Lock()
	mine := c.parked == r
	c.parked = nil
	c.mu.Unlock()
	if !mine {
		return true // it was closed meanwhile, and somebody else runs it on
	}
	r.in.waiting = true
	return false
}

// unpark lets the reader run on if it was left, or waits.
func (c *conn) unpark() {
	c.mu.Lock()
	r := c.parked
	c.parked = nil
	wake(&c.readable)
	c.mu.Unlock()
	if r != nil {
		c.waits.Store(0)
		c.edge.runners.run(r) // its task has been held
	}
}

// unclog lets who waits for room in the socket write on.
func (c *conn) unclog() {
	c.mu.Lock()
	defer c.mu.Unlock()
	wake(&c.writable)
}

// wake closes the channel of who waits, if there is one.
func wake(waits *chan struct{}) {
	if *waits != nil {
		close(*waits)
		*waits = nil
	}
}
