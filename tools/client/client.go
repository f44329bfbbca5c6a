package client

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/charmbracelet/x/term"

	"gamehall/shared/wire"
)

// Config says which hall, and how to speak with it. Its zero value is the hall of hall up, on
// this machine.
type Config struct {
	Addr  string // host:port, tcp://host:port or tls://host:port, or several between commas; default [DefaultAddr]
	TLSCA string // file of PEM certificates to trust instead of the system's; only with tls://
	User  string // whose password is asked for first; that takes a terminal
	Plain bool   // lines in, lines out, also at a terminal
}

// ErrNoTerminal is the error of a [Config.User] whose password nobody can be asked for: what
// comes through a pipe are lines, and the first of them is no password.
var ErrNoTerminal = errors.New("--user asks for the password at a terminal, and here is none: " +
	"leave it out and make the first line /SIGNIN name password")

// Run speaks with the hall until the person quits, in ends, or ctx ends, and then signs out.
//
// At a terminal it takes the whole screen. When in or out is no terminal, or with cfg.Plain,
// it is a pipe: commands in, one a line, as the line dialect has them; lines out in the line
// dialect's own texts; what concerns the connection alone goes to errOut. It then fails when
// it cannot connect, when no hall answers there, when the connection is lost before an answer
// that a resume cannot bring, and when the session ends without being asked to. A command that
// the hall refuses, a wrong password too, is no failure: the refusal is its answer.
func Run(ctx context.Context, cfg Config, in io.Reader, out, errOut io.Writer) error {
	addr, err := parsePlaces(cfg.Addr, cfg.TLSCA)
	if err != nil {
		return err
	}
	if cfg.Plain || !terminal(in) || !terminal(out) {
		var first []wire.Command
		if cfg.User != "" {
			password, err := askPasswordAt(ctx, in, errOut, cfg.User)
			if err != nil || ctx.Err() != nil {
				return err
			}
			first = append(first, wire.Command{Type: wire.SignIn, Username: cfg.User, Password: password})
		}
		return runPlain(ctx, addr.dial, in, out, errOut, first...)
	}
	return runScreen(ctx, addr, cfg.User, in, out)
}

// askPasswordAt asks for a password without showing it. in must be a terminal. When ctx ends
// first, there is no password and no error.
func askPasswordAt(ctx context.Context, in io.Reader, errOut io.Writer, user string) (string, error) {
	file, ok := in.(interface{ Fd() uintptr })
	if !ok || !terminal(in) {
		return "", ErrNoTerminal
	}
	fd := file.Fd()
	shown, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("ask for the password: %w", err)
	}
	_, _ = fmt.Fprintf(errOut, "password for %s: ", clean(user))
	type entered struct {
		text []byte
		err  error
	}
	read := make(chan entered, 1)
	// Nothing can end a read of standard input: it ends with the process.
	go func() {
		text, err := term.ReadPassword(fd)
		read <- entered{text, err}
	}()
	select {
	case got := <-read:
		_, _ = fmt.Fprintln(errOut) // the end of the line was not shown, either
		if got.err != nil {
			return "", fmt.Errorf("read the password: %w", got.err)
		}
		return string(got.text), nil
	case <-ctx.Done():
		_, _ = fmt.Fprintln(errOut)
		_ = term.Restore(fd, shown) // a terminal that is gone needs none
		return "", nil
	}
}

// terminal tells whether f is a terminal.
func terminal(f any) bool {
	file, ok := f.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(file.Fd())
}
