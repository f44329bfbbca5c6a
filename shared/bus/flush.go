package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
)

// Flush returns once the server has had everything that was sent on nc. A connection that is
// lost meanwhile is [nats.ErrDisconnected], so that who retries does: the client's own word
// for that is the one for a connection that was closed for good. ctx needs a deadline.
func Flush(ctx context.Context, nc *nats.Conn) error {
	err := nc.FlushWithContext(ctx)
	if errors.Is(err, nats.ErrConnectionClosed) && !nc.IsClosed() {
		return fmt.Errorf("flush: %w", nats.ErrDisconnected)
	}
	return err
}
