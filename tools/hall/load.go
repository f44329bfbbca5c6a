package main

import (
	"context"
	"io"
	"time"

	"gamehall/tools/load"
)

// loadCommand is hall load: many players at once, measured.
type loadCommand struct {
	What    string        `arg:"" optional:"" default:"ratios" name:"what" help:"ratios: the hall and a raw relay in turn, which takes minutes (${default})."`
	TCP     listen        `name:"tcp" default:"127.0.0.1:0" placeholder:"ADDR" env:"-" help:"Where the server to measure is." group:"Where"`
	Rounds  int           `default:"3" placeholder:"N" env:"-" help:"Rounds of each figure, whose median counts (${default})."`
	Columns []string      `name:"column" placeholder:"NAME" env:"-" help:"Only these."`
	For     time.Duration `default:"0s" placeholder:"D" env:"-" help:"How long each measurement takes."`
	JSON    bool          `name:"json" env:"-" help:"JSON for machines."`
}

func (c *loadCommand) run(ctx context.Context, out, errOut io.Writer) error {
	switch c.What {
	case "relay":
		return load.Relay(ctx, c.TCP.String(), out)
	case "hops":
		return load.HopsRelay(ctx, c.TCP.String(), out)
	case "limit":
		return load.Limit(ctx, c.TCP.String(), out)
	}
	return load.Table(ctx, load.Config{Rounds: c.Rounds, Columns: c.Columns, JSON: c.JSON, For: c.For}, out, errOut)
}
