package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	tea "charm.land/bubbletea/v2"
)

// runScreen takes the whole screen until the person leaves or ctx ends. opts are Bubble
// Tea's, such as the environment to go by.
func runScreen(ctx context.Context, addr *places, user string, in io.Reader, out io.Writer, opts ...tea.ProgramOption) error {
	s := newSession(addr.dial, nil)
	m := newModel(addr.String(), user, s.do)
	// Interrupts are ctx's business; in raw mode Ctrl+C is a key like others.
	p := tea.NewProgram(m, append(opts, tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler())...)
	s.tell = func(update any) { p.Send(update) }

	// Signing out outlives ctx, so the session does, too.
	sessionCtx, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { s.run(sessionCtx) })
	ended := make(chan struct{})
	running.Go(func() {
		select {
		case <-ctx.Done():
			p.Send(interrupted{})
		case <-ended:
		}
	})
	_, err := p.Run()
	close(ended)
	hangUp()
	running.Wait()
	if errors.Is(err, tea.ErrInterrupted) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("screen: %w", err)
	}
	return nil
}
