package check

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPlan gives the same schedule for the same seed, and another one for another.
func TestPlan(t *testing.T) {
	t.Parallel()
	a, b := Plan(7, time.Minute, Kinds(), 24), Plan(7, time.Minute, Kinds(), 24)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("the same seed gave\n%v\nand\n%v", a, b)
	}
	if reflect.DeepEqual(a, Plan(8, time.Minute, Kinds(), 24)) {
		t.Error("two seeds gave the same schedule")
	}
}

// TestPlanEnough has enough faults, for a minute and for half an hour, of every kind that
// fits, and all of them end in time.
func TestPlanEnough(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		short, long := Plan(seed, time.Minute, Kinds(), 24), Plan(seed, 30*time.Minute, Kinds(), 24)
		if len(short) < 8 || len(long) < 250 {
			t.Errorf("seed %d: %d faults in a minute, %d in half an hour", seed, len(short), len(long))
		}
		for _, kind := range Kinds() {
			if !slices.ContainsFunc(long, func(p Planned) bool { return p.Kind == kind }) {
				t.Errorf("seed %d: half an hour without %s", seed, kind)
			}
		}
		for _, p := range append(short, long...) {
			if p.At < 3*time.Second {
				t.Errorf("seed %d: %v is too early", seed, p)
			}
		}
		for _, p := range short {
			if p.At+p.For > time.Minute {
				t.Errorf("seed %d: %v does not end in time", seed, p)
			}
		}
	}
}

// TestPlanLanes never takes down more than the hall can lose: within a lane one after the
// other.
func TestPlanLanes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		var free [lanes]time.Duration
		for _, p := range Plan(seed, 30*time.Minute, Kinds(), 24) {
			if p.lane == clientLane {
				continue
			}
			if p.At < free[p.lane] {
				t.Fatalf("seed %d: %v begins before the last one of its lane has ended", seed, p)
			}
			free[p.lane] = p.At + p.For
		}
	}
}

func TestPlanKinds(t *testing.T) {
	t.Parallel()
	for _, p := range Plan(1, 10*time.Minute, []Kind{KillIt}, 24) {
		if p.Kind != KillIt {
			t.Errorf("%v was not asked for", p)
		}
	}
	if plan := Plan(1, 10*time.Minute, nil, 24); len(plan) > 0 {
		t.Errorf("nothing was asked for, and this came: %v", plan)
	}
}

func TestParseKinds(t *testing.T) {
	t.Parallel()
	tests := []struct{ list, want string }{
		{"everything", named(Kinds())},
		{"none", ""},
		{"kill,term", "kill, term"},
		{"-cut,-oneway,-delay,-stepdown,-all,-two,-halfopen,-reset,-flap", "kill, term, stop"},
	}
	for _, tt := range tests {
		got, err := ParseKinds(strings.Split(tt.list, ","))
		if err != nil || named(got) != tt.want {
			t.Errorf("%s: %s, %v; want %s", tt.list, named(got), err, tt.want)
		}
	}
	if _, err := ParseKinds([]string{"earthquake"}); err == nil {
		t.Error("an earthquake is a kind of fault")
	}
}

// TestRollingIsWhole: a run that is long enough for the scenario restarts every process once.
func TestRollingIsWhole(t *testing.T) {
	t.Parallel()
	times := map[string]int{}
	for _, f := range Rolling.plan(Rolling.Least()) {
		times[f.Target]++
	}
	for n := range nodes {
		times[nodeOf(n+1)]--
	}
	for n := range copies {
		times[edgeOf(n+1)]--
		for _, service := range services {
			times[copyOf(service, n+1)]--
		}
	}
	for target, n := range times {
		if n != 0 {
			t.Errorf("%s is restarted %d times", target, n+1)
		}
	}
	if Leader.Least() != 0 || Scenario("").Least() != 0 {
		t.Error("a schedule that goes on and on wants no length of its own")
	}
}
