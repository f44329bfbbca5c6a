package streams_test

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// crowd is many who append at once, each one line after the other.
type crowd struct {
	mu    sync.Mutex
	acked map[string]uint64
}

// say appends the lines from <round>.<sender>.0 on, until each sender has said so many or
// done is closed. What is unavailable is tried again under the same id.
func (c *crowd) say(t *testing.T, a *streams.Appender, round, senders, each int, done <-chan struct{}) {
	t.Helper()
	ctx := natstest.Context(t)
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for n := range each {
				select {
				case <-done:
					return
				default:
				}
				if !c.sayOne(ctx, t, a, fmt.Sprintf("%d.%d.%d", round, s, n)) {
					return
				}
			}
		})
	}
	wg.Wait()
}

func (c *crowd) sayOne(ctx context.Context, t *testing.T, a *streams.Appender, id string) bool {
	t.Helper()
	store := a.AppendAll
	for {
		attempt, cancel := context.WithTimeout(ctx, 3*time.Second)
		seqs, err := store(attempt, lobby, []streams.Entry{{ID: id, Value: event.Event{Kind: event.Chat, Text: id}}})
		cancel()
		if err == nil {
			c.mu.Lock()
			c.acked[id] = seqs[0]
			c.mu.Unlock()
			return true
		}
		if fault.CodeOf(err) != fault.Unavailable || ctx.Err() != nil {
			t.Errorf("%s: %v", id, err)
			return false
		}
		store = a.Alone
	}
}

// check compares what was acknowledged with what is stored: each line once, at the sequence
// that was told, in its sender's order.
func (c *crowd) check(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	at, last := map[string]uint64{}, map[string]int{}
	err := streams.Range(natstest.Context(t), js, lobby, 0, math.MaxInt64, func(m streams.Msg) bool {
		if before, twice := at[m.ID]; twice {
			t.Errorf("%s is stored at %d and at %d", m.ID, before, m.Seq)
		}
		at[m.ID] = m.Seq
		var round, sender, n int
		if _, err := fmt.Sscanf(m.ID, "%d.%d.%d", &round, &sender, &n); err != nil {
			t.Errorf("a message with the id %q", m.ID)
			return true
		}
		who := strconv.Itoa(round) + "." + strconv.Itoa(sender)
		if before, ok := last[who]; ok && n <= before {
			t.Errorf("%s says %d after %d", who, n, before)
		}
		last[who] = n
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	for id, seq := range c.acked {
		if at[id] != seq {
			t.Errorf("%s was acknowledged as %d, and is stored at %d", id, seq, at[id])
		}
	}
}

// batches counts what goes by in batches, until the test ends.
func batches(t *testing.T, nc *nats.Conn) *sync.Map {
	t.Helper()
	ids := &sync.Map{}
	sub, err := nc.Subscribe("hall.live.lobby", func(m *nats.Msg) {
		if id := m.Header.Get("Nats-Batch-Id"); id != "" {
			ids.Store(id, true)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Unsubscribe() }) // the connection may be closed by then
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return ids
}

func count(m *sync.Map) (n int) {
	m.Range(func(any, any) bool { n++; return true })
	return n
}

// Many at once share batches on one replica and on no other; each line has its own place.
func TestAppendTogether(t *testing.T) {
	t.Parallel()
	test := func(t *testing.T, js jetstream.JetStream, replicas int) {
		t.Helper()
		c := &crowd{acked: map[string]uint64{}}
		seen := batches(t, js.Conn())
		a := streams.NewAppender(js, replicas)
		for round := 0; round == 0 || replicas == 1 && count(seen) == 0; round++ { // who comes together is chance
			c.say(t, a, round, 100, 5, nil)
			natstest.Eventually(t, "flush", func() bool { return js.Conn().Flush() == nil })
			if t.Failed() {
				return
			}
		}
		if replicas > 1 && count(seen) > 0 {
			t.Errorf("%d batches on %d replicas", count(seen), replicas)
		}
		c.check(t, js)
	}
	t.Run("R1", func(t *testing.T) {
		t.Parallel()
		test(t, natstest.Run(t).JetStream(t), 1)
	})
	t.Run("R3", func(t *testing.T) {
		t.Parallel()
		test(t, natstest.RunCluster(t, 3).JetStream(t), 3)
	})
}

// A line that is stored already has its batch refused, and nobody else hears of it: the first
// one's place is told, the others get theirs.
func TestAppendOfWhatIsStored(t *testing.T) {
	t.Parallel()
	js := natstest.Run(t).JetStream(t)
	c := &crowd{acked: map[string]uint64{}}
	a := streams.NewAppender(js, 1)
	for round := range 5 {
		for s := 0; s < 100; s += 10 { // as another copy would have stored them
			id := fmt.Sprintf("%d.%d.0", round, s)
			c.acked[id] = say(t, js, lobby, id)
		}
		c.say(t, a, round, 100, 2, nil)
	}
	c.check(t, js)
}

// A server that goes away in the middle of everything costs a wait, and nothing is lost,
// doubled, or stored in part.
func TestAppendWhileTheServerRestarts(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	js := ns.JetStream(t)
	c := &crowd{acked: map[string]uint64{}}
	a := streams.NewAppender(js, 1)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { c.say(t, a, 0, 100, math.MaxInt, done) })
	for range 3 {
		c.more(t, 500)
		ns.Restart(t)
	}
	c.more(t, 500)
	close(done)
	wg.Wait()
	c.check(t, js)
	wholeBatches(t, js)
}

// more waits until so many more lines are acknowledged.
func (c *crowd) more(t *testing.T, n int) {
	t.Helper()
	have := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.acked)
	}
	goal := have() + n
	natstest.Eventually(t, "more lines", func() bool { return have() >= goal })
}

// wholeBatches reads all headers and tells of batches of which a part is stored.
func wholeBatches(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	ctx := natstest.Context(t)
	cons, err := js.OrderedConsumer(ctx, streams.Events, jetstream.OrderedConsumerConfig{HeadersOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	id, had, whole, found := "", 0, true, 0
	for pending := uint64(1); pending > 0; {
		m, err := cons.Next(jetstream.FetchMaxWait(natstest.Wait))
		if err != nil {
			t.Fatal(err)
		}
		meta, err := m.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		pending = meta.NumPending
		is, n := m.Headers().Get("Nats-Batch-Id"), m.Headers().Get("Nats-Batch-Sequence")
		if is != id {
			if !whole {
				t.Errorf("of batch %s only %d are stored, before %d", id, had, meta.Sequence.Stream)
			}
			id, had, whole = is, 0, is == ""
			if id != "" {
				found++
			}
		}
		if had++; id != "" && n != strconv.Itoa(had) {
			t.Errorf("batch %s has its number %s as its %d. message", id, n, had)
		}
		whole = whole || m.Headers().Get("Nats-Batch-Commit") != ""
	}
	if !whole {
		t.Errorf("of batch %s only %d are stored, at the end", id, had)
	}
	t.Logf("%d batches", found)
}
