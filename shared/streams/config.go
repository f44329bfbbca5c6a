package streams

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/fault"
)

// The streams and buckets.
const (
	Events   = "HALL_EVENTS" // what the hall is told, and the rooms' records
	Game21   = "HALL_GAME21" // the rounds of 21: open, answers, close
	Sessions = "sessions"    // bucket: user id -> session
	Edges    = "edges"       // bucket: edge id -> lease
	Schedule = "game21"      // bucket: "schedule" -> the next round of 21
)

// Limits of what is kept.
const (
	// DuplicateWindow is how long the server recognises a Nats-Msg-Id. It bounds the memory
	// of ids; nobody retries for longer than 30 s.
	DuplicateWindow = 2 * time.Minute
	// LeaseTTL is how long a lease outlives its last renewal: DESIGN's 30 s.
	LeaseTTL = 30 * time.Second
	// KeptFor and KeptPerChannel bound the history of a channel.
	KeptFor        = 30 * 24 * time.Hour
	KeptPerChannel = 100_000
	// RoundsKeptFor bounds the log of rounds: scores are in SQL by then.
	RoundsKeptFor = 7 * 24 * time.Hour
)

// Options are what an operator chooses. The zero Options are good for one machine.
type Options struct {
	Replicas int           // of every stream and bucket; default 1
	KeptFor  time.Duration // of HALL_EVENTS; default [KeptFor]
}

func (o Options) withDefaults() Options {
	if o.Replicas == 0 {
		o.Replicas = 1
	}
	if o.KeptFor == 0 {
		o.KeptFor = KeptFor
	}
	return o
}

// configs declares everything.
func configs(o Options) []jetstream.StreamConfig {
	return []jetstream.StreamConfig{
		{
			Name:        Events,
			Description: "what the hall is told: lobby, rooms, game",
			Subjects:    []string{"hall.events.>", "hall.state.>"},
			// Edges hear only what is stored, in the order it is stored (NATS: RePublish).
			RePublish:          &jetstream.RePublish{Source: "hall.events.>", Destination: "hall.live.>"},
			MaxAge:             o.KeptFor,
			MaxMsgsPerSubject:  KeptPerChannel,
			Discard:            jetstream.DiscardOld,
			Duplicates:         min(DuplicateWindow, o.KeptFor),
			AllowDirect:        true,
			AllowAtomicPublish: true, // a room's record and event are one (NATS ADR-50)
			AllowMsgTTL:        true, // a record may outlive the age limit (NATS ADR-43)
			DenyDelete:         true,
			DenyPurge:          true,
			Replicas:           o.Replicas,
		},
		{
			Name:        Game21,
			Description: "rounds of 21: one open, one answer a user, one close",
			Subjects:    []string{"hall.round.>"},
			MaxAge:      RoundsKeptFor,
			// One message per subject and new ones refused: the stream itself decides who was
			// first.
			MaxMsgsPerSubject:    1,
			Discard:              jetstream.DiscardNew,
			DiscardNewPerSubject: true,
			Duplicates:           DuplicateWindow,
			AllowDirect:          true,
			DenyDelete:           true,
			DenyPurge:            true,
			Replicas:             o.Replicas,
		},
		bucket(Sessions, "the live session of each user", 0, o.Replicas),
		bucket(Edges, "the lease of each edge", LeaseTTL, o.Replicas),
		bucket(Schedule, "when the next round of 21 starts", 0, o.Replicas),
	}
}

// bucket declares a KV bucket (NATS ADR-8) without direct get, so that a read is answered by
// the leader. Its TTL is the whole bucket's: kv.Update would drop a key's own.
func bucket(name, description string, ttl time.Duration, replicas int) jetstream.StreamConfig {
	window := DuplicateWindow
	if ttl > 0 {
		window = min(window, ttl)
	}
	return jetstream.StreamConfig{
		Name:              "KV_" + name,
		Description:       description,
		Subjects:          []string{"$KV." + name + ".>"},
		MaxMsgsPerSubject: 1,
		MaxAge:            ttl,
		Discard:           jetstream.DiscardNew,
		Duplicates:        window,
		AllowRollup:       true,
		DenyDelete:        true,
		Replicas:          replicas,
	}
}

