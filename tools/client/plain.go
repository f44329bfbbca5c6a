package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/wire"
)

const (
	// A pipe gives up when it could not connect again for so long: no session waits longer.
	plainPatience = time.Minute
	// How long signing out may take when somebody wants to leave.
	goodbyeWithin = 2 * time.Second
)

// plain is the client as a pipe.
type plain struct {
	session *session
	out     io.Writer
	errOut  io.Writer

	met    chan struct{} // closed at the first connection
	failed chan error    // the first thing that ends it

	mu       sync.Mutex // guards the rest: commands and what is heard both write
	user     string
	seen     bool      // there was a connection
	unsaid   bool      // a command has no answer and never will have
	lostAt   time.Time // zero while there is one
	writeErr error
}

// runPlain carries out first, and then speaks lines until in or ctx ends.
func runPlain(ctx context.Context, dial func(context.Context) (net.Conn, error), in io.Reader, out, errOut io.Writer, first ...wire.Command) error {
	p := &plain{out: out, errOut: errOut, met: make(chan struct{}), failed: make(chan error, 1)}
	p.session = newSession(dial, p.tell)
	// Signing out outlives ctx, so the session does, too.
	sessionCtx, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { p.session.run(sessionCtx) })
	defer running.Wait()
	defer hangUp()

	for _, cmd := range first {
		if err := p.ask(ctx, cmd); err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	lines := make(chan typed)
	// Nothing can end a read of standard input: it ends with the process.
	go readLines(ctx, in, lines)
	for {
		select {
		case <-ctx.Done():
			if !p.signedIn() {
				return nil
			}
			return p.leave(context.WithoutCancel(ctx), goodbyeWithin)
		case err := <-p.failed:
			return err
		case line, more := <-lines:
			if !more {
				return p.leave(ctx, 0)
			}
			if line.err != nil {
				return errors.Join(line.err, p.leave(ctx, 0))
			}
			quit, err := p.obey(ctx, line)
			if err != nil || quit {
				return err
			}
		}
	}
}

// obey carries out one line, and waits for its answer.
func (p *plain) obey(ctx context.Context, line typed) (quit bool, err error) {
	cmd, err := wire.ParseLine(line.text)
	if line.tooLong {
		err = fault.New(fault.TooLong, "line too long (%d bytes at most)", wire.MaxLine)
	}
	if err != nil {
		f, _ := fault.From(err)
		return false, p.write(wire.AppendReply(nil, wire.Reply{Err: f}, time.Now()))
	}
	switch cmd.Type {
	case wire.Help:
		return false, p.write(wire.AppendReply(nil, wire.Reply{Type: wire.Help}, time.Now()))
	case wire.Quit:
		if p.signedIn() {
			return true, p.leave(ctx, 0)
		}
		return true, p.write(wire.AppendReply(nil, wire.Reply{Type: wire.Quit}, time.Now()))
	}
	if err = p.ask(ctx, cmd); errors.Is(err, context.Canceled) {
		err = nil // the caller sees that, and leaves
	}
	return false, err
}

// ask sends a command and waits for its answer.
func (p *plain) ask(ctx context.Context, cmd wire.Command) error {
	answered := make(chan struct{})
	p.session.do(cmd, answered)
	select {
	case <-answered:
		return nil
	case err := <-p.failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave signs out, so that what was said before has come to its end. within bounds it.
func (p *plain) leave(ctx context.Context, within time.Duration) error {
	if !p.signedIn() {
		select { // whoever asked for nothing is told, too, that nobody is there
		case <-p.met:
		case err := <-p.failed:
			return err
		case <-ctx.Done():
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.writeErr
	}
	limited := ctx
	if within > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, within)
		defer cancel()
	}
	err := p.ask(limited, wire.Command{Type: wire.SignOut})
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return nil // interrupted, and not waited for any longer
	}
	return err
}

func (p *plain) signedIn() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.user != ""
}

// tell takes what the session tells.
func (p *plain) tell(update any) {
	now := time.Now()
	switch u := update.(type) {
	case event.Stored:
		p.show(wire.AppendEvent(nil, u, time.Local))
	case wire.Private:
		p.show(wire.AppendPrivate(nil, u, now))
	case answer:
		if u.lost { // the link tells why, and ends it
			p.mu.Lock()
			p.unsaid = true
			p.mu.Unlock()
			return
		}
		if u.cmd.Type == wire.SignOut && u.reply.Err == nil {
			p.mu.Lock()
			p.user = ""
			p.mu.Unlock()
		}
		p.show(wire.AppendReply(nil, u.reply, now))
		if answered, ok := u.tag.(chan struct{}); ok {
			close(answered)
		}
	case welcome:
		p.mu.Lock()
		p.user = u.user
		p.mu.Unlock()
	case over:
		p.fail(errors.New(u.why))
	case link:
		p.link(u, now)
	}
}

// link takes what becomes of the connection.
func (p *plain) link(l link, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch l.state {
	case connecting:
	case connected:
		if p.seen {
			_, _ = fmt.Fprintln(p.errOut, "connected again")
		} else {
			close(p.met)
		}
		p.seen, p.lostAt = true, time.Time{}
	case away:
		p.fail(l.err)
	case lost:
		if !p.seen || l.alien {
			p.fail(l.err)
			return
		}
		if p.unsaid {
			p.fail(fmt.Errorf("%w; whether the last command was carried out is not known", l.err))
			return
		}
		if p.lostAt.IsZero() {
			p.lostAt = now
			_, _ = fmt.Fprintf(p.errOut, "%v, trying again\n", l.err)
		}
		if now.Sub(p.lostAt) > plainPatience {
			p.fail(l.err)
		}
	}
}

// fail ends the pipe; the first reason counts.
func (p *plain) fail(err error) {
	select {
	case p.failed <- err:
	default:
	}
}

// show writes what was heard. An output that is gone ends the pipe.
func (p *plain) show(lines []byte) {
	if err := p.write(lines); err != nil {
		p.fail(err)
	}
}

func (p *plain) write(lines []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writeErr == nil && len(lines) > 0 {
		if _, err := p.out.Write(lines); err != nil {
			p.writeErr = fmt.Errorf("write: %w", err)
		}
	}
	return p.writeErr
}

// typed is a line of input without its end.
type typed struct {
	text    []byte
	tooLong bool
	err     error // input broke
}

// readLines reads lines until in ends, and then closes lines. Of a line that is too long it
// keeps nothing.
func readLines(ctx context.Context, in io.Reader, lines chan<- typed) {
	defer close(lines)
	r := bufio.NewReaderSize(in, wire.MaxLine+2)
	for {
		data, err := r.ReadSlice('\n')
		line := typed{tooLong: errors.Is(err, bufio.ErrBufferFull)}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = r.ReadSlice('\n')
		}
		if !line.tooLong {
			data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
			line.tooLong = len(data) > wire.MaxLine
			line.text = bytes.Clone(data)
		}
		if err == nil || len(line.text) > 0 || line.tooLong {
			select {
			case lines <- line:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				select {
				case lines <- typed{err: fmt.Errorf("read: %w", err)}:
				case <-ctx.Done():
				}
			}
			return
		}
	}
}
