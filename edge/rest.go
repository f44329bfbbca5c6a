package edge

import (
	"sync/atomic"
	"time"
)

// A write costs some 5 µs of the kernel's time whether it sends one line or fifty, so a writer that
// has much to do waits until many share it. After a round that had several lines to send, or
// during which something was told, the lines of the next gather: until all that this edge's own
// clients have said since is there and nothing more has come for a moment, or for long. At a pace
// where each line's round is over before the next line no line ever waits.
const (
	// restShare is how long they gather at most, in rounds: a busy writer is busy for a quarter of
	// the time.
	restShare = 3
	// restMost bounds that, and so what it adds to a line's way.
	restMost = 10 * time.Millisecond
	// restLooks is in how many parts that is divided to see whether more is told: one without
	// news is enough.
	restLooks = 8
	// restCalm is as much, once the clients have said more, and all of it is there.
	restCalm = 250 * time.Microsecond
	// restFrom is how many sockets make a round that is worth it, and restLines how many lines in
	// one promise as many for the next, for restAfter.
	restFrom  = 64
	restLines = 4
	restAfter = 5 * restMost
)

// coming counts the lines that an edge's clients have said to a channel: when they were begun to
// be stored, and when that has ended.
type coming struct {
	begun, ended atomic.Uint64
	rests        atomic.Int32 // writers that wait for what has begun
}

// rest is the time in which what is told after a round waits for more. It begins with the first of
// that. The writer's goroutine owns it, and changes it with the writer's mutex held.
type rest struct {
	most  time.Duration // how long it lasts; zero when there is none
	over  time.Time     // what is told after that does not wait
	until time.Time     // zero before it has begun
	quiet time.Time     // nothing was told since, as far as was looked
	last  uint64        // how often the writer had been told of news at the last look

	// At the end of the round.
	told, begun, ended uint64
}

// after lets there be one after a round that took so long.
func (r *rest) after(took time.Duration, told uint64, lines *coming, now time.Time) {
	*r = rest{
		most: min(restShare*took, restMost), over: now.Add(restAfter),
		told: told, begun: lines.begun.Load(), ended: lines.ended.Load(),
	}
}

// lasts tells whether it has begun, and not ended as far as was looked.
func (r *rest) lasts() bool { return r.most > 0 && !r.until.IsZero() }

// all tells whether everything is there that the clients have said, as far as can be known: others'
// lines are told too.
func (r *rest) all(told uint64, lines *coming) bool {
	ended, begun := lines.ended.Load(), lines.begun.Load()
	return ended >= begun || told-r.told >= begun-r.ended
}

// left is how much of it is left; told is how often the writer has been told of news.
func (r *rest) left(told uint64, lines *coming, now time.Time) (left time.Duration) {
	if r.most == 0 {
		return 0
	}
	if r.until.IsZero() {
		if now.After(r.over) {
			r.most = 0
			return 0
		}
		r.until, r.quiet, r.last = now.Add(r.most), now, told
		lines.rests.Add(1)
	}
	if told != r.last {
		r.last, r.quiet = told, now
	}
	end := r.until
	switch {
	case !r.all(told, lines): // who brings the last of it wakes the writer
	case lines.begun.Load() != r.begun:
		end = r.quiet.Add(restCalm)
	default:
		end = r.quiet.Add(r.most / restLooks)
	}
	if r.until.Before(end) {
		end = r.until
	}
	if left = end.Sub(now); left <= 0 {
		r.most = 0
		lines.rests.Add(-1)
	}
	return left
}
