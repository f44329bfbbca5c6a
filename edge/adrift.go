package edge

import (
	"sync"
	"time"

	"gamehall/shared/authapi"
)

// adrift are the sessions whose connections were lost a moment ago. A client that comes back to
// this edge within [adriftFor] finds its session here, and its resume says so: then auth stores
// the loss and the return as one. Of the others auth is told when that time is over, or the edge
// stops. Nobody else need know sooner: the edge answers for the session as for any that it does
// not hold (a whisper is not delivered, no connection is alive), and when it dies before it told
// anybody, the lease tells it for all of its sessions.
type adrift struct {
	mu       sync.Mutex
	held     map[string]*lost // by user id
	queue    []*lost          // the oldest first; some are over
	running  bool             // a goroutine looks after the queue
	stopping chan struct{}    // closed when nobody comes back any more
	stopped  bool
}

// lost is a session without its connection.
type lost struct {
	s      *session
	at     time.Time
	silent bool
	over   bool // it has been found, or told
}

func newAdrift() *adrift {
	return &adrift{held: map[string]*lost{}, stopping: make(chan struct{})}
}

// hold keeps s for a moment. It gives false when auth is to be told at once.
func (a *adrift) hold(e *Edge, s *session, silent bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped || s.tenure == nil || s.tenure.check() != nil {
		return false
	}
	if !a.running {
		if !e.background(func() { a.run(e) }) {
			return false
		}
		a.running = true
	}
	l := &lost{s: s, at: time.Now(), silent: silent}
	// Of two of one user the later one is not always the later session, as when an old connection
	// is found dead after a new one: auth is told of both, and knows.
	a.held[s.userID] = l
	a.queue = append(a.queue, l)
	return true
}

// of gives what a resume under t says of the user's lost session; the zero Lost when there is none.
func (a *adrift) of(userID string, t *tenure) authapi.Lost {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.held[userID]
	if l == nil || l.s.tenure != t {
		return authapi.Lost{}
	}
	return authapi.Lost{Session: l.s.id, Ago: time.Since(l.at).Milliseconds(), Silent: l.silent}
}

// found ends the wait for a session that was resumed.
func (a *adrift) found(userID, session string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l := a.held[userID]; l != nil && l.s.id == session {
		l.over = true
		delete(a.held, userID)
	}
}

// settle tells auth of all of them now, and of those to come at once.
func (a *adrift) settle() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.stopped {
		a.stopped = true
		close(a.stopping)
	}
}

// run tells auth of those whose time is over, until there are none left.
func (a *adrift) run(e *Edge) {
	timer := time.NewTimer(adriftFor)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-a.stopping:
		}
		due, wait := a.due(time.Now())
		for _, l := range due {
			e.detach(l.s, authapi.DetachRequest{Silent: l.silent, Ago: time.Since(l.at).Milliseconds()})
		}
		if wait == 0 {
			return
		}
		timer.Reset(wait)
	}
}

// due takes those of whom auth is to be told now, and gives when to look again; 0 when nobody is
// left.
func (a *adrift) due(now time.Time) (due []*lost, wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, l := range a.queue {
		if !l.over {
			if wait = adriftFor - now.Sub(l.at); wait > 0 && !a.stopped {
				break
			}
			l.over = true
			if a.held[l.s.userID] == l {
				delete(a.held, l.s.userID)
			}
			due = append(due, l)
		}
		n++
		wait = 0
	}
	clear(a.queue[:n])
	if a.queue = a.queue[n:]; len(a.queue) == 0 {
		a.running = false
		return due, 0
	}
	return due, max(wait, time.Millisecond)
}
