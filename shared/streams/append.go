package streams

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"gamehall/shared/bus"
)

// How messages share a sync.
const (
	// batchFrom is from how many waiting messages on a batch is cheaper than each for itself.
	// A batch costs some ten syncs, whatever is in it (the server makes a store for it), a
	// message alone costs one; the rest is for the time until they have gathered.
	batchFrom = 24
	// batchMost bounds a batch: more would make the first of it wait for the last.
	batchMost = 256
	// singlesMost is how many messages one Appender has under way on their own while others
	// wait: enough that the server never waits for the next one.
	singlesMost = 8
)

// Appender stores messages of one stream as [Publish] does, and lets those that wait for the
// disk at the same moment share its sync.
//
// A server without replicas syncs each message on its own, one after the other (measured:
// 0.2 ms, so 5,000/s whatever the number of senders). An atomic batch (NATS ADR-50) is synced
// as a whole. So what comes while [singlesMost] messages are under way waits, and when
// [batchFrom] of them wait they go as one batch. One message at a time never waits. Several
// replicas share syncs in Raft already, and a batch would only cost: there it is [Publish].
//
// Each message keeps its own id, sequence and outcome. A batch is stored whole or not at all,
// also when the server dies in the middle of it. Whatever becomes of it but success (an id in
// it is stored already, the server died, there was no answer), each of its messages is then
// published on its own, under its id: so none is stored twice.
//
// One thing a batch gives away. The server tells its messages (republishes them) when they are
// in the kernel's hands, and syncs a moment later; of a message alone it is told after the
// sync. Killed in between, it finishes the batch when it is back; but when the power goes in
// that fraction of a millisecond, edges on other machines have heard lines that were never
// acknowledged and are not stored.
//
// Who needs an order waits for one message before it appends the next one. There is no
// goroutine: the first of those that wait carries the batch out for all. Its mutex guards its
// fields and is not held while anything is sent.
type Appender struct {
	batches bool
	// How a message is stored on its own, and a batch, whose last sequence that gives.
	publish func(ctx context.Context, subject, id string, data []byte) (uint64, error)
	store   func(ctx context.Context, batch []*message) (uint64, error)

	mu       sync.Mutex
	waiting  []*message
	singles  int     // published on their own, and not yet answered
	batching bool    // a batch is under way
	gather   *gather // nil when nobody waits for more to come
}

// gather is the short time after a batch: whoever got an answer may say more, and one batch of
// all costs less than two of half as many.
type gather struct {
	crowd int           // were in the batch or waiting when it ended: no more are to be expected
	took  time.Duration // by that batch
	had   int           // waited at the last look
	looks int
}

// NewAppender appends with js to a stream that has so many replicas (0 is 1) and allows atomic
// batches.
func NewAppender(js jetstream.JetStream, replicas int) *Appender {
	return &Appender{
		batches: replicas <= 1,
		publish: func(ctx context.Context, subject, id string, data []byte) (uint64, error) {
			return publish(ctx, js, subject, id, data)
		},
		store: func(ctx context.Context, batch []*message) (uint64, error) { return publishBatch(ctx, js, batch) },
	}
}

// message is one that waits for its turn.
type message struct {
	subject, id string
	data        []byte
	turn        chan turn // has room for the one that comes
	gone        bool      // nobody waits for its turn any more
}

// turn is what a message that waited is to do.
type turn struct {
	seq   uint64     // it is stored: nothing
	batch []*message // else carry out this batch, which it is in
	// else it is to be published on its own
}

// Append stores v at subject under the message id, and gives its sequence once JetStream has
// acknowledged it. It is [Publish] in all that it promises.
func (a *Appender) Append(ctx context.Context, subject, id string, v any) (uint64, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return 0, fmt.Errorf("encode %T: %w", v, err)
	}
	if !a.batches {
		return a.publish(ctx, subject, id, data)
	}
	m, now := a.enter(subject, id, data)
	if m == nil {
		return a.single(ctx, subject, id, data)
	}
	if now == nil {
		select {
		case t := <-m.turn:
			now = &t
		case <-ctx.Done():
			if now = a.leave(m); now == nil {
				return 0, fmt.Errorf("%w: %s at %s is not stored", noMemory(), id, subject)
			}
		}
	}
	if now.batch != nil {
		a.carryOut(ctx, now.batch)
		now = new(<-m.turn)
	}
	if now.seq != 0 {
		return now.seq, nil
	}
	return a.single(ctx, subject, id, data)
}

// Alone is [Publish]: for a message that may be stored already, and so would have the batch
// refused that it is in.
func (a *Appender) Alone(ctx context.Context, subject, id string, v any) (uint64, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return 0, fmt.Errorf("encode %T: %w", v, err)
	}
	return a.publish(ctx, subject, id, data)
}

