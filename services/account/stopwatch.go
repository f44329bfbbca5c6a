package account

import (
	"sync"
	"time"
)

// marksMost bounds the memory of a stopwatch; what it forgets is measured from the clock
// again.
const marksMost = 100_000

// stopwatch measures running sessions so that what it says of one never shrinks. The first
// time it compares the clock with the session's beginning; from then on it adds what has
// passed since it was last asked, by the monotonic clock that time.Now carries, so that the
// wall clock may be set meanwhile. Its mutex guards marks.
type stopwatch struct {
	now   func() time.Time
	mu    sync.Mutex
	marks map[string]mark // by user id
}

type mark struct {
	epoch   uint64
	at      time.Time
	elapsed time.Duration
}

// elapsed is how long the user's session of that epoch, begun at since, has lasted.
func (w *stopwatch) elapsed(userID string, epoch uint64, since time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	m, ok := w.marks[userID]
	from := m.at
	if !ok || m.epoch != epoch {
		m, from = mark{epoch: epoch}, since
	}
	m.elapsed += max(0, now.Sub(from))
	m.at = now
	if w.marks == nil || len(w.marks) >= marksMost {
		w.marks = map[string]mark{}
	}
	w.marks[userID] = m
	return m.elapsed
}
