//go:build unix

package streams_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// sender stores one line after the other, as a session does.
type sender struct {
	t    *testing.T
	js   jetstream.JetStream
	name string
	stop context.CancelFunc
	done sync.WaitGroup

	mu    sync.Mutex
	acked []stored // in the order of the acknowledgements
	gap   time.Duration
	last  time.Time
}

type stored struct {
	id  string
	seq uint64
}

func startSender(t *testing.T, js jetstream.JetStream, name string) *sender {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &sender{t: t, js: js, name: name, stop: stop, last: time.Now()}
	s.done.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			s.say(ctx, fmt.Sprintf("%s.%d", name, i))
		}
	})
	t.Cleanup(s.end)
	return s
}

func (s *sender) say(ctx context.Context, id string) {
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), natstest.Wait)
	defer cancel()
	seq, err := streams.Publish(within, s.js, lobby, id, event.Event{Kind: event.Chat, Text: id})
	if err != nil {
		s.t.Errorf("publish %s: %v", id, err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.gap, s.last = max(s.gap, now.Sub(s.last)), now
	s.acked = append(s.acked, stored{id, seq})
}

func (s *sender) end() {
	s.stop()
	s.done.Wait()
}

// more waits until n more lines are acknowledged.
func (s *sender) more(n int) {
	s.t.Helper()
	count := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.acked)
	}
	from := count()
	natstest.Eventually(s.t, fmt.Sprint(n, " more acknowledgements"), func() bool { return count() >= from+n })
}

// longest gives the longest time without an acknowledgement since it was asked before.
func (s *sender) longest() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	gap := s.gap
	s.gap = 0
	return gap
}

// check compares what was acknowledged to the senders with what is stored: each line once,
// where it was said to be, and each sender's in its order.
func check(t *testing.T, js jetstream.JetStream, senders ...*sender) {
	t.Helper()
	end, _, err := streams.Last(natstest.Context(t), js, streams.Events, lobby)
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]uint64{}
	for seq := uint64(0); seq < end.Seq; { // again while the replica that answers is behind
		err := streams.Range(natstest.Context(t), js, lobby, seq, math.MaxUint64, func(m streams.Msg) bool {
			if at[m.ID] != 0 {
				t.Errorf("%s is stored at %d and at %d", m.ID, at[m.ID], m.Seq)
			}
			seq, at[m.ID] = m.Seq, m.Seq
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	acked := 0
	for _, s := range senders {
		last := uint64(0)
		for _, a := range s.acked {
			if at[a.id] != a.seq {
				t.Errorf("%s was acknowledged at %d and is stored at %d", a.id, a.seq, at[a.id])
			}
			if a.seq <= last {
				t.Errorf("%s came to stand before what its sender said before it", a.id)
			}
			last = a.seq
		}
		acked += len(s.acked)
	}
	if acked != len(at) {
		t.Errorf("%d were acknowledged and %d are stored", acked, len(at))
	}
}

// A planned change of leaders is hardly seen: one that gives up drops what reaches it, and
// the next attempt must not be late.
func TestStepDown(t *testing.T) {
	t.Parallel()
	c := natstest.RunCluster(t, 3)
	s := startSender(t, c.JetStream(t), "ann")
	least := time.Hour
	for range 3 {
		s.more(5)
		s.longest()
		c.StepDown(t, streams.Events)
		s.more(5)
		gap := s.longest()
		t.Logf("no acknowledgement for %v", gap.Round(time.Millisecond))
		least = min(least, gap)
	}
	s.end()
	if least > time.Second { // of three: the machine may be busy
		t.Errorf("no acknowledgement for %v, want at most 1 s", least)
	}
	check(t, c.JetStream(t), s)
}

// One node of three is killed, and one is frozen for as long as an election takes: what is
// acknowledged is stored once and in order, and writes are back before a player is refused.
func TestNodeIsLost(t *testing.T) {
	t.Parallel()
	p := natstest.RunProcesses(t, 3)
	var senders []*sender
	for _, name := range []string{"ann", "bob"} {
		senders = append(senders, startSender(t, p.JetStream(t), name))
	}
	during := func(what string, most time.Duration, do func()) {
		t.Helper()
		for _, s := range senders {
			s.more(20)
			s.longest()
		}
		do()
		for _, s := range senders {
			s.more(20)
			gap := s.longest()
			t.Logf("%s: no acknowledgement for %v", what, gap.Round(time.Millisecond))
			if gap > most {
				t.Errorf("%s: no acknowledgement for %v, want at most %v", what, gap, most)
			}
		}
	}
	// Ten is the promise and five the rule; votes may be split, and at fifteen players are told.
	const elected = 15 * time.Second
	const lost = 0
	p.Lead(t, 1)
	// A busy machine is slower than the 50 ms that it costs a quiet one; the bound tells it from an election.
	during("a follower is killed", 3*time.Second, func() { p.Kill(lost) })
	during("it is back", 3*time.Second, func() { p.Start(t, lost) })
	p.Lead(t, 1)
	during("the leader is killed", elected, func() { p.Kill(1) })
	p.Start(t, 1)
	p.Lead(t, 2)
	during("the leader is frozen", elected, func() { p.Freeze(t, 2) })
	during("it wakes", 3*time.Second, func() { p.Thaw(t, 2) })
	for _, s := range senders {
		s.end()
	}
	check(t, p.JetStream(t), senders...)
}

// With two nodes of three lost nothing is acknowledged and nothing hangs, and all is well
// when they are back, also after the third was gone, too.
func TestNoQuorum(t *testing.T) {
	t.Parallel()
	p := natstest.RunProcesses(t, 3)
	js := p.JetStream(t)
	s := startSender(t, js, "ann")
	s.more(20)
	p.Kill(0, 1)
	within, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if seq, err := streams.Publish(within, p.JetStream(t), lobby, "bob.0", event.Event{Kind: event.Chat}); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("without a quorum: stored at %d, error %v; want unavailable", seq, err)
	}
	if _, _, err := streams.Last(within, js, streams.Events, lobby); err != nil && fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("reading without a quorum: %v", err)
	}
	p.Kill(2)
	p.Start(t, 0, 1, 2)
	s.longest()
	s.more(20)
	if gap := s.longest(); gap > 15*time.Second {
		t.Errorf("no acknowledgement for %v after all were lost, want at most 15 s", gap)
	}
	s.end()
	// What was refused was perhaps stored: the id tells, once.
	seq, err := streams.Publish(natstest.Context(t), js, lobby, "bob.0", event.Event{Kind: event.Chat})
	if err != nil {
		t.Fatal(err)
	}
	bob := &sender{acked: []stored{{"bob.0", seq}}}
	check(t, js, s, bob)
}

