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

// BenchmarkAppend is what is stored, with each write synced, by so many senders of one line at
// a time: each on its own, and with those that wait sharing a sync.
func BenchmarkAppend(b *testing.B) {
	for _, senders := range []int{1, 16, 64, 256} {
		for _, how := range []string{"alone", "shared"} {
			b.Run(fmt.Sprintf("senders=%d/%s", senders, how), func(b *testing.B) {
				a := streams.NewAppender(natstest.RunDurable(b).JetStream(b), 1)
				store := a.Append
				if how == "alone" {
					store = a.Alone
				}
				line := event.Event{Kind: event.Chat, From: "ann", Text: "what one says to the others in the lobby, some sixty bytes"}
				var next atomic.Int64
				var wg sync.WaitGroup
				b.ReportAllocs()
				b.ResetTimer()
				for range senders {
					wg.Go(func() {
						for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
							if _, err := store(context.WithoutCancel(b.Context()), lobby, fmt.Sprint(n), line); err != nil {
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
