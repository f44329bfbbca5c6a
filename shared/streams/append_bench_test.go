package streams_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"gamehall/shared/event"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

// BenchmarkAppend is what is stored, with each write synced, by so many senders: lines on their
// own, those that wait sharing a sync, and six at a time of each sender.
func BenchmarkAppend(b *testing.B) {
	for _, senders := range []int{1, 10, 16, 64, 256} {
		for _, how := range []string{"alone", "shared", "together"} {
			b.Run(fmt.Sprintf("senders=%d/%s", senders, how), func(b *testing.B) {
				a := streams.NewAppender(natstest.RunDurable(b).JetStream(b), 1)
				store, together := a.AppendAll, int64(1)
				switch how {
				case "alone":
					store = a.Alone
				case "together":
					together = 6
				}
				line := event.Event{Kind: event.Chat, From: "ann", Text: "what one says to the others in the lobby, some sixty bytes"}
				var next atomic.Int64
				var wg sync.WaitGroup
				b.ReportAllocs()
				b.ResetTimer()
				for range senders {
					wg.Go(func() {
						for n := next.Add(together); n <= int64(b.N)+together; n = next.Add(together) {
							entries := make([]streams.Entry, together)
							for i := range entries {
								entries[i] = streams.Entry{ID: fmt.Sprint(n + int64(i)), Value: line}
							}
							if _, err := store(context.WithoutCancel(b.Context()), lobby, entries); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
			})
		}
	}
}
