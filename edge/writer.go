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

	mu   sync.Mutex // guards the four below; never held while writing
	ops  []op
	news []*channel
	told uint64  // how often it was told of news
	due  []*conn // with something of their own to send
	wake chan struct{}

	// The goroutine's own.
	members map[*channel][]*conn
	attempt *attempt
	rest    rest // after the last round
}

// A write costs some 5 µs of the kernel's time whether it sends one line or fifty, so a writer
// that has much to do does it less often: when something was told during a round, it rests before
// the next, until nothing more comes or it has rested for long. At a pace where each line's round is
// over before the next line no line ever waits.
const (
	// writersFor is for how many processors there is a writer: the lines' way to it, and NATS in
	// the same process, have the others.
	writersFor = 2
	// restShare is how long it rests at most, in rounds: a busy writer is busy for a quarter of the
	// time.
	restShare = 3
	// restLooks is in how many parts that is divided to see whether more is told.
	restLooks = 3
	// restMost bounds the rest, and so what it adds to a line's way.
	restMost = 10 * time.Millisecond
	// restFrom is how many sockets make a round that is worth a rest.
	restFrom = 64
)

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
	w.told++
	first := !ch.told[w.id]
	if first {
		ch.told[w.id] = true
		w.news = append(w.news, ch)
	}
	w.mu.Unlock()
	if first {
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
		left := time.Duration(0)
		w.mu.Lock()
		ops, w.ops = w.ops, ops[:0]
		due, w.due = w.due, due[:0]
		for _, c := range due {
			c.queued = false
		}
		wanted := len(w.news) > 0
		if wanted {
			left = w.rest.left(w.told, now)
		}
		if left <= 0 { // else what is told meanwhile finds its channel in the list, and wakes nobody
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
		w.round(news, now)
		clear(ops)
		clear(due)
		clear(news)
		news = news[:0]
	}
}

// round sends every session that hears one of the channels what it has not had.
func (w *writer) round(news []*channel, begun time.Time) {
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
	told, busy := w.told, len(w.news) > 0
	w.mu.Unlock()
	if end := time.Now(); busy {
		w.rest.begin(told, end.Sub(begun), end)
	}
}

// rest is the time after a round in which what is told waits for the next one. It ends when
// nothing more has been told for a while, as when all who talk wait for what they said, and at
// its bound. The writer's goroutine owns it.
type rest struct {
	until time.Time // zero when there is none
	next  time.Time // when is looked again
	gap   time.Duration
	told  uint64 // how often the writer had been told of news at the last look
}

// left is how much of it is left; told is how often the writer has been told of news.
func (r *rest) left(told uint64, now time.Time) time.Duration {
	if r.until.IsZero() {
		return 0
	}
	if told != r.told && !now.Before(r.next) {
		r.told, r.next = told, now.Add(r.gap)
		if r.until.Before(r.next) {
			r.next = r.until
		}
	}
	left := r.next.Sub(now)
	if left <= 0 {
		r.until = time.Time{}
	}
	return left
}

// begin begins it after a round that took so long.
func (r *rest) begin(told uint64, took time.Duration, now time.Time) {
	most := min(restShare*took, restMost)
	r.gap = most / restLooks
	r.until, r.next, r.told = now.Add(most), now.Add(r.gap), told
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
			c.moved()
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
