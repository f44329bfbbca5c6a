package edge

import "time"

// LastHeard is when the last byte of any connection was read.
func (e *Edge) LastHeard() time.Time {
	last := int64(0)
	for _, c := range e.sessions.all() {
		last = max(last, c.heard.Load())
	}
	return timeOf(last)
}

// RecentMost is how many events a channel remembers.
const RecentMost = recentMost

// Counts gives how many connections and sessions there are.
func (e *Edge) Counts() (conns, sessions int) { return e.sessions.counts() }
