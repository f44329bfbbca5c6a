package edge

import (
	"math"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// memoryShare of the memory that GOMEMLIMIT allows may be in use; beyond it nobody new is taken.
// What is left is for those who are here: near its limit a process does little but collect
// garbage, and past the system's it is killed with all of them.
const memoryShare = 0.8

// memory tells whether there is enough left to take somebody.
type memory struct {
	limit atomic.Int64 // math.MaxInt64 is none
	short atomic.Bool
}

// newMemory goes by the limit that the process was given (GOMEMLIMIT), if any.
func newMemory() *memory {
	m := &memory{}
	m.limit.Store(debug.SetMemoryLimit(-1))
	return m
}

// look notes how much is in use: what the last collection left, and stacks. What it would free
// does not count, of which there is always some.
func (m *memory) look() {
	limit := m.limit.Load()
	if limit == math.MaxInt64 {
		return
	}
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(samples)
	used := uint64(0)
	for _, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			used += s.Value.Uint64()
		}
	}
	m.short.Store(float64(used) > memoryShare*float64(limit))
}
