package verify

import (
	"slices"
	"strings"
	"time"

	"gamehall/tools/check/history"
)

// What a fault excuses is what it can have held up, and nothing else: a client's own link or
// program says nothing about the session of another one, and a dead copy of chat nothing about
// how long a round lasts. Where something is excused, the bound is a wider one, not none.

// trouble is a time in which somebody could not do its work.
type trouble struct{ from, to int64 }

// troubled tells whether one of list touches the time between from and to.
func troubled(list []trouble, from, to int64) bool {
	return slices.ContainsFunc(list, func(t trouble) bool { return t.from <= to && t.to >= from })
}

// over is when the troubles of list that hold at t are over, and those that follow them without a
// pause; t when there is none.
func over(list []trouble, t int64) int64 {
	for again := true; again; {
		again = false
		for _, x := range list {
			if x.from <= t && x.to > t {
				t, again = x.to, true
			}
		}
	}
	return t
}

// began is when the troubles of list that touch t began, and those before them with no more than
// a pause of so long; t when there is none.
func began(list []trouble, t int64, pause time.Duration) int64 {
	for again := true; again; {
		again = false
		for _, x := range list {
			if x.from < t && x.to+int64(pause) >= t {
				t, again = x.from, true
			}
		}
	}
	return t
}

// both are the times that a and b have in common.
func both(a, b []trouble) (common []trouble) {
	for _, x := range a {
		for _, y := range b {
			if from, to := max(x.from, y.from), min(x.to, y.to); from <= to {
				common = append(common, trouble{from, to})
			}
		}
	}
	return common
}

// healed is when f was, or the end of the run.
func (c *checker) healed(f history.Fault) int64 {
	if f.To == 0 {
		return c.run.End
	}
	return f.To
}

// ofProcess tells whether f is about a process, or its links to NATS.
func ofProcess(f history.Fault, name string) bool {
	from, to, link := strings.Cut(f.Target, "/")
	return f.Target == name || link && (from == name && strings.HasPrefix(to, "nats") || to == name && strings.HasPrefix(from, "nats"))
}

// instant tells whether f is over at once for who is hit by it: a connection that was reset.
func instant(f history.Fault) bool {
	return f.Kind == history.Cut && f.To-f.From < second/10 && f.To != 0
}

// troubles are the times of the faults that keep accepts, and so long after each.
func (c *checker) troubles(after time.Duration, keep func(history.Fault) bool) (list []trouble) {
	for _, f := range c.run.Faults {
		if keep(f) {
			list = append(list, trouble{f.From, c.healed(f) + int64(after)})
		}
	}
	return list
}

// ofEdge are the troubles of an edge and its links to NATS.
func (c *checker) ofEdge(edge string) []trouble {
	list, known := c.edges[edge]
	if !known {
		list = c.troubles(time.Second, func(f history.Fault) bool { return ofProcess(f, edge) })
		c.edges[edge] = list
	}
	return list
}

// onWay are the troubles of the way between a client and an edge.
func (c *checker) onWay(client, edge string) []trouble {
	return c.troubles(0, func(f history.Fault) bool { return onTheWay(f, client, edge) && !instant(f) })
}

const (
	// nextCopy is how long it may take until another copy of a service does what a dead one was
	// to do (P2 to P6).
	nextCopy = 5 * time.Second
	// awake is how long a process may take to be of use once its fault is over: it connects, and
	// leaves what is due to those that were there before.
	awake = 2 * time.Second
)

// ofNATSAll are the times in which NATS as a whole may not have worked: when one node is lost, for
// as long as an election takes; when more are, or they cannot hear each other, until that is over
// and for an election more.
func (c *checker) ofNATSAll() (list []trouble) {
	lost := func(f history.Fault) bool {
		return amongNATS(f) && f.Kind != history.StepDown && f.Kind != history.Delay
	}
	for _, f := range c.run.Faults {
		if !amongNATS(f) {
			continue
		}
		end := c.healed(f)
		t := trouble{f.From, f.From + int64(electionMost)}
		alone := !c.faulty(f.From, end, electionMost, func(other history.Fault) bool { return lost(other) && other.Target != f.Target })
		if f.Kind != history.StepDown && (!alone || !ofNATS(f)) {
			t.to = end + int64(electionMost)
		}
		list = append(list, t)
		if f.Kind == history.Stop { // it takes itself for the leader until it hears better
			list = append(list, trouble{end, end + int64(nextCopy)})
		}
	}
	return list
}

// ofService are the times in which a service may not have answered: all of its copies were away.
// copies are those in which one was.
func (c *checker) ofService(service string) (away, copies []trouble) {
	byCopy := map[string][]trouble{}
	for _, f := range c.run.Faults {
		name, _, _ := strings.Cut(f.Target, "/")
		if !strings.HasPrefix(name, service+"-") {
			continue
		}
		t := trouble{f.From, c.healed(f) + int64(awake)}
		byCopy[name] = append(byCopy[name], t)
		copies = append(copies, t)
	}
	if len(byCopy) < max(1, c.settings.Copies) {
		return nil, copies
	}
	first := true
	for _, list := range byCopy {
		if first {
			away, first = list, false
			continue
		}
		away = both(away, list)
	}
	return away, copies
}

// ofAuth are the times in which an answer of auth may have been long in coming. Of two copies, one
// that died is asked once more at once; one that is frozen or cut off is asked in vain as long as
// that lasts.
func (c *checker) ofAuth() []trouble {
	list, _ := c.ofService("auth")
	for _, f := range c.run.Faults {
		if name, _, _ := strings.Cut(f.Target, "/"); !strings.HasPrefix(name, "auth-") {
			continue
		}
		t := trouble{f.From, c.healed(f) + int64(awake)}
		if f.Kind == history.Kill || f.Kind == history.Term {
			t.to = min(t.to, f.From+int64(nextCopy))
		}
		list = append(list, t)
	}
	return list
}
