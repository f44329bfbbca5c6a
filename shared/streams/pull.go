package streams

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// pullFor is how long the server keeps a request for messages. The client's own 30 s would let
	// a request that died with its server be missed for as long.
	pullFor = 4 * time.Second
	// pullBeat is how often the server tells meanwhile that it is there.
	pullBeat = time.Second
)

// A pause is pauseMost, and shorter where more than pauseLines would come meanwhile: they would keep
// those waiting who need what is behind them.
const (
	pauseMost  = time.Second
	pauseLines = 512
)

// Pace is how fast a consumer is read by who has just found in it only what is not for him. The zero
// Pace is at rest.
type Pace struct {
	read   int
	paused time.Time // when the last pause began
}

// Read counts what was pulled.
func (p *Pace) Read(n int) { p.read += n }

// Pause waits for a second, or for as long as some hundred messages take at the pace of the last
// ones; less when early is closed, or ctx ends.
func (p *Pace) Pause(ctx context.Context, early <-chan struct{}) {
	now := time.Now()
	pause := pauseFor(p.read, now.Sub(p.paused))
	p.read, p.paused = 0, now
	select {
	case <-ctx.Done():
	case <-early:
	case <-time.After(pause):
	}
}

// pauseFor gives the pause after so many messages in that time, the pause before them included.
func pauseFor(read int, in time.Duration) time.Duration {
	if read <= pauseLines {
		return pauseMost
	}
	return min(pauseMost, in/time.Duration(read)*pauseLines)
}

// Pull waits for a message of c and gives it with those that are there already, most at most, in
// their order. None may come for some seconds: then there are none to give. Unlike
// [jetstream.Consumer.Messages] it asks for nothing while its caller does something else, so that
// who rests between two pulls is told much at once, and the server stores the consumer's place, which
// takes several syncs, as seldom. With an error, the consumer is to be looked up anew.
func Pull(ctx context.Context, c jetstream.Consumer, most int) ([]jetstream.Msg, error) {
	waiting, cancel := context.WithTimeout(ctx, pullFor)
	defer cancel()
	first, err := c.Next(jetstream.FetchContext(waiting), jetstream.FetchHeartbeat(pullBeat))
	switch {
	case err == nil:
	case waiting.Err() != nil, errors.Is(err, nats.ErrTimeout), errors.Is(err, jetstream.ErrNoHeartbeat):
		return nil, nil
	default:
		return nil, fmt.Errorf("pull: %w", err)
	}
	batch := []jetstream.Msg{first}
	meta, err := first.Metadata()
	if err != nil {
		return batch, nil //nolint:nilerror // whoever reads it sees that, too
	}
	there := int(min(meta.NumPending, uint64(max(0, most-1))))
	if meta.NumDelivered > 1 {
		there = most - 1 // those that come again come first, and do not count as pending
	}
	if there <= 0 {
		return batch, nil
	}
	more, err := c.FetchNoWait(there)
	if err != nil {
		return batch, fmt.Errorf("pull: %w", err)
	}
	for m := range more.Messages() {
		batch = append(batch, m)
	}
	if err := more.Error(); err != nil {
		return batch, fmt.Errorf("pull: %w", err)
	}
	return batch, nil
}
