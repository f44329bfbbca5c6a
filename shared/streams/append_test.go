package streams

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"pgregory.net/rapid"

	"gamehall/shared/fault"
)

// disk plays a server without replicas, in the fake time of a bubble: one thing after the
// other, 0.2 ms for a message and 2.4 ms for a batch, as measured. It recognises ids.
type disk struct {
	turn chan struct{} // holds one token; a mutex would stop the bubble's time

	mu      sync.Mutex // guards the rest
	stored  []string   // ids; the first has sequence 1
	seqs    map[string]uint64
	batches [][]string
	becomes func(batch int) string // of a batch: what becomes of it
}

// pass lets the bubble's time pass.
func pass(d time.Duration) { <-time.After(d) }

func (d *disk) appender() *Appender {
	d.turn, d.seqs = make(chan struct{}, 1), map[string]uint64{}
	return &Appender{batches: true, publish: d.publish, store: d.store}
}

func (d *disk) publish(ctx context.Context, _, id string, _ []byte) (uint64, error) {
	d.turn <- struct{}{}
	defer func() { <-d.turn }()
	if ctx.Err() != nil {
		return 0, fault.New(fault.Unavailable, "too late")
	}
	pass(200 * time.Microsecond)
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.write(id), nil
}

func (d *disk) write(id string) uint64 {
	if _, have := d.seqs[id]; !have {
		d.stored = append(d.stored, id)
		d.seqs[id] = uint64(len(d.stored))
	}
	return d.seqs[id]
}

func (d *disk) store(_ context.Context, batch []message) (uint64, error) {
	d.turn <- struct{}{}
	defer func() { <-d.turn }()
	pass(2400 * time.Microsecond)
	d.mu.Lock()
	defer d.mu.Unlock()
	var ids []string
	for _, m := range batch {
		if d.seqs[m.id] != 0 || slices.Contains(ids, m.id) {
			return 0, &jetstream.APIError{Code: 400, ErrorCode: codeRepeatedInBatch}
		}
		ids = append(ids, m.id)
	}
	becomes := ""
	if d.becomes != nil {
		becomes = d.becomes(len(d.batches))
	}
	d.batches = append(d.batches, ids)
	switch becomes {
	case "lost":
		return 0, nats.ErrTimeout
	case "incomplete":
		return 0, &jetstream.APIError{Code: 400, ErrorCode: codeBatchIncomplete}
	}
	var seq uint64
	for _, id := range ids {
		seq = d.write(id)
	}
	if becomes == "unanswered" {
		return 0, nats.ErrTimeout
	}
	return seq, nil
}

// Whatever becomes of batches, what is acknowledged is stored once, at the sequence that was
// told, and each sender's lines in their order.
func TestAppendedOnceInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		senders := rapid.IntRange(1, 100).Draw(rt, "senders")
		each := rapid.IntRange(1, 6).Draw(rt, "lines of each")
		together := rapid.IntRange(1, 6).Draw(rt, "of them together")
		fates := rapid.SliceOfN(rapid.SampledFrom([]string{"", "", "", "lost", "incomplete", "unanswered"}), 1, 12).Draw(rt, "fates")
		repeats := rapid.IntRange(0, 20).Draw(rt, "one in so many is sent twice") // 0: none
		patience := rapid.SampledFrom([]time.Duration{time.Hour, 3 * time.Millisecond, 300 * time.Microsecond}).Draw(rt, "patience")
		var problems []error
		synctest.Test(t, func(t *testing.T) {
			d := &disk{becomes: func(n int) string { return fates[n%len(fates)] }}
			problems = appendedOnceInOrder(t.Context(), d, senders, each, together, repeats, patience)
		})
		if problems != nil {
			rt.Fatal(errors.Join(problems...))
		}
	})
}

