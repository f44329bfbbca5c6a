package edge

import (
	"context"
	"sort"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"gamehall/shared/event"
	"gamehall/shared/wire"
)

// channel is one that sessions of this edge are in: its shared log, and where in the
// stream's order the log is. The hub's goroutine alone appends.
type channel struct {
	name string // "lobby", "game21", "room.<id>"
	told []bool // by writer, guarded by it: it is about to look
	sub  *nats.Subscription
	refs int // who needs the channel; guarded by the hub
	// ready is closed once last is known, or with err set that it could not be found.
	ready chan struct{}
	err   error

	// The hub's own.
	known   bool        // last is known
	checked uint64      // everything up to here was looked for in the stream
	before  uint64      // the last event to clients, for whom nothing is where one is skipped
	room    string      // a room's name as its events show it
	held    []*nats.Msg // live messages behind a hole, or from before last was known
	filling bool
	dropped int // by sub, as counted

	mu      sync.Mutex       // guards the rest
	last    uint64           // sequence of the last event in the logs
	logs    [dialects]*log   // the same events, encoded once for each dialect in use
	recent  []place          // ring: where the last events begin
	oldest  int              // of the ring
	from    uint64           // events up to this one are not in recent
	silent  [dialects]uint64 // nor, up to this one, in that dialect's log: nobody spoke it then
	waiting map[*conn]waiter // sessions that joined at a sequence the log has not reached
	marks   []mark
	gone    departures
}

// mark is closed once the log has reached a sequence.
type mark struct {
	seq  uint64
	done chan struct{}
}

// place is where in the log an event begins.
type place struct {
	seq uint64
	at  [dialects]cursor
}

// waiter is a session that hears the channel from the first event after seq on.
type waiter struct {
	slot int
	s    *session
	seq  uint64
}

func newChannel(name string, writers int) *channel {
	ch := &channel{name: name, told: make([]bool, writers), ready: make(chan struct{}), waiting: map[*conn]waiter{}}
	for d := range ch.logs {
		ch.logs[d] = newLog()
	}
	return ch
}

// begin lets the log start after the event with sequence seq.
func (ch *channel) begin(seq uint64) {
	ch.mu.Lock()
	ch.last, ch.from = seq, seq
	ch.mu.Unlock()
	ch.checked = seq
	ch.known = true
}

// join lets session s of c hear what the channel tells after seq, in slot. It does nothing
// and gives false when that is further back than the log remembers, and when s has left.
func (ch *channel) join(c *conn, s *session, slot int, seq uint64) bool {
	since := c.joinedAt(s, slot)
	ch.mu.Lock()
	defer ch.mu.Unlock()
	_, left := ch.gone.of(s, since)
	switch {
	case left:
		return false
	case seq > ch.last:
		ch.waiting[c] = waiter{slot, s, seq}
		return true
	case seq < max(ch.from, ch.silent[c.dialect]):
		return false
	}
	at := ch.logs[c.dialect].here()
	if i := sort.Search(len(ch.recent), func(i int) bool { return ch.nth(i).seq > seq }); i < len(ch.recent) {
		at = ch.nth(i).at[c.dialect]
	}
	ch.attach(c, s, slot, at)
	return true
}

// nth is the place of an event that is remembered, 0 the oldest's; ch.mu is held.
func (ch *channel) nth(i int) *place { return &ch.recent[(ch.oldest+i)%len(ch.recent)] }

// joinedAt is the sequence at which s joined the channel in slot.
func (c *conn) joinedAt(s *session, slot int) uint64 {
	if slot != slotRoom {
		return s.seq
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.room == nil {
		return s.roomed // it has left it again
	}
	return s.room.seq
}

// note remembers the leaving ev. That is done before the session is looked for that leaves, and
// a session is looked for here after it can be found: one of the two finds the other.
func (ch *channel) note(ev event.Stored) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.gone.note(ev)
}

// left gives the leaving of s, which joined at the sequence since, or of a later session of its
// user, if one is known.
func (ch *channel) left(s *session, since uint64) (departure, bool) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.gone.of(s, since)
}

// start is the sequence after which the log of d remembers everything.
func (ch *channel) start(d dialect) uint64 {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return max(ch.from, ch.silent[d])
}

