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

// rush tells the end of a rush by what was allocated in all.
type rush struct {
	last  uint64 // at the last look
	since uint64 // allocated since memory was given back
}

// over takes a look.
func (r *rush) over(allocated uint64) bool {
	now := allocated - r.last
	r.last = allocated
	r.since += now
	if now > restBelow || r.since < rushFrom {
		return false
	}
	r.since = 0
	return true
}