// Ensure creates what is missing and compares what is there. It waits for JetStream, with
// back-off, until ctx ends. A stream or bucket that differs is left alone and told, with the
// field that differs.
func Ensure(ctx context.Context, js jetstream.JetStream, o Options) error {
	for _, want := range configs(o.withDefaults()) {
		err := Retry(ctx, func(ctx context.Context) error { return ensure(ctx, js, want) })
		if err != nil {
			return fmt.Errorf("stream %s: %w", want.Name, err)
		}
	}
	return nil
}

func ensure(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) error {
	have, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		have, err = js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another part was faster
			have, err = js.Stream(ctx, want.Name)
		}
	}
	if err != nil {
		return err
	}
	return drift(have.CachedInfo().Config, want)
}

// drift tells the first field that was asked for and is otherwise. The server fills in what
// is not asked for, and metadata of its own.
func drift(have, want jetstream.StreamConfig) error {
	h, w := reflect.ValueOf(have), reflect.ValueOf(want)
	for i := range w.NumField() {
		field := w.Type().Field(i).Name
		if field == "Description" || field == "Metadata" {
			continue
		}
		if w.Field(i).IsZero() && (field != "MaxAge" && w.Field(i).Kind() != reflect.Bool) {
			continue
		}
		if !reflect.DeepEqual(h.Field(i).Interface(), w.Field(i).Interface()) {
			return fmt.Errorf("it exists with %s %v, and this version needs %v: change one of them, it was not touched",
				field, h.Field(i).Interface(), w.Field(i).Interface())
		}
	}
	return nil
}

// Retry calls do until it succeeds or fails for good. What a retry can mend (NATS away, an
// election under way, no answer) is tried again, with back-off, until ctx ends; then it is
// fault.Unavailable.
func Retry(ctx context.Context, do func(context.Context) error) error {
	wait := 20 * time.Millisecond
	for {
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := do(attempt)
		cancel()
		if err == nil || !Passing(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return fault.New(fault.Unavailable, "the hall's memory does not answer, please try again (%v)", err)
		case <-time.After(wait):
		}
		wait = min(2*wait, 500*time.Millisecond)
	}
}

// Passing tells whether the same request may succeed later: NATS or JetStream is away, the
// same id is just being stored (10158), or a batch was cut by an election (10176) or is one
// too many at a time (10210).
func Passing(err error) bool {
	if Taken(err) {
		return false
	}
	var api *jetstream.APIError
	if errors.As(err, &api) {
		// 503 is an election or an overload; 408 a request that timed out inside.
		switch api.ErrorCode {
		case codeIDInProcess, codeBatchIncomplete, codeBatchesInFlight:
			return true
		}
		return api.Code == 503 || api.Code == 408
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) ||
		errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse) ||
		errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, nats.ErrDisconnected) ||
		errors.Is(err, nats.ErrConnectionReconnecting) || errors.Is(err, nats.ErrStaleConnection) ||
		errors.Is(err, jetstream.ErrJetStreamNotEnabled)
}

// Conflict tells whether a compare-and-set found another sequence: 10071, and on several
// replicas 10164. The loser reads from the leader whether what is there is its own.
func Conflict(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) &&
		(api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// Taken tells whether a stream with one message per subject refused a second one. On several
// replicas the first may still be on its way, and can even be lost with its leader: the loser
// reads it, and if nothing is there tries again.
func Taken(err error) bool {
	var api *jetstream.APIError
	// The code (JSStreamStoreFailedF) is that of a full or broken store, too, with 503, as if
	// trying again could help; only the words differ.
	return errors.As(err, &api) && api.ErrorCode == codeStoreFailed &&
		strings.Contains(api.Description, "maximum messages per subject exceeded")
}

// Codes of the server that its client has no names for.
const (
	codeStoreFailed jetstream.ErrorCode = 10077 // JSStreamStoreFailedF
	codeIDInProcess jetstream.ErrorCode = 10158 // JSStreamDuplicateMessageConflict
)
