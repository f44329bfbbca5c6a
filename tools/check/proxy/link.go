package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// chunk is how much is carried at once.
	chunk = 32 << 10
	// dialWithin is how long a target may take to accept.
	dialWithin = 5 * time.Second
	// slowTick is how often a link of little bandwidth hands over a piece.
	slowTick = 20 * time.Millisecond
)

// Direction is what a link does to the bytes of one direction. The zero Direction carries
// them at once.
type Direction struct {
	Hold  bool          // nothing gets through; what came stays until this ends
	Delay time.Duration // of every byte
	Rate  int           // bytes a second; 0 is no limit
	Slice int           // at most so many bytes in one write; 0 is no limit
}

// State is what a link does.
type State struct {
	Up   Direction // from who connected to the target
	Down Direction // from the target to who connected
	Deny bool      // new connections are reset at once
}

// Held lets nothing through, both ways, and nobody in.
var Held = State{Up: Direction{Hold: true}, Down: Direction{Hold: true}}

// Link carries the connections to its port on to its target. Its methods may be called from
// anywhere.
type Link struct {
	target   string
	listener net.Listener
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu      sync.Mutex
	state   State
	changed chan struct{} // closed and replaced with each change of state
	pairs   map[*pair]struct{}
	carried int
}

// Listen opens a link to target, host:port, on a free port of 127.0.0.1. Nobody has to
// listen at the target yet. Close ends it.
func Listen(target string) (*Link, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("link to %s: %w", target, err)
	}
	l := &Link{target: target, listener: ln, changed: make(chan struct{}), pairs: map[*pair]struct{}{}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.wg.Go(l.accept)
	return l, nil
}

// Addr is where to connect, host:port.
func (l *Link) Addr() string { return l.listener.Addr().String() }

// Close ends the link and all its connections.
func (l *Link) Close() error {
	l.cancel()
	err := l.listener.Close()
	l.end(true)
	l.wg.Wait()
	return err
}

// Set changes what the link does, for the connections that stand, too.
func (l *Link) Set(s State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = s
	close(l.changed)
	l.changed = make(chan struct{})
}

// Heal lets everything through again. Connections that stand go on.
func (l *Link) Heal() { l.Set(State{}) }

// Cut ends the connections that stand, in order (FIN).
func (l *Link) Cut() { l.end(false) }

// Reset ends the connections that stand, rudely (RST).
func (l *Link) Reset() { l.end(true) }

// Open is how many connections stand.
func (l *Link) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pairs)
}

// Carried is how many connections there ever were.
func (l *Link) Carried() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.carried
}

func (l *Link) end(rude bool) {
	l.mu.Lock()
	var all []*pair
	for p := range l.pairs {
		all = append(all, p)
	}
	l.mu.Unlock()
	for _, p := range all {
		p.end(rude)
	}
}

// now gives what the link does, and what is closed when that changes.
func (l *Link) now() (State, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state, l.changed
}

func (l *Link) accept() {
	for {
		c, err := l.listener.Accept()
		if err != nil {
			if l.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			continue // nothing to do about a connection that failed while it came in
		}
		l.wg.Go(func() { l.carry(c) })
	}
}

// carry carries one connection until both its directions have ended.
func (l *Link) carry(near net.Conn) {
	p := &pair{near: near, done: make(chan struct{})}
	l.mu.Lock()
	l.pairs[p] = struct{}{}
	l.carried++
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.pairs, p)
		l.mu.Unlock()
		p.end(false)
	}()
	if l.ctx.Err() != nil {
		return
	}
	// Who connects into a partition hears nothing: not even whether the target is there.
	open := func(s State) bool { return s.Deny || !s.Up.Hold && !s.Down.Hold }
	s, ok := l.wait(p, open)
	if !ok {
		return
	}
	if s.Deny {
		p.end(true)
		return
	}
	ctx, cancel := context.WithTimeout(l.ctx, dialWithin)
	defer cancel()
	var d net.Dialer
	far, err := d.DialContext(ctx, "tcp", l.target)
	if err != nil || !p.join(far) {
		p.end(true)
		return
	}
	var both sync.WaitGroup
	both.Go(func() { l.pump(p, far, near, func(s State) Direction { return s.Up }) })
	both.Go(func() { l.pump(p, near, far, func(s State) Direction { return s.Down }) })
	both.Wait()
}

// wait returns once the state is as asked for; false when the pair or the link ends first.
func (l *Link) wait(p *pair, until func(State) bool) (State, bool) {
	for {
		s, changed := l.now()
		if until(s) {
			return s, true
		}
		select {
		case <-changed:
		case <-p.done:
			return s, false
		case <-l.ctx.Done():
			return s, false
		}
	}
}

// pump carries one direction from src to dst. The end of src arrives like its bytes: late,
// when they are late.
func (l *Link) pump(p *pair, dst, src net.Conn, of func(State) Direction) {
	buf := make([]byte, chunk)
	for {
		n, err := src.Read(buf)
		s, _ := l.now()
		if d := of(s); d.Delay > 0 && !p.pause(d.Delay) {
			return
		}
		if _, ok := l.wait(p, func(s State) bool { return !of(s).Hold }); !ok {
			return
		}
		if n > 0 && !l.hand(p, dst, buf[:n], of) {
			p.end(true)
			return
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			if half, ok := dst.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
				p.end(true)
			}
			return
		default:
			p.end(true)
			return
		}
	}
}

// hand writes data as the direction has it.
func (l *Link) hand(p *pair, dst net.Conn, data []byte, of func(State) Direction) bool {
	for len(data) > 0 {
		s, ok := l.wait(p, func(s State) bool { return !of(s).Hold })
		if !ok {
			return false
		}
		d, n := of(s), len(data)
		if d.Slice > 0 {
			n = min(n, d.Slice)
		}
		if d.Rate > 0 {
			n = min(n, max(1, d.Rate/int(time.Second/slowTick)))
		}
		if _, err := dst.Write(data[:n]); err != nil {
			return false
		}
		data = data[n:]
		if d.Rate > 0 && !p.pause(time.Duration(n)*time.Second/time.Duration(d.Rate)) {
			return false
		}
	}
	return true
}

// pair is a connection and its continuation.
type pair struct {
	near net.Conn
	done chan struct{}

	mu    sync.Mutex
	far   net.Conn // nil until it is dialled
	ended bool
}

// join adds the continuation; false when the pair has ended already.
func (p *pair) join(far net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		_ = far.Close() // nobody has used it
		return false
	}
	p.far = far
	return true
}

// end closes both; rudely is with RST. Only the first call counts.
func (p *pair) end(rude bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.ended = true
	close(p.done)
	for _, c := range []net.Conn{p.near, p.far} {
		if c == nil {
			continue
		}
		if tcp, ok := c.(*net.TCPConn); ok && rude {
			_ = tcp.SetLinger(0) // it is closed all the same
		}
		_ = c.Close() // its end is all that is wanted
	}
}

// pause waits; false when the pair ends first.
func (p *pair) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.done:
		return false
	}
}
