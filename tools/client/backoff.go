package client

import (
	"math/rand/v2"
	"time"
)

// The bounds of a pause before the next attempt to connect.
const (
	pauseFirst = 500 * time.Millisecond
	pauseMost  = 30 * time.Second
)

// backoff tells how long to wait before the next attempt: full jitter, so that the clients
// of an edge that died do not come back all at once.
type backoff struct {
	tries int
	draw  func(time.Duration) time.Duration // a random part of a duration; nil draws at random
}

// next is the pause before the next attempt.
func (b *backoff) next() time.Duration {
	most := pauseMost
	if b.tries < 6 { // 0.5 s << 6 is over the cap
		most = min(most, pauseFirst<<b.tries)
	}
	b.tries++
	if b.draw != nil {
		return b.draw(most)
	}
	return rand.N(most) //nolint:gosec // it spreads load, it hides nothing
}

func (b *backoff) reset() { b.tries = 0 }
