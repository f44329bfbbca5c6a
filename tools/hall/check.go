package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"gamehall/tools/check"
	"gamehall/tools/check/verify"
)

// checkCommand is hall check: the hall as processes, faults, and a verdict.
type checkCommand struct {
	Seed     *uint64       `placeholder:"N" help:"Of the schedule of faults and of the players: the same one gives the same again (drawn)."`
	For      time.Duration `default:"1m" placeholder:"D" help:"How long faults are injected (${default}); the start, the end and the verdict take half a minute each, and a scenario that comes to an end takes as long as it takes."`
	Clients  int           `default:"24" placeholder:"N" help:"Players (${default})."`
	Faults   []string      `default:"everything" placeholder:"KIND" help:"Kinds of faults: kill, term, stop, cut, oneway, delay, stepdown, all, two, halfopen, reset, flap; everything, none, or -KIND for all but some (${default})."`
	Scenario string        `placeholder:"NAME" help:"A fixed schedule instead: rolling, leader, follower, cut or fence."`
	DB       string        `name:"db" placeholder:"URL" help:"postgres://… for auth, account and game21 (SQLite)."`
	Keep     string        `type:"folder" placeholder:"DIR" help:"Run in this folder, which must be new or empty, and leave everything there (a temporary one, which stays when the run fails)."`
	JSON     string        `name:"json" type:"path" placeholder:"FILE" help:"Write the report there, too."`

	Judge string `type:"folder" placeholder:"DIR" help:"Judge the run that was kept there again, and run nothing."`

	kinds    []check.Kind
	scenario check.Scenario
}

// check refuses what does not go together.
func (c *checkCommand) check() (err error) {
	if c.kinds, err = check.ParseKinds(c.Faults); err != nil {
		return wrongUse("--faults: %w", err)
	}
	if c.scenario, err = check.ParseScenario(c.Scenario); err != nil {
		return wrongUse("--scenario: %w", err)
	}
	c.For = max(c.For, c.scenario.Least())
	switch {
	case c.For < 10*time.Second:
		return wrongUse("--for %s: it must be at least 10s", c.For)
	case c.Clients < 8 || c.Clients > 200:
		return wrongUse("--clients %d: it can be 8 to 200", c.Clients)
	case c.DB != "" && !strings.HasPrefix(c.DB, "postgres://") && !strings.HasPrefix(c.DB, "postgresql://"):
		return wrongUse("--db: it can be postgres://…, or be left out")
	}
	return nil
}

// errInvalid is a run that says nothing: neither passed nor failed.
var errInvalid = errors.New("the run is invalid: too little was tried to say anything")

// run checks, tells the report, and fails unless the run passed.
func (c *checkCommand) run(ctx context.Context, out, _ io.Writer) error {
	if c.Judge != "" {
		o, err := check.Judge(c.Judge)
		if err != nil {
			return err
		}
		return c.judge(o, out)
	}
	seed := rand.Uint64N(1_000_000) //nolint:gosec // any will do
	if c.Seed != nil {
		seed = *c.Seed
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	o, err := check.Run(ctx, check.Options{
		Binary: binary, Seed: seed, For: c.For, Clients: c.Clients, Kinds: c.kinds, Scenario: c.scenario,
		DB: c.DB, Keep: c.Keep, Out: out,
	})
	if err == nil {
		err = c.judge(o, out)
	}
	if err == nil || ctx.Err() != nil {
		if c.Keep == "" {
			err = errors.Join(err, os.RemoveAll(o.Dir))
		}
		return err
	}
	// Nobody may read it: the exit code tells, too.
	_, _ = fmt.Fprintf(out, "\nall of it is in %s\nagain: %s\n", o.Dir, c.again(seed))
	return err
}

// judge tells the report and gives an error unless the run passed.
func (c *checkCommand) judge(o check.Outcome, out io.Writer) error {
	if err := o.Report.WriteText(out, o.History); err != nil {
		return err
	}
	for _, p := range o.Problems {
		if _, err := fmt.Fprintf(out, "process: %v\n", p); err != nil {
			return err
		}
	}
	if c.JSON != "" {
		data, err := o.Report.JSON()
		if err != nil {
			return fmt.Errorf("--json: %w", err)
		}
		if err := os.WriteFile(c.JSON, append(data, '\n'), 0o600); err != nil {
			return fmt.Errorf("--json: %w", err)
		}
	}
	switch o.Verdict() {
	case verify.Passed:
		return nil
	case verify.Invalid:
		return errInvalid
	default:
		return errors.New("a promise is broken")
	}
}

// again is what to type for the same schedule.
func (c *checkCommand) again(seed uint64) string {
	words := []string{typedAs(os.Args[0]), "check", fmt.Sprintf("--seed %d --for %s --clients %d", seed, c.For, c.Clients)}
	if c.Scenario != "" {
		words = append(words, "--scenario", c.Scenario)
	} else {
		words = append(words, "--faults", strings.Join(c.Faults, ","))
	}
	if c.DB != "" {
		words = append(words, "--db …")
	}
	return strings.Join(words, " ")
}
