package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"time"

	"gamehall/tools/check/crowd"
	"gamehall/tools/check/history"
	"gamehall/tools/check/proxy"
)

// injector breaks a hall as a schedule says, and mends it.
type injector struct {
	hall  *hall
	admin *admin
	crowd *crowd.Crowd
	begun time.Time
	out   io.Writer
	// strict is that nothing excuses a process which does not end as it should.
	strict bool

	mu        sync.Mutex
	active    int       // faults that are at work, those of clients not counted
	calmSince time.Time // when the last one ended
	faults    []history.Fault
	problems  []error // what did not end or come back as it should
}

// run injects all faults and returns when the last has ended and what died serves again.
func (in *injector) run(ctx context.Context, plan []Planned) {
	var all sync.WaitGroup
	for l := range lanes {
		all.Go(func() {
			for _, f := range plan {
				if f.lane == l && !in.one(ctx, f, &all) {
					return
				}
			}
		})
	}
	all.Wait()
}

// one waits for the time of f and injects it; a client's fault is left to itself.
func (in *injector) one(ctx context.Context, f Planned, all *sync.WaitGroup) bool {
	if !wait(ctx, time.Until(in.begun.Add(f.At))) {
		return false
	}
	if f.lane == clientLane {
		all.Go(func() { in.inject(ctx, f) })
		return true
	}
	in.inject(ctx, f)
	return ctx.Err() == nil
}

// wait waits; false when ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// alone tells whether no other fault than the one that asks is at work, or was a moment ago:
// a process that cannot reach anybody cannot answer what it accepted, and says so.
func (in *injector) alone() bool {
	if in.strict {
		return true
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.active == 1 && time.Since(in.calmSince) > calmBefore
}

// calmBefore is how long a hall takes to be whole again after a fault: an election.
const calmBefore = 12 * time.Second

// enter and leave count the faults at work.
func (in *injector) enter() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.active++
}

func (in *injector) leave() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.active--
	in.calmSince = time.Now()
}

// inject does f and returns when it is over.
func (in *injector) inject(ctx context.Context, f Planned) {
	if f.lane != clientLane {
		in.enter()
		defer in.leave()
	}
	target, role := f.Target, ""
	if target == leader || target == follower || target == bystander {
		name, err := in.who(ctx, target)
		if err != nil {
			in.problem(fmt.Errorf("%s of %s: %w", f.Kind, target, err))
			return
		}
		_, role, _ = strings.Cut(target, " ")
		target = name
	}
	in.tell("%7.1fs  %-8s %-10s %-8s for %.1fs", time.Since(in.begun).Seconds(), f.Kind, target, role, f.For.Seconds())
	fault := history.Fault{Kind: string(f.Kind), Target: target, Role: role, Note: string(f.Kind)}
	switch f.Kind {
	case KillIt, TermIt:
		fault.Kind = history.Kill
		if f.Kind == TermIt {
			fault.Kind = history.Term
		}
		in.during(fault, func() { in.down(ctx, f, target) })
	case All, Two:
		fault.Kind = history.Kill
		names := in.hall.kind("nats")
		if f.Kind == Two {
			first, err := in.admin.role(ctx, leader)
			if err != nil {
				first = names[0]
			}
			names = except(names, except(names, first)[0])
		}
		in.several(ctx, fault, f, names)
	case Freeze:
		fault.Kind = history.Stop
		in.during(fault, func() {
			in.problem(in.hall.processes[target].signal(syscall.SIGSTOP))
			wait(ctx, f.For)
			in.problem(in.hall.processes[target].signal(syscall.SIGCONT))
		})
	case Part, OneWay, Slow:
		in.link(ctx, f, target, fault)
	case StepDown:
		fault.Kind = history.StepDown
		in.during(fault, func() {
			if err := in.admin.stepDown(ctx); err != nil && ctx.Err() == nil {
				in.tell("          stepdown: %v", err) // another fault was faster
			}
		})
	case HalfOpen, Reset, Flap:
		in.clients(ctx, f, fault)
	case Hush:
		in.crowd.Hush(f.For)
	}
}

// who gives the node that has the role. A bystander is made, and the elections for that are over
// when it is.
func (in *injector) who(ctx context.Context, role string) (node string, err error) {
	if role != bystander {
		return in.admin.role(ctx, role)
	}
	moved := 0
	in.during(history.Fault{Kind: history.StepDown, Target: "nats", Note: "all that a follower leads"}, func() {
		node, moved, err = in.admin.bystander(ctx)
	})
	if err == nil {
		in.tell("%7.1fs  %s leads nothing: %d leaders were moved", time.Since(in.begun).Seconds(), node, moved)
		wait(ctx, feltFor+time.Second)
	}
	return node, err
}

// during writes fault down with the times of do.
func (in *injector) during(fault history.Fault, do func()) {
	fault.From = history.Now()
	do()
	fault.To = history.Now()
	in.mu.Lock()
	defer in.mu.Unlock()
	in.faults = append(in.faults, fault)
}

