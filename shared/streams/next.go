package streams

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"
)

// Next reads from the stream's leader the first message of subject, which may have wildcards,
// from the sequence from on. found is false when there is none: who has had all before has had
// all that was acknowledged.
func Next(ctx context.Context, js jetstream.JetStream, stream, subject string, from uint64) (m Msg, found bool, err error) {
	return leaderGet(ctx, js, stream, map[string]any{"seq": from, "next_by_subj": subject})
}
