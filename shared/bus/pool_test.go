package bus

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// wait gives whether c is closed or sends before the test would hang.
func wait[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: not within 20 s", what)
		panic("not reached")
	}
}

// Whatever is submitted in whatever order: all that was taken is done, each key's in its
// order and one at a time, and never more at once than there are workers.
func TestPool(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.IntRange(1, 5).Draw(rt, "workers")
		most := rapid.IntRange(1, 40).Draw(rt, "most")
		keys := rapid.SliceOfN(rapid.IntRange(0, 4), 0, 60).Draw(rt, "keys") // 0 orders nothing
		p := newPool(limit, most)
		var mu sync.Mutex
		var running atomic.Int32
		busy := map[int]bool{}
		done := map[int][]int{}
		var want [5][]int
		for i, key := range keys {
			name := ""
			if key > 0 {
				name = fmt.Sprint(key)
			}
			taken := p.submit(name, func() {
				if n := running.Add(1); int(n) > limit {
					rt.Errorf("%d jobs at once, want at most %d", n, limit)
				}
				mu.Lock()
				if key > 0 && busy[key] {
					rt.Errorf("two jobs of key %d at once", key)
				}
				busy[key] = true
				mu.Unlock()
				runtime.Gosched()
				mu.Lock()
				busy[key] = false
				done[key] = append(done[key], i)
				mu.Unlock()
				running.Add(-1)
			})
			if taken {
				want[key] = append(want[key], i)
			}
		}
		<-p.close()
		if p.load() != 0 {
			rt.Errorf("%d jobs are left", p.load())
		}
		for key, want := range want {
			got := done[key]
			if key == 0 {
				slices.Sort(got)
			}
			if !slices.Equal(got, want) {
				rt.Errorf("key %d did %v, want %v", key, got, want)
			}
		}
	})
}

func TestPoolIsFull(t *testing.T) {
	t.Parallel()
	p := newPool(1, 2)
	hold := make(chan struct{})
	for i, want := range []bool{true, true, false} {
		if got := p.submit("", func() { <-hold }); got != want {
			t.Errorf("job %d is taken: %v, want %v", i, got, want)
		}
	}
	close(hold)
	wait(t, "the pool is idle", p.close())
	if p.submit("", func() {}) {
		t.Error("a closed pool took a job")
	}
	wait(t, "closed twice", p.close())
}

// One with many jobs does not keep the others waiting for all of them.
func TestPoolIsFair(t *testing.T) {
	t.Parallel()
	p := newPool(1, 100)
	hold := make(chan struct{})
	var order []string
	p.submit("flood", func() { <-hold })
	for range 50 {
		p.submit("flood", func() { order = append(order, "flood") })
	}
	p.submit("other", func() { order = append(order, "other") })
	close(hold)
	wait(t, "the pool is idle", p.close())
	if i := slices.Index(order, "other"); i > 1 {
		t.Errorf("the other's job came after %d of the flood", i)
	}
}

// A job that ends its goroutine, as a test's Fatal does, leaves the pool whole.
func TestPoolOutlivesGoexit(t *testing.T) {
	t.Parallel()
	p := newPool(1, 10)
	p.submit("a", runtime.Goexit)
	after := make(chan struct{})
	p.submit("a", func() { close(after) })
	p.submit("b", runtime.Goexit)
	wait(t, "the job after it", after)
	wait(t, "the pool is idle", p.close())
}
