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
// one NATS node of three (N3, N4, N5).
func (c *checker) checkWindows() {
	c.ackGaps()
	for _, s := range c.stints {
		if s.ended && s.by != history.ByClient {
			c.windows.each(s.to, s.to, func(i int) { c.windows.list[i].Lost++ })
		}
	}
	c.report.Windows = c.windows.list
	if c.settings.Replicas < 3 {
		return
	}
	c.elections()
	c.fences()
	c.letGo()
}

// electionMost is how long a lost leader may stop writes (N3).
const electionMost = 10 * time.Second

// ofNATS tells whether f is about a NATS node, and not about a link to one.
func ofNATS(f history.Fault) bool {
	return strings.HasPrefix(f.Target, "nats") && !strings.Contains(f.Target, "/")
}

// amongNATS tells whether f is about NATS nodes, or links between them, alone.
func amongNATS(f history.Fault) bool {
	for end := range strings.SplitSeq(f.Target, "/") {
		if !strings.HasPrefix(end, "nats") {
			return false
		}
	}
	return true
}

// elections looks at the loss of a node while nothing else was broken: writes are back within
// 10 s.
func (c *checker) elections() {
	for i, w := range c.windows.list {
		f := w.Fault
		if !ofNATS(f) || c.faulty(c.windows.from[i], c.windows.to[i], 0, func(other history.Fault) bool {
			return other != f && other.Kind != history.SlowRead && other.Kind != history.Drop
		}) {
			continue
		}
		c.report.look(F1, 1)
		if w.AckGap > electionMost+time.Second {
			c.violate(Violation{ID: F1, T: f.From, Text: fmt.Sprintf("%s of %s: nothing was acknowledged for %s", f.Kind, f.Target, short(w.AckGap))})
		}
	}
}

// fences looks at the connections that an edge ended because it was cut off: it must have been
// without a confirmed renewal for 20 s, so in trouble itself, or NATS was for about so long.
// The loss of one node is trouble for as long as an election takes, and not for that long.
func (c *checker) fences() {
	for i := range c.windows.list {
		if f := c.windows.list[i].Fault; ofNATS(f) {
			c.report.look(F1, 1)
		}
	}
	for _, s := range c.stints {
		if !s.ended || s.by == history.ByClient || s.reason != "unavailable" {
			continue
		}
		excused := troubled(c.ofEdge(s.edge), s.to-35*second, s.to)
		c.report.judged(F1, 1, !excused)
		if excused {
			continue
		}
		if without := c.withoutNATSBy(s); without < time.Duration(c.settings.Fence-c.settings.Renew) {
			c.violate(Violation{ID: F1, Client: s.client, T: s.to, Text: fmt.Sprintf("%s closed its clients as if it were cut off, the connection %d of %s among them: NATS was in trouble for %s at most", s.edge, s.n, s.client, short(without))})
		}
	}
}

// letGo looks at the connections of an edge that was cut off from NATS for longer than it may go
// on without a renewal: those that had a session when that began must be closed in time.
func (c *checker) letGo() {
	const slack = 4 * second // it looks once a second, and tells its clients then
	for _, f := range c.run.Faults {
		edge, from, found := strings.Cut(f.Target, "/")
		limit := f.From + int64(c.settings.Fence) + slack
		if f.Kind != history.Blackhole || !found || from != "nats" || !slices.Contains(c.settings.Edges, edge) || f.To < limit {
			continue
		}
		for _, s := range c.stints {
			if s.edge != edge || s.proof < f.From || !slices.ContainsFunc(s.parts, func(p *part) bool { return p.from <= f.From && (p.to == 0 || p.to > limit) }) {
				continue // it had no session then: who is in none may go on asking for one
			}
			c.report.look(F1, 1)
			if last := min(s.proof, f.To); last > limit && !s.paused(f.From, last) {
				c.violate(Violation{ID: F1, Client: s.client, T: last, Text: fmt.Sprintf("%s was cut off from NATS, and still served the connection %d of %s after %s", edge, s.n, s.client, since(last, f.From))})
			}
		}
	}
}

// lateMost is how long a line may take to somebody who listens and to whom nothing stands in the
// way: an edge looks once a second for what it has lost, and may be busy.
const lateMost = 6 * time.Second

