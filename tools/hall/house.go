package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Stopping takes at most these together: people were promised 5 s.
const (
	edgeStopsWithin     = 2500 * time.Millisecond
	servicesStopsWithin = 1500 * time.Millisecond
)

// part is the edge or a service.
type part struct {
	name  string
	start func(context.Context) (running, error)
}

// running is a part that has started.
type running interface {
	// Stop takes no more and answers what was accepted, until ctx ends.
	Stop(ctx context.Context) error
}

// house owns the parts that run, in the order in which they started.
type house struct {
	log  *slog.Logger
	open []opened
}

type opened struct {
	part
	running
}

// start starts one part and returns when it serves.
func (h *house) start(ctx context.Context, p part) error {
	begun := time.Now()
	r, err := p.start(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	h.open = append(h.open, opened{p, r})
	h.log.Info("serving", "part", p.name, "after", time.Since(begun).Round(time.Millisecond))
	return nil
}

// stop stops the edge, so that no more comes in, and then the services side by side: one
// may still need another to answer what it accepted.
func (h *house) stop() error {
	var edge, rest []opened
	for _, o := range h.open {
		if o.name == edgeName {
			edge = append(edge, o)
		} else {
			rest = append(rest, o)
		}
	}
	h.open = nil
	return errors.Join(h.stopAll(edge, edgeStopsWithin), h.stopAll(rest, servicesStopsWithin))
}

func (h *house) stopAll(parts []opened, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	var all sync.WaitGroup
	errs := make([]error, len(parts))
	for i, o := range parts {
		all.Go(func() {
			begun := time.Now()
			if err := o.Stop(ctx); err != nil {
				errs[i] = fmt.Errorf("stop %s: %w", o.name, err)
			}
			h.log.Info("stopped", "part", o.name, "after", time.Since(begun).Round(time.Millisecond))
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
