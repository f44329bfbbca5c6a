package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// After a rush, such as thousands of sign-ins, the runtime keeps the memory that it took for as
// long as nothing else is allocated: the next collection may be two minutes away, and what is free
// after that is given back slowly. A hall at rest gives it back at once.
const (
	restEvery = time.Second
	// restBelow is how much a resting process allocates in restEvery, at most: heartbeats and
	// leases, no players' commands.
	restBelow = 8 << 20
	// rushFrom is how much was allocated in the meantime where that is worth a collection.
	rushFrom = 32 << 20
	// cachesFor is how many looks after the rush the embedded NATS has let go of the blocks that
	// it keeps of each stream for 10 s after the last write, several MB.
	cachesFor = 12
	// cachesTimes is how many collections it then takes until what it put into pools is free: one
	// that ends a weak pointer, and the two that a sync.Pool outlives.
	cachesTimes = 3
)

// giveBack returns memory to the operating system whenever a rush is over, until ctx ends.
func giveBack(ctx context.Context) {
	tick := time.NewTicker(restEvery)
	defer tick.Stop()
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	allocated := func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	r := rush{last: allocated()}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if r.over(allocated()) {
				debug.FreeOSMemory()
			}
		}
	}
}

// rush tells by what was allocated in all when memory is to be given back: at the end of a rush,
// and when NATS's caches of it have ended.
type rush struct {
	last  uint64 // at the last look
	since uint64 // allocated since the last rush was over
	due   int    // looks at rest until the last of what follows that
}

// over takes a look. A process that is not at rest is left alone: what is due waits.
func (r *rush) over(allocated uint64) bool {
	now := allocated - r.last
	r.last = allocated
	r.since += now
	switch {
	case now > restBelow:
		return false
	case r.since >= rushFrom:
		r.since, r.due = 0, cachesFor+cachesTimes
		return true
	case r.due == 0:
		return false
	}
	r.due--
	return r.due < cachesTimes
}
