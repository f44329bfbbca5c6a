package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gamehall/tools/check/crowd"
	"gamehall/tools/check/history"
	"gamehall/tools/check/verify"
)

// Options say what is run. Zero values are filled in by [Run] where a comment says so.
type Options struct {
	Binary   string        // the hall's program
	Seed     uint64        // of the schedule and of the players
	For      time.Duration // how long faults are injected
	Clients  int
	Kinds    []Kind   // of the faults that are drawn; nil is none
	Scenario Scenario // instead of a drawn schedule
	DB       string   // postgres://…; empty is SQLite
	Keep     string   // the folder to run in, which stays; empty is a temporary one
	Out      io.Writer
}

// The times of a run beside the faults.
const (
	// think is the pause between two commands of a player, on the average: twenty-four of
	// them make some thirty commands a second, which two cores carry beside sixteen processes.
	think = 700 * time.Millisecond
	// calmFor is how long the hall has to be well after the last fault.
	calmFor = 15 * time.Second
	// quietWithin is how long the clients may take to hear everything: those whose connection
	// was just lost have to come back first.
	quietWithin = 60 * time.Second
	// settled is for how long nothing must have come: longer than the tail check.
	settled = 3 * time.Second
	// workingAfter is when all services have had something to do: before the first fault.
	workingAfter = 2500 * time.Millisecond
	// goneFor is how long after the last client a process has to let go of what it held.
	goneFor = 10 * time.Second
)

// Outcome is what a run came to.
type Outcome struct {
	Report   *verify.Report
	Problems []error // what processes and the scenario did not do as they should
	Dir      string  // the folder of the run
	History  *history.History
}

// Verdict is the report's, or violated when a process did not behave.
func (o Outcome) Verdict() verify.Verdict {
	if len(o.Problems) > 0 {
		return verify.Violated
	}
	return o.Report.Verdict
}

// Run runs a check and judges it. It fails when it cannot be run, or ctx ends first. Who called
// removes Outcome.Dir, unless it was given.
func Run(ctx context.Context, o Options) (out Outcome, err error) {
	if out.Dir = o.Keep; out.Dir == "" {
		if out.Dir, err = os.MkdirTemp("", "hall-check-"); err != nil {
			return out, err
		}
	} else if err := os.MkdirAll(out.Dir, 0o700); err != nil {
		return out, err
	}
	c := &checking{o: o, dir: out.Dir}
	if err := errors.Join(c.run(ctx), c.close()); err != nil {
		return out, err
	}
	out.Problems = c.problems
	if err := out.judge(len(o.Kinds) == 0 || o.Scenario != ""); err != nil {
		return out, err
	}
	missing, err := o.Scenario.shown(out.History, out.Report, o.Out)
	out.Problems = append(out.Problems, missing...)
	out.Report.Verdict = out.Verdict() // what is told last
	return out, err
}

// Judge judges the run in dir once more. What processes did wrong is not in it.
func Judge(dir string) (Outcome, error) {
	out := Outcome{Dir: dir}
	err := out.judge(false)
	return out, err
}

// judge reads the history and judges it; few is that not many faults were wanted.
func (o *Outcome) judge(few bool) (err error) {
	if o.History, err = history.Open(filepath.Join(o.Dir, historyFolder)); err != nil {
		return err
	}
	options := verify.Standard()
	if few {
		options.MinFaults = 0
	}
	if o.History.Run.Quiet-o.History.Run.Start < int64(2*time.Minute) {
		// Whoever falls silent may be hit by a fault before the half minute is over.
		options.Without = append(options.Without, verify.L1)
	}
	o.Report, err = verify.Check(o.History, options)
	return err
}

// historyFolder is where the history of a run is in its folder.
const historyFolder = "history"

// checking is a run under way.
type checking struct {
	o        Options
	dir      string
	hall     *hall
	admin    *admin
	crowd    *crowd.Crowd
	folder   *history.Folder
	spy      spy
	plan     []Planned
	about    history.Run
	problems []error
}

func (c *checking) tell(format string, args ...any) {
	_, _ = fmt.Fprintf(c.o.Out, format+"\n", args...) // nobody may read it
}

