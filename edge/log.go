package edge

import "sync/atomic"

// chunkSize is what a log grows by. Larger ones waste memory in quiet channels, smaller ones
// cost writers more steps.
const chunkSize = 32 << 10

// log is a channel's events, encoded once for one dialect and shared by every session that
// hears the channel. One goroutine appends; any number read, without a lock: a chunk's bytes
// never change below its published length. Chunks behind the slowest cursor are garbage.
type log struct {
	tail *chunk
	end  atomic.Uint64 // bytes ever appended
}

type chunk struct {
	buf  []byte                // as long as it will ever be; the first n bytes are published
	n    atomic.Int64          // published length; final once next is set
	next atomic.Pointer[chunk] // what follows
}

// cursor is a place in a log: what is before it has been sent.
type cursor struct {
	chunk *chunk
	off   int
	pos   uint64 // bytes of the log before it
}

func newLog() *log {
	return &log{tail: &chunk{buf: make([]byte, chunkSize)}}
}

// append adds data, whole, to the log.
func (l *log) append(data []byte) {
	if len(data) == 0 {
		return
	}
	t := l.tail
	n := int(t.n.Load())
	if n+len(data) > len(t.buf) {
		next := &chunk{buf: make([]byte, max(chunkSize, len(data)))}
		t.next.Store(next)
		l.tail, t, n = next, next, 0
	}
	copy(t.buf[n:], data)
	t.n.Store(int64(n + len(data)))
	l.end.Add(uint64(len(data)))
}

// here is the place after everything appended. Only the appending goroutine, or one that
// keeps it from appending, may ask.
func (l *log) here() cursor {
	return cursor{chunk: l.tail, off: int(l.tail.n.Load()), pos: l.end.Load()}
}

// step gives the bytes at c in one piece, at most up to the position to, and the cursor
// behind them; none when c has reached to or the end of the log.
func (c cursor) step(to uint64) ([]byte, cursor) {
	for c.pos < to {
		n := int(c.chunk.n.Load())
		if c.off == n {
			next := c.chunk.next.Load()
			if next == nil {
				return nil, c
			}
			// The length may have grown between the two loads; with next set it is final.
			if n = int(c.chunk.n.Load()); c.off == n {
				c.chunk, c.off = next, 0
				continue
			}
		}
		size := min(uint64(n-c.off), to-c.pos)
		piece := c.chunk.buf[c.off : c.off+int(size) : c.off+int(size)]
		c.off += int(size)
		c.pos += size
		return piece, c
	}
	return nil, c
}

// advance moves c over n bytes that step gave.
func (c cursor) advance(n int) cursor {
	for n > 0 {
		piece, next := c.step(c.pos + uint64(n))
		n -= len(piece)
		c = next
	}
	return c
}