func appendedOnceInOrder(ctx context.Context, d *disk, senders, each, together, repeats int, patience time.Duration) (problems []error) {
	a := d.appender()
	acked := make([][]uint64, senders) // 0 is unknown
	var mu sync.Mutex
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for n := 0; n < each; n += together {
				var entries []Entry
				for i := n; i < min(n+together, each); i++ {
					entries = append(entries, Entry{fmt.Sprintf("%d.%d", s, i), i})
				}
				say := func() ([]uint64, error) {
					ctx, cancel := context.WithTimeout(ctx, patience)
					defer cancel()
					return a.AppendAll(ctx, "subject", entries)
				}
				seqs, err := say()
				if repeats > 0 && (s*each+n)%repeats == 0 {
					again, _ := say()
					for i := range min(len(seqs), len(again)) {
						if again[i] != seqs[i] {
							mu.Lock()
							problems = append(problems, fmt.Errorf("%s has sequence %d, and %d when it is repeated", entries[i].ID, seqs[i], again[i]))
							mu.Unlock()
						}
					}
				}
				if err != nil && fault.CodeOf(err) != fault.Unavailable || err == nil && len(seqs) != len(entries) || len(seqs) > len(entries) {
					mu.Lock()
					problems = append(problems, fmt.Errorf("%d of %d: %w", len(seqs), len(entries), err))
					mu.Unlock()
				}
				acked[s] = append(acked[s], seqs...)
				for range len(entries) - len(seqs) {
					acked[s] = append(acked[s], 0)
				}
			}
		})
	}
	wg.Wait()
	synctest.Wait()
	for s, seqs := range acked {
		if together == each && !inOrder(d.stored, s) {
			problems = append(problems, fmt.Errorf("what %d appended together is stored as %v", s, d.stored))
		}
		last := uint64(0)
		for n, seq := range seqs {
			if seq == 0 {
				continue
			}
			if id := fmt.Sprintf("%d.%d", s, n); d.stored[seq-1] != id {
				problems = append(problems, fmt.Errorf("%s was told the sequence %d, which is that of %s", id, seq, d.stored[seq-1]))
			}
			if seq <= last {
				problems = append(problems, fmt.Errorf("%d.%d has sequence %d, and the line before it %d", s, n, seq, last))
			}
			last = seq
		}
		if patience == time.Hour && slices.Contains(seqs, 0) {
			problems = append(problems, fmt.Errorf("not all of %d are stored: %v", s, seqs))
		}
	}
	// It is idle again: nothing waits, the next one goes at once.
	pass(time.Second)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting) != 0 || a.messages != 0 || a.coming != 0 || a.singles != 0 || a.batching || a.gather != nil {
		problems = append(problems, fmt.Errorf("it does not rest: %d wait, %d singles, batching %v, gather %v", len(a.waiting), a.singles, a.batching, a.gather))
	}
	return problems
}

// inOrder tells whether what a sender appended is stored in its order, with nothing left out
// before what is stored.
func inOrder(stored []string, sender int) bool {
	next := 0
	for _, id := range stored {
		var s, n int
		if _, err := fmt.Sscanf(id, "%d.%d", &s, &n); err != nil {
			return false
		}
		if s != sender {
			continue
		}
		if n != next {
			return false
		}
		next++
	}
	return true
}

// How many senders are served how: one at a time never waits, few get a message for each, and
// many share batches.
func TestAppendShares(t *testing.T) {
	t.Parallel()
	tests := []struct {
		senders int
		each    int // lines that it appends together
		batches bool
		least   float64 // lines per second of fake time, which knows no cost but the disk's
		most    time.Duration
	}{
		{senders: 1, each: 1, least: 5000, most: 200 * time.Microsecond},
		{senders: 16, each: 1, least: 5000, most: 16 * 200 * time.Microsecond},
		{senders: 64, each: 1, batches: true, least: 15_000, most: 10 * time.Millisecond},
		{senders: 256, each: 1, batches: true, least: 60_000, most: 10 * time.Millisecond},
		{senders: 1, each: 6, least: 5000, most: 6 * 200 * time.Microsecond},
		{senders: 1, each: 32, batches: true, least: 10_000, most: 4 * time.Millisecond},
		{senders: 10, each: 6, batches: true, least: 15_000, most: 10 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%d of %d", tt.senders, tt.each), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const times = 50
				d := &disk{}
				a := d.appender()
				begun := time.Now()
				took := make([]time.Duration, tt.senders)
				var wg sync.WaitGroup
				for s := range tt.senders {
					wg.Go(func() {
						for n := range times {
							at := time.Now()
							var entries []Entry
							for i := range tt.each {
								entries = append(entries, Entry{fmt.Sprintf("%d.%d", s, n*tt.each+i), n})
							}
							if _, err := a.AppendAll(t.Context(), "subject", entries); err != nil {
								t.Error(err)
							}
							took[s] = max(took[s], time.Since(at))
						}
					})
				}
				wg.Wait()
				rate := float64(tt.senders*tt.each*times) / time.Since(begun).Seconds()
				if rate < tt.least*0.99 || slices.Max(took) > tt.most || (len(d.batches) > 0) != tt.batches {
					t.Errorf("%.0f lines a second, %v at most, %d batches; want %.0f, %v, batches %v",
						rate, slices.Max(took), len(d.batches), tt.least, tt.most, tt.batches)
				}
				pass(time.Second) // what it still looks for is over
			})
		})
	}
}

