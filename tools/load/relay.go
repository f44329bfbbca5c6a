package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Relay is the raw relay, which all ratios are to: what a client says, every client is told, the
// sender too. A reader and a writer goroutine and a queue per client, all queued bytes in one
// write, no names, nothing stored. It listens on addr, tells out "listening ADDR", and serves
// until ctx ends.
func Relay(ctx context.Context, addr string, out io.Writer) error {
	r := &relay{members: map[*relayMember]struct{}{}}
	r.tell = r.broadcast
	return r.serve(ctx, addr, out)
}

// relay is the raw relay at work.
type relay struct {
	tell func(lines []byte) // what was said: whole lines

	mu      sync.Mutex // guards members, and gives all of them one order
	members map[*relayMember]struct{}
}

// relayMember is a client of the relay.
type relayMember struct {
	conn   net.Conn
	mu     sync.Mutex
	queue  []byte
	closed bool
	news   chan struct{} // of one: the queue is not empty any more
}

func (r *relay) serve(ctx context.Context, addr string, out io.Writer) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = l.Close() }) // ends Accept
	defer stop()
	if _, err := fmt.Fprintln(out, "listening", l.Addr()); err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	var all sync.WaitGroup
	defer all.Wait()
	defer r.hangUp()
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("relay: %w", err)
		}
		m := &relayMember{conn: conn, news: make(chan struct{}, 1)}
		r.mu.Lock()
		r.members[m] = struct{}{}
		m.push([]byte(greeting + "\n"))
		r.mu.Unlock()
		all.Go(func() { r.read(m) })
		all.Go(m.write)
	}
}

func (r *relay) hangUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for m := range r.members {
		_ = m.conn.Close() // ends its goroutines
	}
}

// broadcast queues lines for all.
func (r *relay) broadcast(lines []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for m := range r.members {
		m.push(lines)
	}
}

func (r *relay) read(m *relayMember) {
	defer func() {
		r.mu.Lock()
		delete(r.members, m)
		r.mu.Unlock()
		m.end()
	}()
	in := bufio.NewReader(m.conn)
	for {
		said, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		r.tell(said)
	}
}

func (m *relayMember) push(lines []byte) {
	m.mu.Lock()
	m.queue = append(m.queue, lines...)
	m.mu.Unlock()
	m.wake()
}

func (m *relayMember) wake() {
	select {
	case m.news <- struct{}{}:
	default:
	}
}

func (m *relayMember) end() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.wake()
}

// write sends all that is queued in one write, until the client is gone.
func (m *relayMember) write() {
	defer func() { _ = m.conn.Close() }() // nothing more can be said
	var batch []byte
	for range m.news {
		m.mu.Lock()
		batch, m.queue = m.queue, batch[:0]
		closed := m.closed
		m.mu.Unlock()
		if closed {
			return
		}
		if len(batch) == 0 {
			continue // it went out with the batch before
		}
		if _, err := m.conn.Write(batch); err != nil {
			return
		}
	}
}