// run does everything in its order.
func (c *checking) run(ctx context.Context) (err error) {
	if c.folder, err = history.Create(filepath.Join(c.dir, historyFolder)); err != nil {
		return err
	}
	if c.hall, err = newHall(filepath.Join(c.dir, "hall"), c.o.Binary, c.o.DB); err != nil {
		return err
	}
	c.tell("the hall starts in %s: %d processes", c.dir, len(c.hall.order))
	begun := time.Now()
	if err := c.hall.start(ctx); err != nil {
		return err
	}
	if c.admin, err = c.hall.connect(c.hall.kind("nats")...); err != nil {
		return err
	}
	if err := c.spy.listen(c.admin); err != nil {
		return err
	}
	c.tell("it serves after %.1fs; %d clients come in, faults for %s with the seed %d", time.Since(begun).Seconds(), c.o.Clients, c.o.For, c.o.Seed)
	c.about = history.Run{
		Name: fmt.Sprintf("r%d", c.o.Seed), Seed: c.o.Seed,
		Settings: history.Settings{
			Edges: c.hall.kind("edge"), Replicas: nodes, Copies: copies,
			RoundPeriod: history.Duration(roundPeriod), RoundDuration: history.Duration(roundDuration),
		},
	}
	// A service begins its workers with the first work, an edge its connections: so what an edge
	// holds at rest is seen now, and what a service does once there are clients.
	c.sample(ctx, history.Baseline, append(c.hall.kind("nats"), c.hall.kind("edge")...))
	if err := c.play(ctx); err != nil {
		return err
	}
	return c.end(ctx)
}

// play lets the clients in, injects the faults, heals, and waits until all is heard.
func (c *checking) play(ctx context.Context) (err error) {
	c.about.Wall, c.about.Start = time.Now(), history.Now()
	c.crowd, err = crowd.Start(ctx, crowd.Config{
		Run: c.about.Name, Seed: c.o.Seed, Clients: c.o.Clients, Edges: c.hall.forClient,
		Folder: c.folder, Secret: secret, Think: think,
	})
	if err != nil {
		return err
	}
	in := &injector{hall: c.hall, admin: c.admin, crowd: c.crowd, begun: time.Now(), out: c.o.Out, strict: c.o.Scenario != ""}
	c.plan = c.schedule()
	if wait(ctx, workingAfter) {
		c.sample(ctx, history.Baseline, c.services())
	}
	in.run(ctx, c.plan)
	wait(ctx, time.Until(in.begun.Add(c.o.For)))
	c.hall.heal()
	c.about.Healed, c.about.Faults = history.Now(), in.faults
	c.problems = append(c.problems, in.problems...)
	slices.SortStableFunc(c.about.Faults, func(a, b history.Fault) int { return int(min(1, max(-1, a.From-b.From))) })
	c.tell("%7.1fs  all is healed: %d faults", time.Since(in.begun).Seconds(), len(in.faults))

	c.crowd.Calm()
	wait(ctx, calmFor)
	c.about.Quiet = history.Now()
	quiet, cancel := context.WithTimeout(ctx, quietWithin)
	defer cancel()
	if err := c.crowd.Quiet(quiet, settled); err != nil {
		c.problem(err)
	}
	c.crowd.Final()
	c.about.End = history.Now()
	c.tell("%7.1fs  the clients have heard everything", time.Since(in.begun).Seconds())
	if err := c.crowd.Leave(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// end samples, drains, reads the streams, and looks through the logs.
func (c *checking) end(ctx context.Context) error {
	if !wait(ctx, goneFor) {
		return context.Cause(ctx)
	}
	c.sample(ctx, history.After, c.hall.order)
	c.problem(c.hall.drain(c.hall.parts()))
	for _, node := range c.hall.kind("nats") {
		if err := c.readStreams(ctx, node); err != nil {
			return err
		}
		c.about.Nodes = append(c.about.Nodes, node)
	}
	c.admin.close()
	c.problem(c.hall.drain(c.hall.kind("nats")))
	c.tell("drained")
	c.about.Exits = c.hall.exits()
	var err error
	if c.about.Whispers, err = c.spy.carried(c.hall); err != nil {
		return err
	}
	if err := c.scan(); err != nil {
		return err
	}
	return c.folder.Finish(c.about)
}

func (c *checking) problem(err error) {
	if err == nil {
		return
	}
	c.tell("          %v", err)
	c.problems = append(c.problems, err)
}

// services are the names of the processes that are one.
func (c *checking) services() []string {
	var all []string
	for _, s := range services {
		all = append(all, c.hall.kind(s)...)
	}
	return all
}

// schedule is the scenario's, or a drawn one.
func (c *checking) schedule() []Planned {
	if c.o.Scenario != "" {
		return c.o.Scenario.plan(c.o.For)
	}
	return Plan(c.o.Seed, c.o.For, c.o.Kinds, c.o.Clients)
}

// readStreams writes down what a node has of the streams.
func (c *checking) readStreams(ctx context.Context, node string) error {
	a, err := c.hall.connect(node)
	if err != nil {
		return err
	}
	defer a.close()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return c.folder.WriteStream(node, a.messages(ctx))
}

// close ends whatever still runs.
func (c *checking) close() error {
	var errs []error
	if c.crowd != nil {
		_ = c.crowd.Leave() // its histories were closed, or are of no use any more
	}
	if c.admin != nil {
		c.admin.close()
	}
	if c.hall != nil {
		errs = append(errs, c.hall.close())
	}
	return errors.Join(errs...)
}
