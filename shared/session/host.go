package session

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/streams"
)

// Host is what a service that users call stands on: its place on the bus, JetStream with all
// that the hall stores, and the directory that finds the callers.
type Host struct {
	Bus      *bus.Service
	JS       jetstream.JetStream
	Sessions *Directory
	shared   bool // the directory is somebody else's to close
}

// Options say what a service stands on.
type Options struct {
	Bare     bool            // see [Directory.Authorize]
	Sessions *Directory      // one that the services of a process share; nil opens its own
	Kept     streams.Options // as for streams.Ensure
}

// Serve connects the service, makes sure of the streams and opens the directory, waiting for
// NATS until ctx ends; no endpoint is served before that. Unless cfg has an Authorize of its
// own, callers are found in the directory.
func Serve(ctx context.Context, cfg bus.Config, o Options) (*Host, error) {
	h := &Host{Sessions: o.Sessions, shared: o.Sessions != nil}
	if cfg.Authorize == nil {
		// The directory needs the connection that NewService makes.
		cfg.Authorize = func(ctx context.Context, user, session string) (bus.Identity, error) {
			return h.Sessions.Authorize(o.Bare)(ctx, user, session)
		}
	}
	if err := h.serve(ctx, cfg, o.Kept); err != nil {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), bus.DrainFor)
		defer cancel()
		return nil, errors.Join(err, h.Stop(stopping))
	}
	return h, nil
}

func (h *Host) serve(ctx context.Context, cfg bus.Config, kept streams.Options) (err error) {
	if h.Bus, err = bus.NewService(ctx, cfg); err != nil {
		return err
	}
	if h.JS, err = jetstream.New(h.Bus.Conn()); err != nil {
		return err
	}
	if err := streams.Ensure(ctx, h.JS, kept); err != nil {
		return err
	}
	if !h.shared {
		h.Sessions, err = Open(ctx, h.JS, cfg.Log)
	}
	return err
}

// Failed gives the reason once the service has stopped serving by itself: see [bus.Service.Failed].
func (h *Host) Failed() <-chan error { return h.Bus.Failed() }

// Stop answers what was accepted, until ctx ends, and closes everything. A Host that was
// never made has nothing to stop.
func (h *Host) Stop(ctx context.Context) error {
	if h == nil {
		return nil
	}
	var err error
	if h.Bus != nil {
		err = h.Bus.Stop(ctx)
	}
	if h.Sessions != nil && !h.shared {
		h.Sessions.Close()
	}
	return err
}