// attach is called with ch.mu held, so that the log does not move.
func (ch *channel) attach(c *conn, s *session, slot int, at cursor) {
	c.mu.Lock()
	ok := !c.dead && !c.closing && c.session == s && !s.dropped
	if slot == slotRoom { // which may have been left since it was joined
		ok = ok && s.room != nil && s.room.ch == ch
	}
	if ok {
		c.hears[slot] = ch
		c.out.hear(slot, ch.logs[c.dialect], at)
	}
	c.mu.Unlock()
	if ok {
		c.w.member(ch, c, true)
	}
}

// leave ends what a session hears of the channel; what has been told so far is still sent.
func (ch *channel) leave(c *conn, slot int) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	delete(ch.waiting, c)
	c.mu.Lock()
	heard := c.hears[slot] == ch
	if heard {
		c.hears[slot] = nil
		c.out.leave(slot, ch.logs[c.dialect].end.Load())
	}
	c.mu.Unlock()
	if heard {
		c.w.member(ch, c, false)
	}
}

// add appends an event. Sessions that waited for it to pass begin behind it or before it.
func (ch *channel) add(e event.Stored, spoken [dialects]bool) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.admit(e.Seq)
	p := place{seq: e.Seq, at: ch.here()}
	if len(ch.recent) < recentMost {
		ch.recent = append(ch.recent, p)
	} else {
		ch.from = ch.recent[ch.oldest].seq
		ch.recent[ch.oldest] = p
		ch.oldest = (ch.oldest + 1) % len(ch.recent)
	}
	for d := range ch.logs {
		if !spoken[d] {
			ch.silent[d] = e.Seq
			continue
		}
		ch.logs[d].append(dialect(d).event(e))
	}
	ch.reach(e.Seq)
}

// here is the end of each log; ch.mu is held.
func (ch *channel) here() (at [dialects]cursor) {
	for d := range ch.logs {
		at[d] = ch.logs[d].here()
	}
	return at
}

// skip moves past an event that cannot be shown.
func (ch *channel) skip(seq uint64) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.admit(seq)
	ch.reach(seq)
}

// reach moves the end of the log and wakes who waits for it; ch.mu is held.
func (ch *channel) reach(seq uint64) {
	ch.last = seq
	left := ch.marks[:0]
	for _, m := range ch.marks {
		if m.seq <= seq {
			close(m.done)
			continue
		}
		left = append(left, m)
	}
	clear(ch.marks[len(left):])
	ch.marks = left
}

// wait returns once the log has reached seq, or ctx ends.
func (ch *channel) wait(ctx context.Context, seq uint64) {
	ch.mu.Lock()
	if ch.last >= seq {
		ch.mu.Unlock()
		return
	}
	m := mark{seq, make(chan struct{})}
	ch.marks = append(ch.marks, m)
	ch.mu.Unlock()
	select {
	case <-m.done:
	case <-ctx.Done():
	}
}

// lose moves past the events in (after, upTo], which nobody can have any more, and says so. A
// session that joins before them has to look for itself.
func (ch *channel) lose(after, upTo uint64) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.admit(upTo)
	p := wire.Private{Kind: wire.KindGap, Channel: ch.shown(), Missed: int(upTo - after)} // a number of events
	for d := range ch.logs {
		ch.logs[d].append(dialect(d).private(p))
	}
	ch.from = max(ch.from, upTo)
	ch.reach(upTo)
}

// shown is what clients call the channel, as far as the hub knows it.
func (ch *channel) shown() string {
	switch {
	case !strings.HasPrefix(ch.name, "room."):
		return ch.name
	case ch.room == "":
		return ""
	}
	return "room:" + ch.room
}

// admit attaches the waiters whose join is before the event next, which is about to be
// appended; ch.mu is held.
func (ch *channel) admit(next uint64) {
	if len(ch.waiting) == 0 {
		return
	}
	for c, w := range ch.waiting {
		if w.seq < next {
			ch.attach(c, w.s, w.slot, ch.logs[c.dialect].here())
			delete(ch.waiting, c)
		}
	}
	if len(ch.waiting) == 0 {
		ch.waiting = map[*conn]waiter{} // the old one keeps the room of all that it ever held
	}
}

// reached gives the last sequence in the log.
func (ch *channel) reached() uint64 {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.last
}
