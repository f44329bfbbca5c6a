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
	// batchFrom is from how many waiting messages on a batch is cheaper than each for itself. A
	// batch costs some ten syncs, whatever is in it (the server makes a store for it on disk), a
	// message alone costs one; the rest is for the work beside the syncs.
	batchFrom = 14
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
// 0.2 ms, so 5,000/s whatever the number of senders). An atomic batch (NATS ADR-50) takes
// some ten syncs, however many are in it. So what comes while [singlesMost] messages are under way waits, and when
// [batchFrom] of them wait they go as one batch. For [gatherAfter] after a batch more of the same
// is expected: who was told of it says more, at nearly the same time. What comes then waits until
// as many are there as before, or nothing more comes in a part of the time that a batch takes. One
// alone, with no batch shortly before it, never waits. Several replicas share syncs in Raft already, and a batch would
// only cost: there it is [Publish].
//
// Who has several messages in an order appends them together ([Appender.AppendAll]). They go
// into one batch, or one after the other, each when the one before it is stored; between two of
// them the rest waits with everybody else's, and may find a batch (measured, at 0.5 ms a sync: 10
// senders of one line at a time store 2,000 a second, of six lines together 8,500).
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
// Who needs an order appends together, or waits for one message before it appends the next one.
// There is no goroutine: the first of those that wait carries the batch out for all. Its mutex
// guards its fields and is not held while anything is sent.
type Appender struct {
	batches bool
	// How a message is stored on its own, and a batch, whose last sequence that gives.
	publish func(ctx context.Context, subject, id string, data []byte) (uint64, error)
	store   func(ctx context.Context, batch []message) (uint64, error)

	mu       sync.Mutex
	waiting  []*group
	messages int     // in waiting
	coming   int     // wait next, each behind one of its group that is under way
	singles  int     // published on their own, and not yet answered
	batching bool    // a batch is under way
	gather   *gather // nil when nobody waits for more to come
	crowd    crowd
}

// gather is the short time before a batch in which more come.
type gather struct {
	had   int // waited at the last look
	looks int
}

// crowd is what the last batches say of the messages to come: who had an answer says more when it
// has reached him, and one batch of all costs less than some on their own and a batch of the others.
type crowd struct {
	size int           // so many were there at once: no more are to be expected
	took time.Duration // by the last batch
	over time.Time     // from then on nobody is expected any more
}

// NewAppender appends with js to a stream that has so many replicas (0 is 1) and allows atomic
// batches.
func NewAppender(js jetstream.JetStream, replicas int) *Appender {
	return &Appender{
		batches: replicas <= 1,
		publish: func(ctx context.Context, subject, id string, data []byte) (uint64, error) {
			return publish(ctx, js, subject, id, data)
		},
		store: func(ctx context.Context, batch []message) (uint64, error) { return publishBatch(ctx, js, batch) },
	}
}

// Entry is a message to append: a value under its message id.
type Entry struct {
	ID    string
	Value any
}

// message is an entry, encoded.
type message struct {
	subject, id string
	data        []byte
}

// group is what one caller appends together, and waits for its turn with.
type group struct {
	msgs  []message
	until time.Time // it is not to be sent later than that; zero is any time
	turn  chan turn // has room for the one that comes
	gone  bool      // nobody waits for its turn any more
}

func (g *group) late() bool { return late(g.until) }

// turn is what a group that waited is to do.
type turn struct {
	seq   uint64   // it is stored, the first of it here and the others behind that: nothing
	batch []*group // else carry out this batch, which it is in
	whole bool     // else all of it is to be published one by one, as a batch with it failed
	// else the first of it is
}

// Append stores v at subject under the message id, and gives its sequence once JetStream has
// acknowledged it. It is [Publish] in all that it promises.
func (a *Appender) Append(ctx context.Context, subject, id string, v any) (uint64, error) {
	seqs, err := a.AppendAll(ctx, subject, []Entry{{id, v}})
	if err != nil {
		return 0, err
	}
	return seqs[0], nil
}

// AppendAll stores the entries at subject in their order, each as [Appender.Append] does, and
// gives their sequences. Those grow, and none of the entries is stored before the ones in front of
// it are. With an error there are fewer: of those that are stored for sure.
func (a *Appender) AppendAll(ctx context.Context, subject string, entries []Entry) ([]uint64, error) {
	left, err := encoded(subject, entries)
	if err != nil {
		return nil, err
	}
	seqs := make([]uint64, 0, len(left))
	for len(left) > 0 {
		store := a.each
		if a.batches {
			store = a.share
		}
		some, err := store(ctx, left[:min(len(left), batchMost)])
		seqs, left = append(seqs, some...), left[len(some):]
		if err != nil {
			return seqs, err
		}
	}
	return seqs, nil
}

