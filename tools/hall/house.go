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
	// Failed gives the reason once the part has stopped serving by itself.
	Failed() <-chan error
}

// house owns the parts that run, in the order in which they started.
type house struct {
	log  *slog.Logger
	open []opened
}

type opened struct {
	part
	running // nil while it is to be started again
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

// How soon a part that failed is started again: at once, and later each time when it fails
// again before it has served for a while.
const (
	againFrom   = 100 * time.Millisecond
	againMost   = 5 * time.Second
	servedAgain = time.Minute
)

// keep sees to it that all parts serve, until ctx ends: one that stops by itself is started
// again, so that the others, and who is connected, need not go with it.
func (h *house) keep(ctx context.Context) {
	var watch sync.WaitGroup
	for i := range h.open {
		watch.Go(func() { h.keepOne(ctx, &h.open[i]) })
	}
	watch.Wait()
}

// keepOne is keep for one part, which is its own meanwhile.
func (h *house) keepOne(ctx context.Context, o *opened) {
	pause := againFrom
	for {
		begun := time.Now()
		select {
		case <-ctx.Done():
			return
		case err := <-o.Failed():
			h.log.Error("a part serves no more, it is started again", "part", o.name, "error", err)
		}
		if time.Since(begun) > servedAgain {
			pause = againFrom
		}
		within := servicesStopsWithin
		if o.name == edgeName {
			within = edgeStopsWithin
		}
		if err := h.stopAll([]opened{*o}, within); err != nil {
			h.log.Warn("what failed did not stop in order", "part", o.name, "error", err)
		}
		for o.running = nil; o.running == nil; pause = min(2*pause, againMost) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			r, err := o.start(ctx)
			switch {
			case err == nil:
				o.running = r
				h.log.Info("serving again", "part", o.name)
			case ctx.Err() == nil:
				h.log.Error("a part cannot be started again yet", "part", o.name, "error", err)
			}
		}
	}
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
		if o.running == nil {
			continue
		}
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