// A server whose disk is full acknowledges nothing that it has not stored, and says so to
// whoever asks; started again when there is space, it has all that it acknowledged.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	p := natstest.RunProcesses(t, 1)
	js := p.JetStream(t)
	p.Kill(0)
	p.StartFull(t, 0, 128<<10)
	ann := &sender{t: t}
	long := strings.Repeat("x", 4000)
	refused := ""
	publish := func(id string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		seq, err := streams.Publish(ctx, js, lobby, id, event.Event{Kind: event.Chat, Text: long})
		if err == nil {
			ann.acked = append(ann.acked, stored{id, seq})
		}
		return err
	}
	for i := 0; refused == "" && i < 1000; i++ {
		id := fmt.Sprint("ann.", i)
		if err := publish(id); err != nil {
			refused = id
			if fault.CodeOf(err) != fault.Unavailable {
				t.Errorf("on a full disk: %v, want unavailable", err)
			}
		}
	}
	if refused == "" {
		t.Fatal("the disk takes everything")
	}
	if err := publish("ann.more"); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("on a full disk, again: %v, want unavailable", err)
	}
	p.Kill(0)
	p.Start(t, 0)
	for _, id := range []string{refused, "ann.more"} { // which it may have stored or not
		seq, err := streams.Publish(natstest.Context(t), js, lobby, id, event.Event{Kind: event.Chat, Text: long})
		if err != nil {
			t.Fatalf("with space again: %v", err)
		}
		ann.acked = append(ann.acked, stored{id, seq})
	}
	check(t, js, ann)
	t.Logf("%d were acknowledged before the disk was full", len(ann.acked)-2)
}

// A server alone that is killed and started again takes writes at once: whoever waits is not
// kept waiting by its own back-off.
func TestServerIsKilled(t *testing.T) {
	t.Parallel()
	p := natstest.RunProcesses(t, 1)
	s := startSender(t, p.JetStream(t), "ann")
	least := time.Hour
	for range 3 {
		s.more(5)
		p.Kill(0)
		p.Start(t, 0)
		back := time.Now()
		s.more(1)
		took := time.Since(back)
		t.Logf("acknowledged %v after the server was back", took.Round(time.Millisecond))
		least = min(least, took)
	}
	s.end()
	if least > time.Second { // of three: the machine may be busy
		t.Errorf("acknowledged %v after the server was back, want at most 1 s", least)
	}
	check(t, p.JetStream(t), s)
}

// The node that somebody is connected to is killed, which leads nothing: what was under way is
// asked again over another node, and not waited for in vain.
func TestOwnNodeIsKilled(t *testing.T) {
	t.Parallel()
	p := natstest.RunProcesses(t, 3)
	d := p.Dialer()
	d.Options = append(d.Options, nats.DontRandomize()) // the first node is the own one
	const own, leader = 0, 1
	least := time.Hour
	var senders []*sender
	for i := range 3 {
		p.Lead(t, leader)
		nc, err := d.Connect("test")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		if err := bus.WaitConnected(natstest.Context(t), nc); err != nil {
			t.Fatal(err)
		}
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		s := startSender(t, js, fmt.Sprint("ann", i))
		senders = append(senders, s)
		s.more(20)
		s.longest()
		p.Kill(own)
		s.more(20)
		gap := s.longest()
		t.Logf("no acknowledgement for %v", gap.Round(time.Millisecond))
		least = min(least, gap)
		s.end()
		p.Start(t, own)
	}
	// 20 ms on a quiet machine; an attempt that is waited for takes 400 ms.
	if least > 300*time.Millisecond {
		t.Errorf("no acknowledgement for %v, want at most 50 ms on a quiet machine", least)
	}
	check(t, p.JetStream(t), senders...)
}
