package main

import (
	"context"
	"errors"
	"io"
	"os"

	"gamehall/tools/client"
)

// clientCommand is hall client: the terminal client.
type clientCommand struct {
	Addr  string `arg:"" optional:"" default:"127.0.0.1:7021" name:"addr" help:"Where the hall is: host:port, or tls://host:port; of several, between commas, it takes another when one is lost (${default})."`
	Plain bool   `help:"Lines in, lines out, also at a terminal; without one that is so anyway. Exits 0 also when the hall refuses a command: the refusal is its answer."`
	TLSCA string `name:"tls-ca" type:"path" placeholder:"FILE" help:"PEM certificates to trust instead of the system's, for tls://."`
	User  string `placeholder:"NAME" help:"Whose password to ask for first; at a terminal only. A pipe signs in with its first line: /SIGNIN name password."`
}

// run speaks with the hall until the person leaves.
func (c *clientCommand) run(ctx context.Context, out, errOut io.Writer) error {
	cfg := client.Config{Addr: c.Addr, Plain: c.Plain, TLSCA: c.TLSCA, User: c.User}
	err := client.Run(ctx, cfg, os.Stdin, out, errOut)
	if errors.Is(err, client.ErrNoTerminal) {
		return usageError{err}
	}
	return err
}
