package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/streams"
)

// watchLeases notes each renewal of an edge's lease, by the server's clock, until ctx ends.
// One that is missed costs nothing: the next one comes within 5 s.
func (s *Service) watchLeases(ctx context.Context) error {
	kv, err := s.js.KeyValue(ctx, streams.Edges)
	if err != nil {
		return fmt.Errorf("open leases: %w", err)
	}
	w, err := kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return fmt.Errorf("watch leases: %w", err)
	}
	defer func() { _ = w.Stop() }() // fails only when the connection is gone
	for {
		select {
		case <-ctx.Done():
			return nil
		case lease, more := <-w.Updates():
			if !more {
				return errors.New("watch leases: it ended")
			}
			if lease == nil { // those that were there have been told
				continue
			}
			if err := s.store.renewed(ctx, lease.Key(), lease.Created()); err != nil && ctx.Err() == nil {
				s.log.Warn("a renewal is not stored", "edge", lease.Key(), "error", err)
			}
		}
	}
}
