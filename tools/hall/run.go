package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// runCommand is hall run: some parts, against a NATS that is there.
type runCommand struct {
	Parts  []string `arg:"" enum:"edge,auth,account,chat,room,game21" name:"part" help:"edge, auth, account, chat, room, game21: one or several."`
	Health *listen  `placeholder:"ADDR" help:"Loopback address of /healthz and /readyz, such as 127.0.0.1:8080 (off); an edge has them at --http, too." group:"Where"`
	partFlags
}

// check refuses what does not go together; given are the flags on the command line. The
// environment may be one for many processes, so what stands there for other parts is fine.
func (c *runCommand) check(given []*kong.Flag) error {
	if len(c.NATS) == 0 {
		return wrongUse("run needs --nats, such as --nats nats://user:password@127.0.0.1:4222")
	}
	for _, f := range given {
		whose := f.Tag.Get("part")
		if whose == "" || slices.ContainsFunc(strings.Split(whose, ","), c.has) {
			continue
		}
		return wrongUse("--%s is for %s, which this does not run", f.Name, strings.ReplaceAll(whose, ",", ", "))
	}
	if c.Health != nil && !c.Health.loopback() {
		return wrongUse("--health %s: it must be loopback, such as 127.0.0.1:8080", c.Health)
	}
	here := loopbackURLs(c.NATS) && (!c.has(edgeName) || c.TCP.loopback() && c.HTTP.loopback())
	return c.partFlags.check(here)
}

func (c *runCommand) has(part string) bool { return slices.Contains(c.Parts, part) }

// run serves the parts until ctx ends. It waits for NATS as long as that takes, and says so.
func (c *runCommand) run(ctx context.Context, _, logTo io.Writer) error {
	log := c.logger(logTo)
	state := &readiness{}
	unserve, err := state.serve(ctx, c.Health, log)
	if err != nil {
		return err
	}
	defer unserve()
	defer context.AfterFunc(ctx, func() { state.ready.Store(false) })()
	dialer, err := c.remote(ctx, log)
	if err != nil {
		return err
	}
	p := parts{flags: &c.partFlags, log: log, nats: dialer}
	if c.has(edgeName) {
		c.warnPlain(log)
		if err := c.portsFree(ctx); err != nil {
			return err
		}
	}
	if err := p.waitForNATS(ctx, c.Parts[0]); err != nil {
		return err
	}
	return p.serve(ctx, c.Parts, func(addresses) {
		state.ready.Store(ctx.Err() == nil)
		log.Info("all parts serve")
	})
}
