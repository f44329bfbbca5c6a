package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkLobby is the time from a line being sent to its arrival at every other one of
// 100 clients, with one line every 50 ms and everything stored durably before it is told.
// Each iteration is one line.
//
//	go test ./tools/hall -run '^$' -bench Lobby -benchtime 400x
func BenchmarkLobby(b *testing.B) {
	const clients = 100
	addr := openHall(b, "--password-hash", "m=64,t=1,p=1")
	all := make([]*terminal, clients)
	for i := range all {
		name := fmt.Sprintf("player%d", i)
		all[i] = dialTerminal(b, addr)
		all[i].send("/SIGNUP " + name + " secret99")
		all[i].line()
		all[i].send("/SIGNIN " + name + " secret99")
		for !strings.HasPrefix(all[i].line(), "system: welcome") {
			b.Fatal("not welcomed")
		}
	}
	var mu sync.Mutex
	var took []time.Duration
	sent := make([]time.Time, b.N)
	var readers sync.WaitGroup
	for _, c := range all[1:] {
		readers.Go(func() {
			own := make([]time.Duration, 0, b.N)
			for len(own) < b.N {
				line := c.line()
				now := time.Now()
				var n int
				if _, err := fmt.Sscanf(line, "player0: line %d", &n); err == nil {
					mu.Lock()
					own = append(own, now.Sub(sent[n]))
					mu.Unlock()
				}
			}
			mu.Lock()
			took = append(took, own...)
			mu.Unlock()
		})
	}
	b.ResetTimer()
	pace := time.NewTicker(50 * time.Millisecond)
	defer pace.Stop()
	for n := range b.N {
		<-pace.C
		mu.Lock()
		sent[n] = time.Now()
		mu.Unlock()
		all[0].send(fmt.Sprintf("line %d", n))
	}
	readers.Wait()
	b.StopTimer()
	slices.Sort(took)
	at := func(share float64) float64 {
		return float64(took[int(share*float64(len(took)-1))]) / float64(time.Millisecond)
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(0, "ns/op")
}
