package client

import (
	"context"
	"io"

	"github.com/charmbracelet/x/term"
)

// Config says which hall, and how to speak with it. Its zero value is the hall of hall up, on
// this machine.
type Config struct {
	Addr  string // host:port, tcp://host:port or tls://host:port; default [DefaultAddr]
	TLSCA string // file of PEM certificates to trust instead of the system's; only with tls://
	User  string // whose password is asked for first; full screen only
	Plain bool   // lines in, lines out, also at a terminal
}

// Run speaks with the hall until the person quits, in ends, or ctx ends, and then signs out.
//
// At a terminal it takes the whole screen. When in or out is no terminal, or with cfg.Plain,
// it is a pipe: commands in, one a line, as the line dialect has them; lines out in the line
// dialect's own texts; what concerns the connection alone goes to errOut. It then fails when
// it cannot connect, and when the session ends without being asked to.
func Run(ctx context.Context, cfg Config, in io.Reader, out, errOut io.Writer) error {
	addr, err := parseAddress(cfg.Addr, cfg.TLSCA)
	if err != nil {
		return err
	}
	if cfg.Plain || !terminal(in) || !terminal(out) {
		return runPlain(ctx, addr.dial, in, out, errOut)
	}
	return runScreen(ctx, addr, cfg.User, in, out)
}

// terminal tells whether f is a terminal.
func terminal(f any) bool {
	file, ok := f.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(file.Fd())
}