// Alone is [Appender.AppendAll] for entries that may be stored already, and so would have the
// batch refused that they are in: each is published on its own.
func (a *Appender) Alone(ctx context.Context, subject string, entries []Entry) ([]uint64, error) {
	msgs, err := encoded(subject, entries)
	if err != nil {
		return nil, err
	}
	return a.each(ctx, msgs)
}

func encoded(subject string, entries []Entry) ([]message, error) {
	msgs := make([]message, len(entries))
	for i, e := range entries {
		data, err := json.Marshal(e.Value)
		if err != nil {
			return nil, fmt.Errorf("encode %T: %w", e.Value, err)
		}
		msgs[i] = message{subject, e.ID, data}
	}
	return msgs, nil
}

// each publishes messages one after the other.
func (a *Appender) each(ctx context.Context, msgs []message) (seqs []uint64, err error) {
	for _, m := range msgs {
		seq, err := a.publish(ctx, m.subject, m.id, m.data)
		if err != nil {
			return seqs, err
		}
		seqs = append(seqs, seq)
	}
	return seqs, nil
}

// share stores msgs, at most batchMost: as many as find one in a batch, the others on their own.
func (a *Appender) share(ctx context.Context, msgs []message) (seqs []uint64, err error) {
	for g, now := a.enter(ctx, msgs); ; {
		if g != nil {
			if now == nil {
				if now, err = a.wait(ctx, g); err != nil {
					return seqs, err
				}
			}
			if now.batch != nil {
				a.carryOut(ctx, now.batch)
				now = new(<-g.turn)
			}
			if now.seq != 0 {
				for i := range msgs {
					seqs = append(seqs, now.seq+uint64(i))
				}
				return seqs, nil
			}
			if now.whole {
				some, err := a.single(ctx, msgs)
				return append(seqs, some...), err
			}
		}
		var seq uint64
		if seq, g, err = a.first(ctx, msgs); err != nil {
			return seqs, err
		}
		if seqs, msgs, now = append(seqs, seq), msgs[1:], nil; len(msgs) == 0 {
			return seqs, nil
		}
	}
}

// wait waits for g's turn.
func (a *Appender) wait(ctx context.Context, g *group) (*turn, error) {
	select {
	case t := <-g.turn:
		return &t, nil
	case <-ctx.Done():
		if t := a.leave(g); t != nil {
			return t, nil
		}
		return nil, fmt.Errorf("%w: %s at %s is not stored", noMemory(), g.msgs[0].id, g.msgs[0].subject)
	}
}

// first publishes the first of msgs, which enter or next has counted. The rest waits then.
func (a *Appender) first(ctx context.Context, msgs []message) (seq uint64, rest *group, err error) {
	err = errNotYet
	defer func() { // also when it panics
		a.mu.Lock()
		defer a.mu.Unlock()
		a.singles--
		a.coming -= len(msgs) - 1
		if err == nil && len(msgs) > 1 {
			rest = a.queue(ctx, msgs[1:])
		}
		a.next()
	}()
	seq, err = a.publish(ctx, msgs[0].subject, msgs[0].id, msgs[0].data)
	return seq, rest, err
}

// queue adds msgs to those that wait; a.mu is held.
func (a *Appender) queue(ctx context.Context, msgs []message) *group {
	until, _ := ctx.Deadline()
	g := &group{msgs: msgs, until: until, turn: make(chan turn, 1)}
	a.waiting = append(a.waiting, g)
	a.messages += len(msgs)
	a.await()
	return g
}

// await lets those that wait wait for more, when more are to be expected; a.mu is held.
func (a *Appender) await() {
	if a.gather != nil || a.batching || a.messages == 0 || !time.Now().Before(a.crowd.over) {
		return
	}
	g := &gather{had: a.messages}
	a.gather = g
	time.AfterFunc(2*a.crowd.took/looksMost, func() { a.look(g) })
}

// enter gives nil when the first of msgs may be published on its own at once. Else they wait, or
// carry out the batch that they make full enough.
func (a *Appender) enter(ctx context.Context, msgs []message) (*group, *turn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.batching && a.gather == nil && !time.Now().Before(a.crowd.over) && a.singles < singlesMost && len(a.waiting) == 0 && len(msgs)+a.coming < batchFrom {
		a.singles++
		a.coming += len(msgs) - 1
		return nil, nil
	}
	g := a.queue(ctx, msgs)
	a.next()
	select {
	case t := <-g.turn:
		return g, &t
	default:
		return g, nil
	}
}

