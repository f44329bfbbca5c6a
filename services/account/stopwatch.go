package account

import (
	"context"
	"sync"
	"time"

	"gamehall/shared/session"
)

// marksMost bounds the memory of a stopwatch; what it forgets is measured from the clock
// again.
const marksMost = 100_000

// lookEvery is how often the sessions are looked at that nobody has asked about yet.
const lookEvery = 5 * time.Second

// stopwatch measures running sessions so that what it says of one never shrinks. The first
// time it compares the clock with the session's beginning; from then on it adds what has
// passed since it was last asked, by the monotonic clock that time.Now carries, so that the
// wall clock may be set meanwhile. Every copy has one and begins to measure a session soon
// after it began, so that it does not matter which is asked. Its mutex guards marks.
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
	m := w.measure(userID, epoch, since, w.now())
	if _, known := w.marks[userID]; w.marks == nil || !known && len(w.marks) >= marksMost {
		w.marks = map[string]mark{}
	}
	w.marks[userID] = m
	return m.elapsed
}

// measure brings the mark of a session up to now; w.mu is held.
func (w *stopwatch) measure(userID string, epoch uint64, since, now time.Time) mark {
	m, ok := w.marks[userID]
	from := m.at
	if !ok || m.epoch != epoch {
		m, from = mark{epoch: epoch}, since
	}
	m.elapsed += max(0, now.Sub(from))
	m.at = now
	return m
}

// look begins to measure the sessions that are new, and forgets those that are over.
func (w *stopwatch) look(all []*session.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.marks == nil {
		w.marks = make(map[string]mark, len(all))
	}
	now := w.now()
	for _, r := range all {
		w.marks[r.UserID] = w.measure(r.UserID, r.Epoch(), r.Since, now)
	}
	for id, m := range w.marks {
		if now.Sub(m.at) >= 2*lookEvery { // not before: it may be too new for the mirror
			delete(w.marks, id)
		}
	}
}

// keepLooking looks at the sessions until ctx ends.
func (s *Service) keepLooking(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		s.watch.look(s.sessions.Online())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
