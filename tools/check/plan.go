package check

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Kind is a kind of fault.
type Kind string

// The kinds. Who is hit is the target: a process, "nats leader", "nats follower" or "nats bystander", a client,
// or "clients/edge-1" for all of an edge's.
const (
	KillIt   Kind = "kill"     // SIGKILL, and started again after a while
	TermIt   Kind = "term"     // SIGTERM, and started again
	Freeze   Kind = "stop"     // SIGSTOP for a while
	Part     Kind = "cut"      // held from NATS both ways; a server: from the other servers
	OneWay   Kind = "oneway"   // what a process says does not reach NATS; it hears
	Slow     Kind = "delay"    // a link is late, or hands over a few bytes at a time
	StepDown Kind = "stepdown" // a stream's leader is asked to go
	All      Kind = "all"      // all NATS servers killed, and started again
	Two      Kind = "two"      // two of three NATS servers killed, and started again later
	HalfOpen Kind = "halfopen" // a client's connection is held: its cable is pulled
	Reset    Kind = "reset"    // connections of clients are reset
	Flap     Kind = "flap"     // a client's links are cut each other second
	// Hush is no fault and is never drawn: nobody asks anything for a while, so that what was lost
	// last is not found by what comes behind it.
	Hush Kind = "hush"
)

// Kinds are all kinds that can be drawn.
func Kinds() []Kind {
	return []Kind{KillIt, TermIt, Freeze, Part, OneWay, Slow, StepDown, All, Two, HalfOpen, Reset, Flap}
}

// The targets that are known only when their time has come.
const (
	leader   = "nats leader"   // of the events
	follower = "nats follower" // one that is not
	// bystander is a follower that leads nothing else, either: what it leads is given to others before.
	bystander = "nats bystander"
)

// Planned is a fault of a schedule: what happens At, counted from the beginning, For how long.
type Planned struct {
	At, For time.Duration
	Kind    Kind
	Target  string
	lane    lane
}

// String tells the fault to people.
func (p Planned) String() string {
	return fmt.Sprintf("%7.1fs %-8s %-14s for %.1fs", p.At.Seconds(), p.Kind, p.Target, p.For.Seconds())
}

// lane keeps faults apart that together would take more than the hall can lose: within a
// lane, one fault has ended and its process is back before the next begins.
type lane int

const (
	natsLane lane = iota
	edgeLane
	serviceLane
	clientLane
	lanes
)

// choice is a kind of fault that a lane may draw.
type choice struct {
	weight   int
	kind     Kind
	target   func(*drawn) string
	least    time.Duration
	most     time.Duration
	lasting  time.Duration // the run must be at least so long
	recovers time.Duration // afterwards, until the next one of the lane
}

// drawn is what targets are drawn from.
type drawn struct {
	*rand.Rand
	clients int
}

func aNode(d *drawn) string {
	if d.IntN(2) == 0 {
		return leader
	}
	return follower
}
func anEdge(d *drawn) string    { return edgeOf(1 + d.IntN(copies)) }
func aClient(d *drawn) string   { return clientOf(1 + d.IntN(d.clients)) }
func clientsOf(d *drawn) string { return linkOf("clients", anEdge(d)) }

func aService(d *drawn) string {
	return copyOf(services[d.IntN(len(services))], 1+d.IntN(copies))
}

// clientOf names the n-th client, from 1.
func clientOf(n int) string { return fmt.Sprintf("c%03d", n) }

func always(target string) func(*drawn) string { return func(*drawn) string { return target } }

const sec = time.Second