// Those who say more when all of them have been told, as the clients of an edge do, stay together:
// each time all that they say is one batch, also when they were apart at first.
func TestAppendWaves(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		apart time.Duration // how much later the last two come, the first time
	}{
		{name: "together"},
		{name: "apart", apart: 6 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const senders, each, waves = 10, 6, 20
				d := &disk{}
				a := d.appender()
				for wave := range waves {
					var wg sync.WaitGroup
					for s := range senders {
						wg.Go(func() {
							pass(time.Duration(s) * 100 * time.Microsecond) // as they are read one after the other
							if wave == 0 && s >= senders-2 {
								pass(tt.apart)
							}
							var entries []Entry
							for i := range each {
								entries = append(entries, Entry{fmt.Sprintf("%d.%d", s, wave*each+i), i})
							}
							if _, err := a.AppendAll(t.Context(), "subject", entries); err != nil {
								t.Error(err)
							}
						})
					}
					wg.Wait()
					pass(8 * time.Millisecond) // what was told goes to all
				}
				whole := 0
				for _, b := range d.batches {
					if len(b) == senders*each {
						whole++
					}
				}
				if whole < waves-3 {
					t.Errorf("%d of %d waves were one batch each; there were %d batches", whole, waves, len(d.batches))
				}
				pass(time.Second)
			})
		})
	}
}

// Who comes when the crowd has gone waits for nobody.
func TestAppendAfterTheCrowd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		a := d.appender()
		var wg sync.WaitGroup
		for s := range 64 {
			wg.Go(func() {
				if _, err := a.Append(t.Context(), "subject", fmt.Sprint(s), s); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for i, after := range []time.Duration{gatherMost, gatherAfter} {
			pass(after)
			at := time.Now()
			if _, err := a.Append(t.Context(), "subject", fmt.Sprint("late", i), i); err != nil {
				t.Error(err)
			}
			most := 200 * time.Microsecond
			if i == 0 { // still among them
				most += gatherMost
			}
			if took := time.Since(at); took > most {
				t.Errorf("a line %v after the crowd took %v", after, took)
			}
		}
	})
}

// A batch that panics is nobody's end but the one's who carried it out.
func TestAppendAfterAPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		batches := 0
		d := &disk{becomes: func(int) string {
			if batches++; batches == 1 {
				panic("made up")
			}
			return ""
		}}
		a := d.appender()
		var panics, stored int
		var mu sync.Mutex
		var wg sync.WaitGroup
		for s := range 64 {
			wg.Go(func() {
				defer func() {
					mu.Lock()
					defer mu.Unlock()
					if recover() != nil {
						panics++
					} else {
						stored++
					}
				}()
				if _, err := a.Append(t.Context(), "subject", fmt.Sprint(s), s); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if panics != 1 || stored != 63 {
			t.Errorf("%d panics, %d stored; want 1 and 63", panics, stored)
		}
		pass(time.Second)
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.batching || len(a.waiting) != 0 || a.singles != 0 {
			t.Error("it does not go on")
		}
	})
}

// A process that stood still stores nothing for those who went away meanwhile, although their
// contexts may not know it yet: neither in a batch nor alone.
func TestAppendTooLate(t *testing.T) {
	t.Parallel()
	d := &disk{}
	a := d.appender()
	batch := []*group{
		{msgs: []message{{id: "1"}}, turn: make(chan turn, 1)},
		{msgs: []message{{id: "2"}}, turn: make(chan turn, 1), until: time.Now().Add(-time.Second)},
	}
	a.carryOut(t.Context(), batch)
	if len(d.batches) != 0 || !(<-batch[0].turn).whole || !(<-batch[1].turn).whole {
		t.Errorf("%d batches were stored with one that was too late", len(d.batches))
	}
}