// down ends a process and starts it again.
func (in *injector) down(ctx context.Context, f Planned, name string) {
	p := in.hall.processes[name]
	if f.Kind == TermIt {
		alone := in.alone()
		took, err := p.stop()
		switch {
		case err == nil:
		case alone && in.alone():
			in.problem(err)
		default:
			in.tell("          %v: it was not alone in trouble", err)
		}
		if took > 5*time.Second {
			in.tell("          %s took %.1fs to end", name, took.Seconds())
		}
	} else {
		in.problem(p.kill())
	}
	wait(ctx, f.For)
	in.up(ctx, name)
}

// up starts a process again and waits until it serves.
func (in *injector) up(ctx context.Context, name string) {
	p := in.hall.processes[name]
	if ctx.Err() != nil {
		return
	}
	if err := p.start(); err != nil {
		in.problem(err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, upWithin)
	defer cancel()
	if err := p.serving(ctx); err != nil && !errors.Is(context.Cause(ctx), context.Canceled) {
		in.problem(err)
	}
}

// several kills some processes at once and starts them again.
func (in *injector) several(ctx context.Context, fault history.Fault, f Planned, names []string) {
	var all sync.WaitGroup
	for _, name := range names {
		all.Go(func() {
			fault := fault
			fault.Target = name
			in.during(fault, func() { in.down(ctx, Planned{Kind: KillIt, For: f.For}, name) })
		})
	}
	all.Wait()
}

// link breaks or slows the links of a process or a client.
func (in *injector) link(ctx context.Context, f Planned, target string, fault history.Fault) {
	fault.Kind = history.Blackhole
	state := proxy.Held
	switch f.Kind {
	case OneWay:
		state = proxy.State{Up: proxy.Direction{Hold: true}}
	case Slow:
		fault.Kind = history.Delay
		d := proxy.Direction{Delay: 100 * time.Millisecond}
		if f.lane == clientLane {
			d = proxy.Direction{Slice: 7, Rate: 20_000}
		}
		state = proxy.State{Up: d, Down: d}
	}
	links := in.hall.linksOf(target)
	if f.lane == clientLane {
		links = in.hall.linksOfClient(target, "")
	} else {
		fault.Target = linkOf(target, "nats")
	}
	in.during(fault, func() {
		for _, l := range links {
			l.Set(state)
		}
		wait(ctx, f.For)
		for _, l := range links {
			l.Heal()
		}
	})
}

// clients breaks the connections of clients.
func (in *injector) clients(ctx context.Context, f Planned, fault history.Fault) {
	if edge, ok := strings.CutPrefix(f.Target, "clients/"); ok {
		fault.Kind = history.Cut
		in.during(fault, func() {
			for _, p := range in.crowd.Players() {
				p.Breaks(edge, true)
				for _, l := range in.hall.linksOfClient(p.Name, edge) {
					l.Reset()
				}
			}
		})
		return
	}
	var p *crowd.Player
	for _, one := range in.crowd.Players() {
		if one.Name == f.Target {
			p = one
		}
	}
	edge := p.Edge()
	switch f.Kind {
	case Reset:
		fault.Kind = history.Cut
		in.during(fault, func() {
			p.Breaks(edge, true)
			for _, l := range in.hall.linksOfClient(p.Name, edge) {
				l.Reset()
			}
		})
	case HalfOpen:
		fault.Kind, fault.Note = history.Blackhole, "halfopen "+edge
		in.during(fault, func() {
			in.brokenWay(p, edge, true)
			for _, l := range in.hall.linksOfClient(p.Name, edge) {
				l.Set(proxy.Held)
			}
			wait(ctx, f.For)
			for _, l := range in.hall.linksOfClient(p.Name, edge) {
				l.Heal()
			}
			in.brokenWay(p, edge, false)
		})
	case Flap:
		fault.Kind = history.Cut
		in.during(fault, func() {
			until := time.Now().Add(f.For)
			for time.Now().Before(until) && ctx.Err() == nil {
				in.brokenWay(p, "", true)
				for _, l := range in.hall.linksOfClient(p.Name, "") {
					l.Set(proxy.State{Deny: true})
					l.Reset()
				}
				wait(ctx, time.Second)
				for _, l := range in.hall.linksOfClient(p.Name, "") {
					l.Heal()
				}
				in.brokenWay(p, "", false)
				wait(ctx, time.Second)
			}
		})
	}
}

// brokenWay tells a player that its way to an edge (all when empty) is broken, or is whole.
func (in *injector) brokenWay(p *crowd.Player, edge string, broken bool) {
	for n := range copies {
		if name := edgeOf(n + 1); edge == "" || edge == name {
			p.Way(name, broken)
		}
	}
}

func (in *injector) problem(err error) {
	if err == nil {
		return
	}
	in.tell("          %v", err)
	in.mu.Lock()
	defer in.mu.Unlock()
	in.problems = append(in.problems, err)
}

func (in *injector) tell(format string, args ...any) {
	in.mu.Lock()
	defer in.mu.Unlock()
	_, _ = fmt.Fprintf(in.out, format+"\n", args...) // nobody may read it
}

// except are the names without one.
func except(names []string, one string) []string {
	var rest []string
	for _, n := range names {
		if n != one {
			rest = append(rest, n)
		}
	}
	return rest
}