// choices are what each lane draws from.
var choices = [lanes][]choice{
	natsLane: {
		{4, KillIt, always(leader), sec, 8 * sec, 0, 10 * sec},
		{3, KillIt, always(follower), sec, 12 * sec, 0, 5 * sec},
		{3, TermIt, aNode, sec / 2, 3 * sec, 0, 5 * sec},
		{2, Freeze, aNode, 5 * sec, 20 * sec, 30 * sec, 8 * sec},
		{3, Part, aNode, 5 * sec, 25 * sec, 30 * sec, 10 * sec},
		{3, StepDown, always(leader), 0, 1, 0, 3 * sec},
		{1, All, always("nats"), sec, 5 * sec, 50 * sec, 15 * sec},
		{1, Two, always("nats"), 5 * sec, 20 * sec, 3 * time.Minute, 15 * sec},
	},
	edgeLane: {
		{4, KillIt, anEdge, sec / 2, 8 * sec, 0, 4 * sec},
		{1, KillIt, anEdge, 36 * sec, 45 * sec, 3 * time.Minute, 4 * sec},
		{3, TermIt, anEdge, sec / 2, 3 * sec, 0, 4 * sec},
		{2, Freeze, anEdge, 5 * sec, 18 * sec, 30 * sec, 5 * sec},
		{2, Freeze, anEdge, 31 * sec, 45 * sec, 3 * time.Minute, 5 * sec},
		{2, Part, anEdge, 3 * sec, 15 * sec, 0, 5 * sec},
		{1, Part, anEdge, 22 * sec, 40 * sec, 2 * time.Minute, 5 * sec},
		{1, OneWay, anEdge, 3 * sec, 15 * sec, 0, 5 * sec},
		{1, OneWay, anEdge, 22 * sec, 40 * sec, 2 * time.Minute, 5 * sec},
		{1, Slow, anEdge, 5 * sec, 20 * sec, 0, 2 * sec},
	},
	serviceLane: {
		{6, KillIt, aService, sec / 5, 4 * sec, 0, 2 * sec},
		{4, TermIt, aService, sec / 5, 3 * sec, 0, 2 * sec},
		{2, Freeze, aService, 5 * sec, 15 * sec, 30 * sec, 3 * sec},
		{1, Freeze, aService, 15 * sec, 45 * sec, 3 * time.Minute, 3 * sec},
		{1, Part, aService, 3 * sec, 15 * sec, 30 * sec, 3 * sec},
		{1, OneWay, aService, 3 * sec, 15 * sec, time.Minute, 3 * sec},
		{1, Slow, aService, 3 * sec, 15 * sec, 0, 2 * sec},
	},
	clientLane: {
		{4, HalfOpen, aClient, 5 * sec, 45 * sec, 0, 0},
		{3, Reset, aClient, 0, 1, 0, 0},
		{1, Reset, clientsOf, 0, 1, 0, 5 * sec},
		{1, Flap, aClient, 6 * sec, 40 * sec, 0, 0},
		{2, Slow, aClient, 3 * sec, 20 * sec, 0, 0},
	},
}

// pause is how long a lane rests between two faults, on top of what the last one needs to
// recover.
var pause = [lanes]time.Duration{natsLane: 6 * sec, edgeLane: 4 * sec, serviceLane: 3 * sec, clientLane: 4 * sec}

// Plan draws a schedule of faults of these kinds for a run with so many clients: the same for
// the same seed. Faults begin some seconds after the beginning, and the last has ended when
// the run has; so those that take longer than the run are not drawn.
func Plan(seed uint64, length time.Duration, kinds []Kind, clients int) []Planned {
	var plan []Planned
	for l := range lanes {
		// Each lane draws from a stream of its own: to leave out a kind changes one lane only.
		d := &drawn{rand.New(rand.NewPCG(seed, uint64(l))), clients} //nolint:gosec // the seed is to give the same again
		plan = append(plan, d.lane(l, length, kinds)...)
	}
	slices.SortStableFunc(plan, func(a, b Planned) int { return cmp.Compare(a.At, b.At) })
	return plan
}

func (d *drawn) lane(l lane, length time.Duration, kinds []Kind) []Planned {
	var may []choice
	total := 0
	for _, c := range choices[l] {
		if slices.Contains(kinds, c.kind) && c.lasting <= length && (l != clientLane || d.clients > 0) {
			may = append(may, c)
			total += c.weight
		}
	}
	if total == 0 {
		return nil
	}
	var plan []Planned
	for at := 3*sec + d.upTo(3*sec); ; {
		c, n := may[0], d.IntN(total)
		for i := 1; n >= c.weight; i++ {
			n -= c.weight
			c = may[i]
		}
		f := Planned{At: at, For: c.least + d.upTo(c.most-c.least), Kind: c.kind, Target: c.target(d), lane: l}
		if at+f.For > length {
			if at+5*sec > length {
				return plan
			}
			at += sec // something shorter may still fit
			continue
		}
		plan = append(plan, f)
		at += c.recovers + d.upTo(2*pause[l])
		if l != clientLane { // clients have nothing to do with each other
			at += f.For
		}
	}
}

// upTo draws a time, in milliseconds so that it is told as it is.
func (d *drawn) upTo(most time.Duration) time.Duration {
	return time.Duration(d.Int64N(int64(most/time.Millisecond)+1)) * time.Millisecond
}

// ParseKinds reads a list of kinds: "everything" is all of them, "none" is none, and "-kill" takes
// one away from what stands before it, or from all.
func ParseKinds(list []string) ([]Kind, error) {
	var kinds []Kind
	for i, word := range list {
		name, without := strings.CutPrefix(word, "-")
		if without && i == 0 {
			kinds = Kinds()
		}
		switch kind := Kind(name); {
		case word == "none":
			kinds = nil
		case name == "everything":
			kinds = Kinds()
		case !slices.Contains(Kinds(), kind):
			return nil, fmt.Errorf("%q is no kind of fault: there are everything, none, %s", name, named(Kinds()))
		case without:
			kinds = slices.DeleteFunc(kinds, func(k Kind) bool { return k == kind })
		case !slices.Contains(kinds, kind):
			kinds = append(kinds, kind)
		}
	}
	return kinds, nil
}

func named(kinds []Kind) string {
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = string(k)
	}
	return strings.Join(words, ", ")
}
