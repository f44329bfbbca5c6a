package edge

import "sync"

// tasks are goroutines that are waited for while others may still begin, which a
// sync.WaitGroup does not allow. Once they were waited for and none was left, none begins.
type tasks struct {
	mu      sync.Mutex
	n       int
	waiting bool
	idle    chan struct{}
}

func newTasks() *tasks { return &tasks{idle: make(chan struct{})} }

// begin runs do on a goroutine, or gives false when it is too late.
func (t *tasks) begin(do func()) bool {
	if !t.hold() {
		return false
	}
	go func() {
		defer t.end()
		do()
	}()
	return true
}

// hold counts what goes on without a goroutine, until end; false when it is too late.
func (t *tasks) hold() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting && t.n == 0 {
		return false
	}
	t.n++
	return true
}

func (t *tasks) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n--; t.waiting && t.n == 0 {
		close(t.idle)
	}
}

// wait gives a channel that is closed once none is left. It is called once.
func (t *tasks) wait() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting = true; t.n == 0 {
		close(t.idle)
	}
	return t.idle
}
