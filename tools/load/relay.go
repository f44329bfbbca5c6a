package load

import (
	"bytes"
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
	r := &relay{}
	r.tell = r.broadcast
	return r.serve(ctx, addr, out)
}

// relay is the raw relay at work.
type relay struct {
	tell func(lines []byte) // what was said: whole lines

	mu      sync.Mutex // guards members, and gives all of them one order
	members []*relayMember
}

// sayMost is how much is read of a client at once.
const sayMost = 4096

// relayMember is a client of the relay.
type relayMember struct {
	conn   net.Conn
	index  int // among the relay's members, guarded by its mutex
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
		m.index = len(r.members)
		r.members = append(r.members, m)
		m.push([]byte(greeting + "\n"))
		r.mu.Unlock()
		all.Go(func() { r.read(m) })
		all.Go(m.write)
	}
}

func (r *relay) hangUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		_ = m.conn.Close() // ends its goroutines
	}
}

// broadcast queues lines for all.
func (r *relay) broadcast(lines []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		m.push(lines)
	}
}

func (r *relay) read(m *relayMember) {
	defer func() {
		r.mu.Lock()
		last := r.members[len(r.members)-1]
		r.members[m.index], last.index = last, m.index
		r.members = r.members[:len(r.members)-1]
		r.mu.Unlock()
		m.end()
	}()
	buffer := make([]byte, sayMost)
	for kept := 0; ; {
		n, err := m.conn.Read(buffer[kept:])
		if err != nil {
			return
		}
		n += kept
		whole := bytes.LastIndexByte(buffer[:n], '\n') + 1
		if whole == 0 && n == len(buffer) {
			return // nobody says so long a line
		}
		if whole > 0 {
			for l := range bytes.Lines(buffer[:whole]) {
				r.tell(l)
			}
		}
		kept = copy(buffer, buffer[whole:n])
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
