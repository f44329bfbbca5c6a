package check

import (
	"fmt"
	"time"
)

// Scenario is a fixed schedule that shows one promise.
type Scenario string

// The scenarios.
const (
	// Rolling stops and starts every process, one after the other: nothing is lost, no second
	// is without an acknowledgement, and no client reconnects more than once for an edge.
	Rolling Scenario = "rolling"
	// Leader kills the leader of the events again and again: writes are back within 10 s, and
	// no client is disconnected.
	Leader Scenario = "leader"
	// Follower kills a node that leads nothing again and again: nobody notices.
	Follower Scenario = "follower"
	// Cut cuts one edge after the other off from NATS, for less than its lease lasts, and nobody
	// says anything more when the way is whole again: its clients keep their connections, and hear
	// what was said meanwhile all the same.
	Cut Scenario = "cut"
	// Fence cuts an edge off for longer than its lease lasts: it lets go of its clients.
	Fence Scenario = "fence"
)

// The times of those.
const (
	cutFor   = 10 * sec
	hushed   = sec      // so long before the end of a cut
	hushFor  = 12 * sec // longer than what was lost may take to be found
	fenceFor = 36 * sec // longer than a lease
	// goneFollower is so long that its return, which costs a busy machine something, too, is told
	// apart from its loss.
	goneFollower = feltFor + sec
)

// Scenarios are all of them.
func Scenarios() []Scenario { return []Scenario{Rolling, Leader, Follower, Cut, Fence} }

// plan is the schedule, as far as it fits into length.
func (s Scenario) plan(length time.Duration) []Planned {
	var plan []Planned
	add := func(f Planned) bool {
		if f.At+f.For > length {
			return false
		}
		plan = append(plan, f)
		return true
	}
	switch s {
	case Rolling:
		at := 5 * sec
		for n := range copies {
			for _, service := range services {
				add(Planned{At: at, For: sec, Kind: TermIt, Target: copyOf(service, n+1)})
				at += 3 * sec
			}
		}
		for n := range copies {
			add(Planned{At: at, For: sec, Kind: TermIt, Target: edgeOf(n + 1)})
			at += 10 * sec
		}
		for n := range nodes {
			add(Planned{At: at, For: sec, Kind: TermIt, Target: nodeOf(n + 1)})
			at += 10 * sec
		}
	case Leader, Follower:
		target, gone := leader, 2*sec
		if s == Follower {
			target, gone = bystander, goneFollower
		}
		for at := 5 * sec; add(Planned{At: at, For: gone, Kind: KillIt, Target: target}); {
			at += 25 * sec
		}
	case Cut:
		for at, n := 5*sec, 0; add(Planned{At: at, For: cutFor, Kind: Part, Target: edgeOf(1 + n%copies), lane: edgeLane}); n++ {
			// A lane of its own: it goes on beyond the end of the cut.
			add(Planned{At: at + cutFor - hushed, For: hushFor, Kind: Hush, Target: "clients", lane: clientLane})
			at += 20 * sec
		}
	case Fence:
		for at, n := 5*sec, 0; add(Planned{At: at, For: fenceFor, Kind: Part, Target: edgeOf(1 + n%copies), lane: edgeLane}); n++ {
			at += 50 * sec
		}
	}
	return plan
}

// Least is how long a run must last that shows all of the scenario: a schedule that comes to an end
// is cut short in a shorter one, and would show less than it says.
func (s Scenario) Least() time.Duration {
	if s != Rolling {
		return 0
	}
	whole := s.plan(time.Hour)
	last := whole[len(whole)-1]
	return last.At + last.For
}

// ParseScenario reads the name of one; empty is none.
func ParseScenario(name string) (Scenario, error) {
	for _, s := range append(Scenarios(), "") {
		if string(s) == name {
			return s, nil
		}
	}
	return "", fmt.Errorf("%q is no scenario: there are rolling, leader, follower, cut and fence", name)
}