// enter gives nil when the message may be published on its own at once. Else it waits, or
// carries out the batch that it makes full enough.
func (a *Appender) enter(subject, id string, data []byte) (*message, *turn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.batching && a.gather == nil && a.singles < singlesMost && len(a.waiting) == 0 {
		a.singles++
		return nil, nil
	}
	m := &message{subject: subject, id: id, data: data, turn: make(chan turn, 1)}
	a.waiting = append(a.waiting, m)
	a.next()
	select {
	case t := <-m.turn:
		return m, &t
	default:
		return m, nil
	}
}

// leave takes m, which waits no longer, out of the queue. When m has had its turn it gives
// that; nil too when m is in somebody's batch: then the outcome is unknown.
func (a *Appender) leave(m *message) *turn {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := slices.Index(a.waiting, m); i >= 0 {
		a.waiting = slices.Delete(a.waiting, i, i+1)
	}
	select {
	case t := <-m.turn:
		return &t
	default:
		m.gone = true
		return nil
	}
}

// next gives those that wait their turns; a.mu is held.
func (a *Appender) next() {
	if a.batching || a.gather != nil && len(a.waiting) < a.gather.crowd {
		return
	}
	a.gather = nil
	if len(a.waiting) >= batchFrom {
		n := min(len(a.waiting), batchMost)
		batch := slices.Clone(a.waiting[:n])
		a.waiting = slices.Delete(a.waiting, 0, n)
		a.batching = true
		batch[0].turn <- turn{batch: batch}
		return
	}
	for len(a.waiting) > 0 && a.singles < singlesMost {
		a.singles++
		a.waiting[0].turn <- turn{}
		a.waiting = slices.Delete(a.waiting, 0, 1)
	}
}

// single publishes a message that enter or next has counted.
func (a *Appender) single(ctx context.Context, subject, id string, data []byte) (uint64, error) {
	defer func() { // also when it panics
		a.mu.Lock()
		defer a.mu.Unlock()
		a.singles--
		a.next()
	}()
	return a.publish(ctx, subject, id, data)
}

// batchFor is how long a batch may take: a server that died with it is seldom waited for twice.
const batchFor = firstAttempt

// carryOut stores a batch and gives each of its messages its turn: done, or on its own. It
// does not heed the end of ctx, which is one message's, while the others wait.
func (a *Appender) carryOut(ctx context.Context, batch []*message) {
	begun, last, err := time.Now(), uint64(0), errNotYet
	panics := true
	defer func() {
		if panics { // the others must not wait for it
			a.leave(batch[0])
		}
		a.carriedOut(batch, last, err, time.Since(begun))
	}()
	trying, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchFor)
	defer cancel()
	last, err = a.store(trying, batch)
	panics = false
}

func (a *Appender) carriedOut(batch []*message, last uint64, err error, took time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.batching = false
	for i, m := range batch {
		var t turn
		switch {
		case err == nil:
			t.seq = last - uint64(len(batch)-1-i)
		case m.gone:
			continue
		default:
			a.singles++
		}
		m.turn <- t
	}
	if err == nil {
		g := &gather{crowd: min(len(batch)+len(a.waiting), batchMost), took: min(took, gatherMost), had: len(a.waiting)}
		a.gather = g
		time.AfterFunc(2*g.took/looksMost, func() { a.look(g) })
	}
	a.next()
}

const (
	// looksMost is in how many parts the time that a batch takes is divided to see whether more
	// come: at most that long a message waits for others.
	looksMost = 8
	// gatherMost bounds that time: a disk that stalled once makes nobody wait.
	gatherMost = 8 * time.Millisecond
)

// look ends the wait for more when it no longer pays: when fewer come in a moment than go in
// the same time by batches of those that are there.
func (a *Appender) look(g *gather) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gather != g {
		return
	}
	n := len(a.waiting)
	if g.looks++; g.looks < looksMost && (n-g.had)*looksMost > n {
		g.had = n
		time.AfterFunc(g.took/looksMost, func() { a.look(g) })
		return
	}
	a.gather = nil
	a.next()
}

// publishBatch stores a batch and gives the sequence of its last message; the others' are those
// before it.
func publishBatch(ctx context.Context, js jetstream.JetStream, batch []*message) (uint64, error) {
	msgs := make([]*nats.Msg, len(batch))
	for i, m := range batch {
		// The batch's own headers must not be on what is published singly later.
		msgs[i] = &nats.Msg{Subject: m.subject, Header: nats.Header{jetstream.MsgIDHeader: {m.id}}, Data: m.data}
	}
	var last uint64
	err := bus.While(ctx, js.Conn(), 0, func(ctx context.Context) error {
		// Nothing is asked before the last message, which the server answers for all of them.
		ack, err := jetstreamext.PublishMsgBatch(ctx, js, msgs, jetstreamext.BatchFlowControl{})
		if err == nil {
			last = ack.Sequence
		}
		return err
	})
	return last, err
}