// leave takes g, which waits no longer, out of the queue. When g has had its turn it gives
// that; nil too when g is in somebody's batch: then the outcome is unknown.
func (a *Appender) leave(g *group) *turn {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := slices.Index(a.waiting, g); i >= 0 {
		a.waiting = slices.Delete(a.waiting, i, i+1)
		a.messages -= len(g.msgs)
	}
	select {
	case t := <-g.turn:
		return &t
	default:
		g.gone = true
		return nil
	}
}

// next gives those that wait their turns; a.mu is held.
func (a *Appender) next() {
	if a.batching || a.messages == 0 || a.gather != nil && a.messages < a.crowd.size {
		return
	}
	a.gather = nil
	if a.messages >= batchFrom {
		n, size := 0, 0
		for n < len(a.waiting) && size+len(a.waiting[n].msgs) <= batchMost {
			size += len(a.waiting[n].msgs)
			n++
		}
		batch := slices.Clone(a.waiting[:n])
		a.waiting = slices.Delete(a.waiting, 0, n)
		a.messages -= size
		a.batching = true
		batch[0].turn <- turn{batch: batch}
		return
	}
	if a.coming > 0 && a.messages+a.coming >= batchFrom {
		return // what is coming makes a batch, and asks again
	}
	// Among many who come together a group that is few goes on at once, to be with them the next time.
	whole := time.Now().Before(a.crowd.over)
	for len(a.waiting) > 0 && a.singles < singlesMost {
		g := a.waiting[0]
		a.singles++
		if !whole {
			a.coming += len(g.msgs) - 1
		}
		g.turn <- turn{whole: whole}
		a.waiting = slices.Delete(a.waiting, 0, 1)
		a.messages -= len(g.msgs)
	}
}

// single publishes messages one after the other that enter or next has counted as one.
func (a *Appender) single(ctx context.Context, msgs []message) ([]uint64, error) {
	defer func() { // also when it panics
		a.mu.Lock()
		defer a.mu.Unlock()
		a.singles--
		a.next()
	}()
	return a.each(ctx, msgs)
}

// batchFor is how long a batch may take: a server that died with it is seldom waited for twice.
const batchFor = firstAttempt

// carryOut stores a batch and gives each of its groups its turn: done, or each message on its
// own. It does not heed the end of ctx, which is one group's, while the others wait; of
// those that nobody waits for, none is sent.
func (a *Appender) carryOut(ctx context.Context, batch []*group) {
	msgs := make([]message, 0, batchMost)
	for _, g := range batch {
		msgs = append(msgs, g.msgs...)
	}
	begun, last, err := time.Now(), uint64(0), errNotYet
	panics := true
	defer func() {
		if panics { // the others must not wait for it
			a.leave(batch[0])
		}
		a.carriedOut(batch, len(msgs), last, err, time.Since(begun))
	}()
	trying, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchFor)
	defer cancel()
	if !slices.ContainsFunc(batch, (*group).late) { // else each on its own, which looks again
		last, err = a.store(trying, msgs)
	}
	panics = false
}

// carriedOut ends a batch of so many messages.
func (a *Appender) carriedOut(batch []*group, size int, last uint64, err error, took time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.batching = false
	seq := last - uint64(size) + 1
	for _, g := range batch {
		t := turn{whole: true}
		switch {
		case err == nil:
			t = turn{seq: seq}
			seq += uint64(len(g.msgs))
		case g.gone:
			continue
		default:
			a.singles++
		}
		g.turn <- t
	}
	if err == nil {
		a.crowd = crowd{
			size: min(max(size+a.messages, a.crowd.size*7/8), batchMost), took: min(took, gatherMost), over: time.Now().Add(gatherAfter),
		}
		a.await()
	}
	a.next()
}

const (
	// looksMost is in how many parts the time that a batch takes is divided to see whether more
	// come: at most that long a message waits for others.
	looksMost = 8
	// gatherMost bounds that time: a disk that stalled once makes nobody wait.
	gatherMost = 8 * time.Millisecond
	// gatherAfter is how long after a batch more are expected to come at once.
	gatherAfter = 50 * time.Millisecond
)

// look ends the wait for more when it no longer pays: when fewer come in a moment than go in
// the same time by batches of those that are there.
func (a *Appender) look(g *gather) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gather != g {
		return
	}
	n := a.messages
	if g.looks++; g.looks < looksMost && (n-g.had)*looksMost > n {
		g.had = n
		time.AfterFunc(a.crowd.took/looksMost, func() { a.look(g) })
		return
	}
	a.gather = nil
	a.next()
}

// publishBatch stores a batch and gives the sequence of its last message; the others' are those
// before it.
func publishBatch(ctx context.Context, js jetstream.JetStream, batch []message) (uint64, error) {
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