// inTime looks at a line that came to somebody who listened all the while: when the edge or NATS
// was in trouble it may be late, but not by much when that is over.
func (c *checker) inTime(p *part, e history.Event, stored *entry) {
	late := e.T - stored.at
	c.report.judged(F1, 1, late <= int64(lateMost))
	if late <= int64(lateMost) {
		return
	}
	from := stored.at
	for _, f := range c.run.Faults {
		end := c.healed(f)
		switch {
		case amongNATS(f):
			end += int64(electionMost)
		case !of(f, p.stint.edge) && !onTheWay(f, p.stint.client, p.stint.edge):
			continue
		}
		if f.From <= e.T {
			from = max(from, end)
		}
	}
	if late = e.T - from; late > int64(lateMost) {
		c.at(F1, p, e, "the event %d of %s came %s after it was stored, and %s after what stood in its way", e.Seq, e.Channel, since(e.T, stored.at), since(e.T, from))
	}
}

// withoutNATSBy is for how long some node was lost when s was closed, at the most: its client may
// have heard that late, because its way to the edge was in trouble, or it did not listen.
func (c *checker) withoutNATSBy(s *stint) time.Duration {
	longest := c.withoutNATS(s.to)
	deaf := c.onWay(s.client, s.edge)
	for _, p := range s.pauses {
		deaf = append(deaf, trouble{p[0], cmp.Or(p[1], s.to)})
	}
	for _, way := range deaf {
		if way.from > s.to || way.to+second < s.to {
			continue
		}
		longest = max(longest, c.withoutNATS(way.from))
		for _, f := range c.run.Faults {
			if end := c.healed(f); end > way.from && end < s.to {
				longest = max(longest, c.withoutNATS(end))
			}
		}
	}
	return longest
}

// withoutNATS is for how long before t some node was lost, or just lost, without a pause.
func (c *checker) withoutNATS(t int64) time.Duration {
	from := t
	for again := true; again; {
		again = false
		for _, f := range c.run.Faults {
			if !amongNATS(f) || f.From >= from {
				continue
			}
			end := f.From + int64(electionMost)
			// A node that is cut off from the others serves nobody, and who is connected to it does not
			// know; one that is gone is left at once. Where most were gone they elect once they are back.
			if !ofNATS(f) || f.Kind != history.StepDown && f.Role == "" {
				end = max(end, f.To+int64(electionMost))
			}
			if end+2*second >= from {
				from, again = f.From, true
			}
		}
	}
	return time.Duration(t - from)
}

// inVain is how long a line must have waited for its missing outcome to count as one that still
// waits: whose connection was lost at once was not kept waiting by the hall.
const inVain = 2 * second

// ackGaps finds the times without an acknowledgement of a line while one waited for it. A line that
// waited in vain, until the hall gave up or its connection was lost, counts as one that waits until
// something is acknowledged again: or an outage that outlasts the hall's patience would be told as
// long as the patience of those who came last.
func (c *checker) ackGaps() {
	type waiting struct{ from, to int64 }
	var acked, lines []waiting
	for _, o := range c.ops {
		if o.in.F != history.Say && o.in.F != history.RoomSay {
			continue
		}
		w := waiting{o.in.T, o.out.T}
		switch {
		case o.ok():
			acked = append(acked, w)
		case !o.unknown() || w.to-w.from < inVain:
			continue
		}
		lines = append(lines, w)
	}
	byEnd := func(a, b waiting) int { return cmp.Compare(a.to, b.to) }
	slices.SortFunc(acked, byEnd)
	slices.SortFunc(lines, byEnd)
	// began is when the first of those began to wait that have not ended before.
	began := make([]int64, len(lines)+1)
	began[len(lines)] = math.MaxInt64
	for i := len(lines) - 1; i >= 0; i-- {
		began[i] = min(began[i+1], lines[i].from)
	}
	last, open := c.run.Start, 0
	for _, a := range acked {
		for open < len(lines) && lines[open].to <= last {
			open++
		}
		from := max(last, began[open])
		c.windows.each(from, a.to, func(i int) {
			w := &c.windows.list[i]
			w.AckGap = max(w.AckGap, time.Duration(a.to-from))
			if a.to >= c.windows.from[i] && a.to <= c.windows.to[i] {
				w.Acked++
			}
		})
		last = a.to
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
