package main

import (
	"context"
	"io"
	"time"

	"gamehall/tools/load"
)

// loadCommand is hall load: many players at once, measured. The relays that the hall is compared
// with are this program too, under names that the help does not tell: relay, hops and limit.
type loadCommand struct {
	What string `arg:"" optional:"" default:"ratios" name:"what" help:"ratios: the table of the hall beside a raw relay, which takes minutes (${default}); or one measurement: fan-out, latency, durable, idle, connect, storm."`

	Server string   `default:"hall" enum:"hall,relay,hops,limit" placeholder:"NAME" env:"-" help:"Which server to start and measure: hall, relay (raw), hops (the relay with two hops over NATS), limit (one thread, one buffer) (${default})." group:"Server"`
	TCP    *listen  `name:"tcp" placeholder:"ADDR" env:"-" help:"Measure a server that runs here; for ws its HTTP address." group:"Server"`
	PID    []int    `name:"pid" placeholder:"PID" env:"-" help:"Processes of that server, whose CPU and memory are read with their children's." group:"Server"`
	SignUp bool     `env:"-" help:"Make the accounts load00000 and on there first." group:"Server"`
	Up     []string `name:"up" sep:"none" placeholder:"FLAG" env:"-" help:"One more flag for the hall that is started, such as --up=--log-level=info; may be given more than once." group:"Server"`

	Dialect string        `default:"" placeholder:"NAME" env:"-" help:"lines, frames or ws (lines; frames where clients resume)." group:"Load"`
	Clients int           `default:"0" placeholder:"N" env:"-" help:"Clients (1000; 5000 for idle, 64 for durable)." group:"Load"`
	Senders int           `default:"0" placeholder:"N" env:"-" help:"Clients that talk (10; 64 for durable)." group:"Load"`
	Window  int           `default:"0" placeholder:"N" env:"-" help:"Lines in flight in all: a line is, until every client has it (64)." group:"Load"`
	Rate    float64       `default:"0" placeholder:"N" env:"-" help:"Lines a second in all, in place of a window (20 for latency and storm)." group:"Load"`
	For     time.Duration `default:"0s" placeholder:"D" env:"-" help:"How long a measurement takes (4s to 6s)." group:"Load"`
	Warm    time.Duration `default:"0s" placeholder:"D" env:"-" help:"How long it runs before it counts (1s)." group:"Load"`
	AtOnce  int           `default:"0" placeholder:"N" env:"-" help:"Clients that get in side by side (128; 512 by token)." group:"Load"`
	Token   bool          `env:"-" help:"connect: by the token of a resume, not by password." group:"Load"`

	Rounds  int      `default:"0" placeholder:"N" env:"-" help:"Rounds of each column, whose medians are told (3)." group:"Ratios"`
	Column  []string `placeholder:"NAME" env:"-" help:"Only this column; may be given more than once: latency-100, fan-out-1000, one-line, latency-1000, idle, fan-out-5000, durable, tokens." group:"Ratios"`
	Against string   `type:"path" placeholder:"FILE" env:"-" help:"Fail when a ratio is twice as bad as in this file." group:"Ratios"`
	Record  string   `type:"path" placeholder:"FILE" env:"-" help:"Write the ratios to this file." group:"Ratios"`

	JSON bool `name:"json" env:"-" help:"JSON, for machines."`
}

// check refuses what cannot be measured.
func (c *loadCommand) check() error {
	if c.serves() != nil {
		return nil
	}
	if err := c.config().Check(); err != nil {
		return usageError{err}
	}
	return nil
}

// serves is the relay that the command is, or nil.
func (c *loadCommand) serves() func(context.Context, string, io.Writer) error {
	return map[string]func(context.Context, string, io.Writer) error{
		"relay": load.Relay, "hops": load.HopsRelay, "limit": load.Limit,
	}[c.What]
}

func (c *loadCommand) config() load.Config {
	cfg := load.Config{
		Mode: load.Mode(c.What), Server: c.Server, PIDs: c.PID, SignUp: c.SignUp, Hall: c.Up,
		Dialect: load.Dialect(c.Dialect), Clients: c.Clients, Senders: c.Senders, Window: c.Window, Rate: c.Rate,
		For: c.For, Warm: c.Warm, AtOnce: c.AtOnce, Token: c.Token,
		Rounds: c.Rounds, Columns: c.Column, Against: c.Against, Record: c.Record, JSON: c.JSON,
	}
	if c.TCP != nil {
		cfg.Address = c.TCP.String()
	}
	return cfg
}

// run measures, or serves as one of the relays until ctx ends.
func (c *loadCommand) run(ctx context.Context, out, errOut io.Writer) error {
	if serve := c.serves(); serve != nil {
		at := "127.0.0.1:0"
		if c.TCP != nil {
			at = c.TCP.String()
		}
		return serve(ctx, at, out)
	}
	return load.Run(ctx, c.config(), out, errOut)
}
