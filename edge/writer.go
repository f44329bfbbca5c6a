package edge

import (
	"errors"
	"sync"
)

// writer sends for a share of the connections. Its goroutine alone sends to them, except to
// one whose socket is full: that one gets a goroutine of its own until it has caught up.
//
// News of a channel wake the writer once, however many sessions hear it; it then goes over
// the sessions of the channel and sends each, in one write, everything it has not had.
type writer struct {
	id int // its place in channel.told

	mu   sync.Mutex // guards the three below; never held while writing
	ops  []op
	news []*channel
	due  []*conn // with something of their own to send
	wake chan struct{}

	// The goroutine's own.
	members map[*channel][]*conn
	attempt *attempt
}

// op is a connection that begins or ends to hear a channel.
type op struct {
	ch   *channel
	c    *conn
	join bool
}

func newWriter(id int) *writer {
	return &writer{id: id, wake: make(chan struct{}, 1), members: map[*channel][]*conn{}, attempt: newAttempt()}
}

func (w *writer) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// tell says that ch has news.
func (w *writer) tell(ch *channel) {
	w.mu.Lock()
	if !ch.told[w.id] {
		ch.told[w.id] = true
		w.news = append(w.news, ch)
	}
	w.mu.Unlock()
	w.poke()
}

// send says that c has something of its own to send.
func (w *writer) send(c *conn) {
	w.mu.Lock()
	if !c.queued {
		c.queued = true
		w.due = append(w.due, c)
	}
	w.mu.Unlock()
	w.poke()
}

// member adds c to the sessions that hear ch, or takes it away.
func (w *writer) member(ch *channel, c *conn, join bool) {
	w.mu.Lock()
	w.ops = append(w.ops, op{ch, c, join})
	w.mu.Unlock()
	if join {
		w.tell(ch) // it may have told something since the session's place in it was found
		return
	}
	w.poke() // a quiet channel must not keep a connection that is gone
}

// run sends until stop is closed.
func (w *writer) run(stop <-chan struct{}) {
	var ops []op
	var news []*channel
	var due []*conn
	for {
		select {
		case <-stop:
			return
		case <-w.wake:
		}
		w.mu.Lock()
		ops, w.ops = w.ops, ops[:0]
		news, w.news = w.news, news[:0]
		due, w.due = w.due, due[:0]
		for _, ch := range news {
			ch.told[w.id] = false
		}
		for _, c := range due {
			c.queued = false
		}
		w.mu.Unlock()
		for _, o := range ops {
			w.apply(o)
		}
		for _, c := range due {
			w.flush(c)
		}
		for _, ch := range news {
			for _, c := range w.members[ch] {
				w.flush(c)
			}
		}
		clear(ops)
		clear(news)
		clear(due)
	}
}

func (w *writer) apply(o op) {
	list := w.members[o.ch]
	if o.join {
		w.members[o.ch] = append(list, o.c)
		return
	}
	for i, c := range list {
		if c == o.c {
			list[i] = list[len(list)-1]
			list[len(list)-1] = nil
			list = list[:len(list)-1]
			break
		}
	}
	if len(list) == 0 {
		delete(w.members, o.ch)
		return
	}
	w.members[o.ch] = list
}

// flush sends c what it has not had, as far as its socket takes it at once.
func (w *writer) flush(c *conn) {
	a := w.attempt
	for {
		c.mu.Lock()
		if c.stalled || c.dead {
			c.mu.Unlock()
			return
		}
		a.pieces = c.out.batch(a.pieces[:0])
		c.mu.Unlock()
		if len(a.pieces) == 0 {
			c.sentAll()
			return
		}
		c.sock.try(a)
		clear(a.pieces)
		full := errors.Is(a.err, errFull)
		if a.err != nil && !full {
			c.fail(a.err)
			return
		}
		c.mu.Lock()
		c.out.sent(max(0, a.n))
		c.mu.Unlock()
		if a.n > 0 {
			c.moved()
		}
		if full {
			c.stall()
			return
		}
	}
}
