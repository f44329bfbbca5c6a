//go:build unix

package streams_test

import (
	"math"
	"sync"
	"testing"

	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// A server that is killed while batches are on their way has each of them whole or not at all
// when it is back, and every line that it acknowledged.
func TestAppendWhileTheServerIsKilled(t *testing.T) {
	t.Parallel()
	p := natstest.RunProcesses(t, 1)
	js := p.JetStream(t)
	c := &crowd{acked: map[string]uint64{}}
	a := streams.NewAppender(js, 1)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { c.say(t, a, 0, 100, math.MaxInt, done) })
	for range 5 {
		c.more(t, 300)
		p.Kill(0)
		p.Start(t, 0)
	}
	c.more(t, 300)
	close(done)
	wg.Wait()
	c.check(t, js)
	wholeBatches(t, js)
}
