package bus

import "sync"

// pool runs jobs on at most limit goroutines, the jobs of one key one after the other in
// the order of submission, and holds at most max jobs that have not ended. A key whose job
// has ended goes to the back, so that one with many jobs does not keep the others waiting.
// Its mutex guards its fields and is never held while a job runs.
type pool struct {
	limit, max int

	mu      sync.Mutex
	running int
	held    int
	ready   []job            // may start as soon as a goroutine is free
	waiting map[string][]job // behind a job of the same key that has not ended
	closed  bool
	idle    chan struct{} // closed once the pool is closed and holds nothing
}

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

// work runs j and then whatever is ready, and ends when nothing is.
func (p *pool) work(j job) {
	returned := false
	defer func() {
		if returned {
			return
		}
		// The job ended its goroutine (runtime.Goexit, as a test's Fatal does): the others
		// must not wait for it.
		if next, more := p.next(j.key); more {
			go p.work(next)
		}
	}()
	for more := true; more; {
		j.do()
		j, more = p.next(j.key)
	}
	returned = true
}

// next ends a job of key and takes the next one.
func (p *pool) next(key string) (job, bool) {
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
