package streams

import (
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// Repeated tells whether an atomic batch (NATS ADR-50) was refused because a message id in it
// is stored already (10201): this very command was carried out, and its answer is to be read
// back.
func Repeated(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == codeRepeatedInBatch
}

// Codes of a refused batch that the server's client has no names for.
const (
	codeBatchIncomplete jetstream.ErrorCode = 10176 // JSAtomicPublishIncompleteBatchErr
	codeRepeatedInBatch jetstream.ErrorCode = 10201 // JSAtomicPublishContainsDuplicateMessageErr
	codeBatchesInFlight jetstream.ErrorCode = 10210 // JSAtomicPublishTooManyInflight
)
