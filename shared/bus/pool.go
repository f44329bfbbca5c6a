package bus

import "sync"

// pool runs jobs on at most limit goroutines, the jobs of one key one after the other in
// the order of submission, and holds at most max jobs that have not ended. A key whose job
// has ended goes to the back, so that one with many jobs does not keep the others waiting.
// Some goroutines wait for the next job instead of ending, since a new one's stack would have
// to grow again to what the last one's was; close ends them.
// Its mutex guards its fields and is never held while a job runs.
type pool struct {
	limit, max int

	mu      sync.Mutex
	running int
	held    int
	ready   []job            // may start as soon as a goroutine is free
	waiting map[string][]job // behind a job of the same key that has not ended
	parked  []chan job       // goroutines without a job, the last to have had one at the end
	closed  bool
	idle    chan struct{} // closed once the pool is closed and holds nothing
}

// parkedMost bounds the memory of goroutines that wait for a job: some 16 KiB of stack each.
const parkedMost = 64

type job struct {
	key string
	do  func()
}

func newPool(limit, most int) *pool {
	return &pool{limit: limit, max: most, waiting: map[string][]job{}, idle: make(chan struct{})}
}

// submit takes do, or gives false when the pool is full or closed. An empty key orders
// nothing.
func (p *pool) submit(key string, do func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.held >= p.max {
		return false
	}
	p.held++
	j := job{key, do}
	if key != "" {
		queue, busy := p.waiting[key]
		if busy {
			p.waiting[key] = append(queue, j)
			return true
		}
		p.waiting[key] = nil
	}
	if p.running == p.limit {
		p.ready = append(p.ready, j)
		return true
	}
	p.running++
	if n := len(p.parked); n > 0 {
		p.parked[n-1] <- j // it has room
		p.parked = p.parked[:n-1]
		return true
	}
	go p.work(j)
	return true
}

// close makes the pool take no more, and gives a channel that is closed when everything that
// it had taken has ended.
func (p *pool) close() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		for _, c := range p.parked {
			close(c)
		}
		p.parked = nil
		p.whenIdle()
	}
	return p.idle
}

// whenIdle is called with the mutex held, when the pool is closed and when a job has ended.
func (p *pool) whenIdle() {
	if p.closed && p.held == 0 {
		close(p.idle)
	}
}

// work runs j and then whatever is ready, and ends when there are enough that wait for more.
func (p *pool) work(j job) {
	returned := false
	defer func() {
		if returned {
			return
		}
		// The job ended its goroutine (runtime.Goexit, as a test's Fatal does): the others
		// must not wait for it.
		if next, more := p.next(j.key, nil); more {
			go p.work(next)
		}
	}()
	more := make(chan job, 1)
	for ok := true; ok; {
		j.do()
		j, ok = p.next(j.key, more)
		if !ok {
			j, ok = <-more
		}
	}
	returned = true
}

// next ends a job of key and takes the next one. Without one the goroutine is parked: it gets
// its next job from more, which is closed when there will be none. A nil more parks nobody.
func (p *pool) next(key string, more chan job) (job, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held--
	p.whenIdle()
	if key != "" {
		if queue := p.waiting[key]; len(queue) > 0 {
			p.ready = append(p.ready, queue[0])
			p.waiting[key] = queue[1:]
		} else {
			delete(p.waiting, key)
		}
	}
	if len(p.ready) == 0 {
		p.running--
		switch {
		case more == nil:
		case p.closed || len(p.parked) == parkedMost:
			close(more)
		default:
			p.parked = append(p.parked, more)
		}
		return job{}, false
	}
	j := p.ready[0]
	p.ready[0] = job{}
	p.ready = p.ready[1:]
	return j, true
}

// load gives the number of jobs that have not ended.
func (p *pool) load() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}
