package edge

import (
	"sync"
	"testing"
)

// What begins while the others are waited for is waited for, too; what comes after that does
// not begin.
func TestTasks(t *testing.T) {
	t.Parallel()
	all := newTasks()
	first, second := make(chan struct{}), make(chan struct{})
	all.begin(func() { <-first })
	idle := all.wait()
	if !all.begin(func() { <-second }) {
		t.Fatal("a task did not begin while another was under way")
	}
	close(first)
	select {
	case <-idle:
		t.Fatal("idle before the second task ended")
	default:
	}
	close(second)
	<-idle
	if all.begin(func() {}) {
		t.Error("a task began after the wait was over")
	}
}

// However beginning and waiting race, nothing runs after the wait was over.
func TestTasksRace(t *testing.T) {
	t.Parallel()
	for range 500 {
		all := newTasks()
		var mu sync.Mutex
		over, late := false, false
		var starters sync.WaitGroup
		for range 4 {
			starters.Go(func() {
				for range 4 {
					all.begin(func() {
						mu.Lock()
						defer mu.Unlock()
						late = late || over
					})
				}
			})
		}
		<-all.wait()
		mu.Lock()
		over = true
		mu.Unlock()
		starters.Wait()
		mu.Lock()
		if late {
			t.Error("a task ran after the wait was over")
		}
		mu.Unlock()
	}
}
