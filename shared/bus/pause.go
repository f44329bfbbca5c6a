package bus

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// lookEvery is how often a service looks at the clock.
	lookEvery = time.Second
	// pausedMost is how long a service may have stood still, frozen or suspended, and still
	// carry out what was sent to it meanwhile: far longer than anybody repeats a command,
	// and far shorter than the ids of commands are remembered.
	pausedMost = 30 * time.Second
	// aside is how long, after a longer pause, everything that comes in is put aside: what had
	// piled up in the connection comes in at once.
	aside = 2 * time.Second
)

// pauses knows whether the process stood still for so long that what comes in may be of long
// ago. Such a command was given up by who sent it, or carried out by another copy, and its id
// may be forgotten: carried out now, it would be once more. Who has just sent one gets no
// answer and asks again, perhaps another copy.
type pauses struct {
	last  atomic.Pointer[time.Time] // when the clock was looked at
	until atomic.Pointer[time.Time] // what comes in before this is put aside
}

// run looks at the clock until ctx ends.
func (p *pauses) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.look(time.Now())
		}
	}
}

// look notes that the process runs.
func (p *pauses) look(now time.Time) {
	if last := p.last.Load(); last != nil && passed(*last, now) > pausedMost {
		until := now.Add(aside)
		p.until.Store(&until)
	}
	p.last.Store(&now)
}

// stale tells whether what comes in now may be of before a pause. The messages may come in
// before the clock is looked at, or after.
func (p *pauses) stale(now time.Time) bool {
	if last := p.last.Load(); last != nil && passed(*last, now) > pausedMost {
		return true
	}
	until := p.until.Load()
	return until != nil && now.Before(*until)
}

// passed is the larger of what the monotonic and the wall clock say has passed: the first one
// stands still while a machine is suspended.
func passed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}
