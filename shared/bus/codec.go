package bus

import (
	"fmt"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/google/jsonschema-go/jsonschema"

	"gamehall/shared/fault"
)

// MaxRequest is the most bytes a request may have; four times what a client may send.
const MaxRequest = 16 << 10

// encode gives v as JSON. A value of ours always encodes.
func encode(v any) ([]byte, error) {
	data, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return data, nil
}

// decodeRequest reads data strictly: a member the type does not know is refused, so that a
// typing error is told and not ignored. An empty message is an empty object, since nats req
// needs a payload that people would have to think of.
func decodeRequest(data []byte, v any) error {
	if len(data) > MaxRequest {
		return fault.New(fault.TooLong, "the request has %d bytes, at most %d are read", len(data), MaxRequest)
	}
	if len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, v, json.RejectUnknownMembers(true)); err != nil {
		return fault.New(fault.BadRequest, "the request is not the JSON object that nats service info shows: %v", err)
	}
	return nil
}

// Decode reads an answer or an event. A member the type does not know is skipped: it comes
// from a newer version.
func Decode(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	return nil
}

// schemaOf gives the JSON Schema (2020-12) of T, for nats service info.
func schemaOf[T any]() (string, error) {
	s, err := jsonschema.ForType(reflect.TypeFor[T](), &jsonschema.ForOptions{})
	if err != nil {
		return "", fmt.Errorf("schema of %v: %w", reflect.TypeFor[T](), err)
	}
	data, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("schema of %v: %w", reflect.TypeFor[T](), err)
	}
	return string(data), nil
}
