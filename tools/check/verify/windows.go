package verify

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gamehall/tools/check/history"
)

// windowTail is how long after its end a fault may be felt.
const windowTail = 15 * second

// windows are the times of the faults, and what was seen in them.
type windows struct {
	list []Window
	from []int64
	to   []int64
	at   map[int64][]int // by second: those that last then
}

func newWindows(run history.Run) *windows {
	w := &windows{at: map[int64][]int{}}
	faults := slices.Clone(run.Faults)
	slices.SortStableFunc(faults, func(a, b history.Fault) int { return cmp.Compare(a.From, b.From) })
	for i, f := range faults {
		end := f.To
		if end == 0 {
			end = run.End
		}
		end = min(max(end, f.From)+windowTail, max(run.End, f.From))
		w.list = append(w.list, Window{Fault: f})
		w.from, w.to = append(w.from, f.From), append(w.to, end)
		for s := f.From / second; s <= end/second; s++ {
			w.at[s] = append(w.at[s], i)
		}
	}
	return w
}

// each calls f for every window that overlaps from to to.
func (w *windows) each(from, to int64, f func(i int)) {
	done := map[int]bool{}
	for s := from / second; s <= to/second; s++ {
		for _, i := range w.at[s] {
			if !done[i] && w.from[i] <= to && w.to[i] >= from {
				done[i] = true
				f(i)
			}
		}
	}
}

// delivered notes a delivery that took so long.
func (w *windows) delivered(member string, stored, came, took int64) {
	for s := stored / second; s <= came/second; s++ {
		for _, i := range w.at[s] {
			if x := &w.list[i]; time.Duration(took) > x.DeliveryGap && w.from[i] <= came && w.to[i] >= stored {
				x.DeliveryGap, x.Member = time.Duration(took), member
			}
		}
	}
}

// checkWindows measures the gaps of each fault, and is F1: what FAULTS.md bounds for the loss of
// one NATS node (N3, N4, N5), where nothing else was broken at the time.
func (c *checker) checkWindows() {
	c.ackGaps()
	for _, s := range c.stints {
		if s.ended && s.by != history.ByClient {
			c.windows.each(s.to, s.to, func(i int) { c.windows.list[i].Lost++ })
		}
	}
	for i, w := range c.windows.list {
		f := w.Fault
		if !strings.HasPrefix(f.Target, "nats") || strings.Contains(f.Target, "/") || f.Kind != history.Kill && f.Kind != history.Stop && f.Kind != history.StepDown {
			continue
		}
		if c.faulty(f.From-20*second, c.windows.to[i], 0, func(other history.Fault) bool { return other != f && strings.Contains(other.Target, "nats") }) {
			continue // more than one NATS node was in trouble, or links to them
		}
		c.report.look(F1, 1)
		if c.settings.Replicas >= 3 {
			c.nodeLost(w, c.windows.from[i], c.windows.to[i])
		}
	}
	c.report.Windows = c.windows.list
}

// electionMost is how long a lost leader may stop writes (N3).
const electionMost = 10 * time.Second

// nodeLost looks at the loss of one NATS node of three: writes are back within 10 s and no edge
// closes its clients.
func (c *checker) nodeLost(w Window, from, to int64) {
	alone := !c.faulty(from, to, 0, func(other history.Fault) bool {
		return other != w.Fault && other.Kind != history.SlowRead && other.Kind != history.Drop
	})
	if alone && w.AckGap > electionMost+time.Second {
		c.violate(Violation{ID: F1, T: from, Text: fmt.Sprintf("%s of %s: nothing was acknowledged for %s", w.Fault.Kind, w.Fault.Target, short(w.AckGap))})
	}
	for _, s := range c.stints {
		if !s.ended || s.by == history.ByClient || s.reason != "unavailable" || s.to < from || s.to > to {
			continue
		}
		if c.faulty(s.to-35*second, s.to, 0, func(f history.Fault) bool { return of(f, s.edge) }) {
			continue
		}
		c.violate(Violation{ID: F1, Client: s.client, T: s.to, Text: fmt.Sprintf("%s of %s: %s closed its clients, the connection %d of %s among them", w.Fault.Kind, w.Fault.Target, s.edge, s.n, s.client)})
	}
}

// ackGaps finds the times without an acknowledgement of a line while one waited for it.
func (c *checker) ackGaps() {
	var lines []*op
	for _, o := range c.ops {
		if o.in.F == history.Say || o.in.F == history.RoomSay {
			lines = append(lines, o)
		}
	}
	slices.SortFunc(lines, func(a, b *op) int { return cmp.Compare(a.out.T, b.out.T) })
	// began is when the first of those began to wait that still wait then.
	began := make([]int64, len(lines)+1)
	began[len(lines)] = math.MaxInt64
	for i := len(lines) - 1; i >= 0; i-- {
		began[i] = min(began[i+1], lines[i].in.T)
	}
	last := c.run.Start
	for i, o := range lines {
		if !o.ok() {
			continue
		}
		from := max(last, began[i])
		c.windows.each(from, o.out.T, func(i int) {
			w := &c.windows.list[i]
			w.AckGap = max(w.AckGap, time.Duration(o.out.T-from))
			if o.out.T >= c.windows.from[i] && o.out.T <= c.windows.to[i] {
				w.Acked++
			}
		})
		last = o.out.T
	}
}

// summarize sorts the latencies.
func (c *checker) summarize() {
	for of, list := range c.latency {
		slices.Sort(list)
		at := func(share float64) time.Duration {
			return time.Duration(list[min(len(list)-1, int(share*float64(len(list))))])
		}
		c.report.Latencies = append(c.report.Latencies, Latency{
			Of: of, N: len(list), P50: at(0.5), P99: at(0.99), P999: at(0.999), Max: time.Duration(list[len(list)-1]),
		})
	}
	slices.SortFunc(c.report.Latencies, func(a, b Latency) int { return strings.Compare(a.Of, b.Of) })
}
