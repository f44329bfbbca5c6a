package edge

import "sync"

// runners are the goroutines that run the readings of connections that have something to read. One
// that is done waits for the next: its stack has grown to carry out commands, and a new one's would
// grow again, which took up to a twentieth of what a sign-in by token costs.
type runners struct {
	all sync.WaitGroup

	mu     sync.Mutex      // guards the rest
	idle   []chan *reading // of those that wait, the latest last; each has room for one
	unused int             // so many waited at least since the last trim
	closed bool
}

// runnersMost bounds those that wait: their stacks are 4 MiB at most.
const runnersMost = 256

// run runs r, on a goroutine that waits or on a new one. It is not called during close.
func (rs *runners) run(r *reading) {
	rs.mu.Lock()
	last := len(rs.idle) - 1
	if last < 0 {
		rs.mu.Unlock()
		rs.all.Go(func() { rs.serve(r) })
		return
	}
	turn := rs.idle[last]
	rs.idle[last] = nil
	rs.idle, rs.unused = rs.idle[:last], min(rs.unused, last)
	rs.mu.Unlock()
	turn <- r
}

func (rs *runners) serve(r *reading) {
	turn := make(chan *reading, 1)
	for r != nil {
		r.run()
		if !rs.wait(turn) {
			return
		}
		r = <-turn
	}
}

// wait lets turn bring the next reading, or nil for the end; false when there is to be none.
func (rs *runners) wait(turn chan *reading) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.closed || len(rs.idle) == runnersMost {
		return false
	}
	rs.idle = append(rs.idle, turn)
	return true
}

// trim ends those that were not needed since the last trim.
func (rs *runners) trim() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.end(rs.unused)
	rs.unused = len(rs.idle)
}

// close ends all of them, and waits for it.
func (rs *runners) close() {
	rs.mu.Lock()
	rs.closed = true
	rs.end(len(rs.idle))
	rs.unused = 0 // the sweeper may be about to trim
	rs.mu.Unlock()
	rs.all.Wait()
}

// end ends the n that have waited longest; rs.mu is held.
func (rs *runners) end(n int) {
	for _, turn := range rs.idle[:n] {
		turn <- nil
	}
	left := copy(rs.idle, rs.idle[n:])
	clear(rs.idle[left:])
	rs.idle = rs.idle[:left]
}
