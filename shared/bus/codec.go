package bus

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
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
	if jsontext.Value(bytes.TrimLeft(data, " \t\r\n")).Kind() != '{' {
		return fault.New(fault.BadRequest, "the request must be one JSON object, as nats service info shows it")
	}
	if err := json.Unmarshal(data, v, json.RejectUnknownMembers(true)); err != nil {
		return fault.New(fault.BadRequest, "the request is not the JSON object that nats service info shows: %s", whatIsWrong(err))
	}
	return nil
}

// whatIsWrong tells a decoder's error without the value that was refused, which may be a
// password, and without our type names.
func whatIsWrong(err error) string {
	var wrong *json.SemanticError
	if !errors.As(err, &wrong) {
		// Of the syntax: where it is broken, and at most a name or a character.
		return strings.TrimPrefix(err.Error(), "jsontext: ")
	}
	if errors.Is(err, json.ErrUnknownName) {
		return fmt.Sprintf("unknown member %q", wrong.JSONPointer.LastToken())
	}
	kind := map[jsontext.Kind]string{
		'n': "null", 't': "a boolean", 'f': "a boolean", '"': "this string", '0': "this number", '{': "an object", '[': "an array",
	}[wrong.JSONKind]
	if kind == "" {
		kind = "this"
	}
	return fmt.Sprintf("member %q cannot be %s", wrong.JSONPointer, kind)
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
