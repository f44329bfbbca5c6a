package bus

import (
	"context"
	"encoding/binary"
	"math/rand/v2"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// traceContext carries traceparent and tracestate (W3C Trace Context) through the headers.
var traceContext = propagation.TraceContext{}

// headerCarrier reads and writes headers by their exact names: to NATS, unlike to HTTP,
// Traceparent is another header than traceparent.
type headerCarrier nats.Header

// Get gives a header's value.
func (h headerCarrier) Get(key string) string { return nats.Header(h).Get(key) }

// Set gives a header its only value.
func (h headerCarrier) Set(key, value string) { nats.Header(h).Set(key, value) }

// Keys gives the names of all headers.
func (h headerCarrier) Keys() []string {
	keys := make([]string, 0, len(h))
	for k := range h {
		keys = append(keys, k)
	}
	return keys
}

// traced gives ctx a trace when it has none, so that what one command did can be found in
// the logs of every part. Nobody need guess its id, and it is not recorded (not sampled).
func traced(ctx context.Context) context.Context {
	if trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	var id trace.TraceID
	var span trace.SpanID
	// All zeros would be invalid, hence the 1.
	binary.NativeEndian.PutUint64(id[:8], rand.Uint64()|1)  //nolint:gosec // a trace's id is no secret
	binary.NativeEndian.PutUint64(id[8:], rand.Uint64())    //nolint:gosec // a trace's id is no secret
	binary.NativeEndian.PutUint64(span[:], rand.Uint64()|1) //nolint:gosec // a span's id is no secret
	return trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: id, SpanID: span, Remote: true,
	}))
}
