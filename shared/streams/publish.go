package streams

import (
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Publish stores v at subject under the message id, and gives its sequence once JetStream
// has acknowledged it. It retries with the same id until ctx ends, so that v is stored once
// whatever happens in between; then it is fault.Unavailable and the outcome is unknown. A
// repeated id within [DuplicateWindow] gives the first one's sequence.
func Publish(ctx context.Context, js jetstream.JetStream, subject, id string, v any) (uint64, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return 0, fmt.Errorf("encode %T: %w", v, err)
	}
	return publish(ctx, js, subject, id, data)
}

// publish is Publish of what is encoded.
func publish(ctx context.Context, js jetstream.JetStream, subject, id string, data []byte) (seq uint64, err error) {
	msg := &nats.Msg{Subject: subject, Header: nats.Header{jetstream.MsgIDHeader: {id}}, Data: data}
	err = RetryOver(ctx, js.Conn(), func(ctx context.Context) error {
		if until, _ := ctx.Deadline(); late(until) {
			return context.DeadlineExceeded
		}
		ack, err := js.PublishMsg(ctx, msg, jetstream.WithRetryAttempts(0))
		if err == nil {
			seq = ack.Sequence // of the first one, too, when ack.Duplicate
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store %s at %s: %w", id, subject, err)
	}
	return seq, nil
}

// late tells whether nobody waits any more for what was to be done until then, although no timer
// may have said so yet: a process that was frozen must not store in the name of a caller who went
// away meanwhile.
func late(until time.Time) bool { return !until.IsZero() && !time.Now().Before(until) }
