package chat

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/chatapi"
	"gamehall/shared/natstest"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// BenchmarkSay is the path of a line without the edge: from the call, through the service,
// onto the disk (synced), to the live subject. Each sender has one line under way at a time.
// All of it runs in this process, so that the CPU per line is that of all parts together.
func BenchmarkSay(b *testing.B) {
	for _, replicas := range []int{1, 3} {
		for _, senders := range []int{1, 16, 64, 256} {
			b.Run(fmt.Sprintf("R%d/senders=%d", replicas, senders), func(b *testing.B) {
				benchmarkSay(b, replicas, senders)
			})
		}
	}
}

// hall is where the lines are stored.
type hall interface {
	Dialer() bus.Dialer
	Connect(testing.TB) *nats.Conn
	JetStream(testing.TB) jetstream.JetStream
}

func benchmarkSay(b *testing.B, replicas, senders int) {
	b.Helper()
	var ns hall
	var first *natstest.Server
	if replicas == 1 {
		first = natstest.RunDurable(b)
		ns = first
	} else {
		c := natstest.RunDurableCluster(b, replicas)
		ns, first = c, c.Nodes[0]
	}
	s, err := Start(natstest.Context(b), Config{NATS: ns.Dialer(), Log: natstest.Quiet(), Replicas: replicas})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Stop(context.WithoutCancel(b.Context())); err != nil {
			b.Errorf("stop: %v", err)
		}
	})
	who := make([]session.Record, senders)
	for i := range who {
		who[i] = first.SignIn(b, "user"+strconv.Itoa(i), "edge1")
	}
	nc := ns.Connect(b) // all senders are on one edge
	var heard atomic.Int64
	sub, err := nc.Subscribe(streams.Live(streams.LobbyChannel), func(*nats.Msg) { heard.Add(1) })
	if err != nil {
		b.Fatal(err)
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		b.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		b.Fatal(err)
	}
	took := make([][]time.Duration, senders)
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	before := cpuTime()
	b.ResetTimer()
	for i := range senders {
		wg.Go(func() {
			ctx := natstest.As(context.WithoutCancel(b.Context()), who[i])
			last := uint64(0)
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				begun := time.Now()
				resp, err := chatapi.Say.Call(ctx, nc, chatapi.SayRequest{Text: "what one says to the others in the lobby, some sixty bytes"})
				if err != nil || resp.Seq <= last {
					b.Errorf("line %d: sequence %d after %d, error %v", n, resp.Seq, last, err)
					return
				}
				last = resp.Seq
				took[i] = append(took[i], time.Since(begun))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N), "cpu-µs/line")
	all := slices.Concat(took...)
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	natstest.Eventually(b, "every line is told", func() bool { return heard.Load() >= int64(b.N) })
	if n := heard.Load(); n != int64(b.N) {
		b.Errorf("%d lines were told of %d", n, b.N)
	}
}

// cpuTime is what this process has used, in the kernel too.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
