package edge

import (
	"math"
	"slices"
)

// source is something to send: bytes of one session's own, or a stretch of a shared log.
type source struct {
	own []byte // unsent; used when log is nil
	log *log
	cur cursor
	to  uint64 // the log's position to stop at; forever while the session hears the channel
}

const forever = math.MaxUint64

// lag is how much of s is unsent.
func (s *source) lag() uint64 {
	if s.log == nil {
		return uint64(len(s.own))
	}
	if end := min(s.to, s.log.end.Load()); end > s.cur.pos {
		return end - s.cur.pos
	}
	return 0
}

// over tells whether nothing will ever follow.
func (s *source) over() bool {
	if s.log == nil {
		return len(s.own) == 0
	}
	return s.cur.pos >= s.to
}

// advance takes n bytes as sent.
func (s *source) advance(n int) {
	if s.log == nil {
		s.own = s.own[n:]
		return
	}
	s.cur = s.cur.advance(n)
}

// pieces appends the next n bytes of s, which has them.
func (s *source) pieces(dst [][]byte, n int) [][]byte {
	if s.log == nil {
		return append(dst, s.own[:n])
	}
	for cur, end := s.cur, s.cur.pos+uint64(n); cur.pos < end; {
		var piece []byte
		piece, cur = cur.step(end)
		dst = append(dst, piece)
	}
	return dst
}

// The slots of an outbox: what a session may hear at one time.
const (
	slotLobby = iota
	slotRoom
	slotGame
	slots
)

// outbox is everything a socket has not had yet: first the queue, in order, then what its
// channels have told since. Its owner guards it with the connection's mutex.
//
// The queue holds replies and whispers, and the rest of a channel that the session has left,
// so that "bye" comes after the last line that it was to see.
type outbox struct {
	queue []*source
	feeds [slots]*source
	parts []part // of the batch that is being sent: what of it is still unsent
}

// part is how many bytes of a batch are of which source.
type part struct {
	src *source
	n   int
}

// push queues bytes of the session's own.
func (o *outbox) push(data []byte) {
	if len(data) == 0 {
		return
	}
	if n := len(o.queue); n > 0 && o.queue[n-1].log == nil {
		o.queue[n-1].own = append(o.queue[n-1].own, data...)
		return
	}
	o.queue = append(o.queue, &source{own: slices.Clone(data)})
}

// hear opens a slot at cur.
func (o *outbox) hear(slot int, l *log, cur cursor) {
	o.feeds[slot] = &source{log: l, cur: cur, to: forever}
}

// leave closes a slot: what its log holds up to to is still sent, before anything that is
// pushed later.
func (o *outbox) leave(slot int, to uint64) {
	s := o.feeds[slot]
	if s == nil {
		return
	}
	o.feeds[slot] = nil
	s.to = to
	if !s.over() {
		o.queue = append(o.queue, s)
	}
}

// Bounds of one write: enough to make its cost small beside the bytes', not so much that one
// socket keeps the others waiting.
const (
	batchPieces = 64
	batchBytes  = 256 << 10
)

// batch collects into dst what to send next. A batch that was sent in part is finished first,
// whatever was pushed or told since: a message must not begin within another.
func (o *outbox) batch(dst [][]byte) [][]byte {
	if len(o.parts) > 0 {
		for _, p := range o.parts {
			dst = p.src.pieces(dst, p.n)
		}
		return dst
	}
	bytes := 0
	take := func(s *source) {
		if s.log == nil {
			if len(s.own) > 0 && bytes < batchBytes && len(dst) < batchPieces {
				dst = append(dst, s.own)
				o.parts = append(o.parts, part{s, len(s.own)})
				bytes += len(s.own)
			}
			return
		}
		cur, n := s.cur, 0
		for bytes < batchBytes && len(dst) < batchPieces {
			var piece []byte
			if piece, cur = cur.step(s.to); piece == nil {
				break
			}
			dst = append(dst, piece)
			n += len(piece)
			bytes += len(piece)
		}
		if n > 0 {
			o.parts = append(o.parts, part{s, n})
		}
	}
	for _, s := range o.queue {
		take(s)
	}
	// What follows in the queue comes before the channels: when it did not fit, they wait.
	if bytes < batchBytes && len(dst) < batchPieces {
		for _, s := range o.feeds {
			if s != nil {
				take(s)
			}
		}
	}
	return dst
}

// sent takes n bytes of the batch as sent.
func (o *outbox) sent(n int) {
	whole := 0
	for i := range o.parts {
		p := &o.parts[i]
		step := min(n, p.n)
		p.src.advance(step)
		p.n -= step
		if n -= step; p.n > 0 {
			break
		}
		whole++
	}
	o.parts = slices.Delete(o.parts, 0, whole)
	done := 0
	for done < len(o.queue) && o.queue[done].over() {
		done++
	}
	if done == len(o.queue) {
		o.queue = nil // no buffer held by an idle connection
		return
	}
	o.queue = slices.Delete(o.queue, 0, done)
}

// silence closes every slot at once: of the channels only what a batch has begun is still
// sent.
func (o *outbox) silence() { o.feeds = [slots]*source{} }

// own is how much waits of the session's own, lag how much in all.
func (o *outbox) own() (n int) {
	for _, s := range o.queue {
		if s.log == nil {
			n += len(s.own)
		}
	}
	return n
}

func (o *outbox) lag() (n uint64) {
	for _, s := range o.queue {
		n += s.lag()
	}
	for _, s := range o.feeds {
		if s != nil {
			n += s.lag()
		}
	}
	return n
}
