package edge

import (
	"errors"
	"sync"
	"time"
)

// writer sends for a share of the connections. Its goroutine alone sends to them, except to
// one whose socket is full: that one gets a goroutine of its own until it has caught up.
//
// News of a channel wake the writer once, however many sessions hear it; it then makes a round:
// it goes over the sessions of the channel and sends each, in one write, everything it has not
// had. After a round it rests, and what is told meanwhile shares the writes of the next.
type writer struct {
	id int // its place in channel.told

	mu    sync.Mutex // guards the four below; never held while writing
	ops   []op
	news  []*channel
	told  uint64  // how often it was told of news
	due   []*conn // with something of their own to send
	wake  chan struct{}
	lines *coming

	// The goroutine's own.
	members map[*channel][]*conn
	attempt *attempt
	rest    rest   // after the last round; tell reads it, with mu held
	sent    uint64 // of told, in the rounds so far
	now     int64  // when the round began
}

// writersFor is for how many processors there is a writer: the lines' way to it, and NATS in the
// same process, have the others.
const writersFor = 2

// op is a connection that begins or ends to hear a channel.
type op struct {
	ch   *channel
	c    *conn
	join bool
}

func newWriter(id int, lines *coming) *writer {
	return &writer{id: id, wake: make(chan struct{}, 1), lines: lines, members: map[*channel][]*conn{}, attempt: newAttempt()}
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
	w.told++
	first := !ch.told[w.id]
	if first {
		ch.told[w.id] = true
		w.news = append(w.news, ch)
	}
	enough := first || w.rest.lasts() && w.rest.all(w.told, w.lines)
	w.mu.Unlock()
	if enough {
		w.poke()
	}
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
	// The channel may have told something since the session's place in it was found; and what was
	// told before it leaves has no round with it any more.
	if !c.queued {
		c.queued = true
		w.due = append(w.due, c)
	}
	w.mu.Unlock()
	w.poke() // a quiet channel must not keep a connection that is gone
}

// run sends until stop is closed.
func (w *writer) run(stop <-chan struct{}) {
	var ops []op
	var due []*conn
	var news []*channel
	rested := time.NewTimer(restMost)
	defer rested.Stop()
	for {
		select {
		case <-stop:
			return
		case <-w.wake:
		case <-rested.C:
		}
		now := time.Now()
		w.now = instantOf(now)
		left := time.Duration(0)
		w.mu.Lock()
		ops, w.ops = w.ops, ops[:0]
		due, w.due = w.due, due[:0]
		for _, c := range due {
			c.queued = false
		}
		if len(w.news) > 0 {
			left = w.rest.left(w.told, w.lines, now)
		}
		had := w.told - w.sent
		if left <= 0 { // else what is told meanwhile finds its channel in the list, and wakes nobody
			w.sent = w.told
			news, w.news = w.news, news[:0]
			for _, ch := range news {
				ch.told[w.id] = false
			}
		}
		w.mu.Unlock()
		for _, o := range ops {
			w.apply(o)
		}
		for _, c := range due {
			w.flush(c)
		}
		if left > 0 {
			rested.Reset(left)
		}
		w.round(news, had, now)
		clear(ops)
		clear(due)
		clear(news)
		news = news[:0]
	}
}

// round sends every session that hears one of the channels what it has not had, which is so many
// events.
func (w *writer) round(news []*channel, had uint64, begun time.Time) {
	sockets := 0
	for _, ch := range news {
		for _, c := range w.members[ch] {
			w.flush(c)
		}
		sockets += len(w.members[ch])
	}
	if sockets < restFrom {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if had >= restLines || len(w.news) > 0 {
		end := time.Now()
		w.rest.after(end.Sub(begun), w.told, w.lines, end)
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

// flush sends c what it has not had, as far as its socket takes it at once. What comes while it
// is sent waits for the next round: whoever brought it has told the writer.
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
		size, bounded := 0, len(a.pieces) == batchPieces
		for _, p := range a.pieces {
			size += len(p)
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
		closing := c.closing
		c.mu.Unlock()
		if a.n > 0 {
			c.moved(w.now)
		}
		switch {
		case full:
			c.stall()
			return
		case a.n == size && size < batchBytes && !bounded && !closing:
			return
		}
	}
}
