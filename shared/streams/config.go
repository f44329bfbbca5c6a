package streams

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/fault"
)

// The streams and buckets.
const (
	Events   = "HALL_EVENTS" // what the hall is told, and the rooms' records
	Game21   = "HALL_GAME21" // the rounds of 21: open, answers, close
	Sessions = "sessions"    // bucket: user id -> session
	Edges    = "edges"       // bucket: edge id -> lease
	Schedule = "game21"      // bucket: "schedule" -> the next round of 21
	Whispers = "whispers"    // bucket: command -> where its whisper goes
)

// bucketPrefix is before a bucket's name in that of its stream (NATS ADR-8).
const bucketPrefix = "KV_"

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
	Only     []string      // the streams and buckets to ensure, by the names above; default all
}

// wants tells whether the stream of that name is to be ensured.
func (o Options) wants(name string) bool {
	return o.Only == nil || slices.Contains(o.Only, strings.TrimPrefix(name, bucketPrefix))
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
		batched(bucket(Sessions, "the live session of each user", 0, o.Replicas)),
		bucket(Edges, "the lease of each edge", LeaseTTL, o.Replicas),
		bucket(Schedule, "when the next round of 21 starts", 0, o.Replicas),
		bucket(Whispers, "where each whisper goes", bus.AnswersKept, o.Replicas),
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
		Name:              bucketPrefix + name,
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

// batched lets writes of c share a sync (NATS ADR-50): see [Swapper].
func batched(c jetstream.StreamConfig) jetstream.StreamConfig {
	c.AllowAtomicPublish = true
	return c
}

// Ensure creates what is missing and compares what is there. It waits for JetStream, with
// back-off, until ctx ends. A stream or bucket that differs is left alone and told, with the
// fields that differ; but the bucket of sessions may lack atomic batches, as that of an earlier
// version does. Several parts may call it at the same time.
func Ensure(ctx context.Context, js jetstream.JetStream, o Options) error {
	for _, want := range configs(o.withDefaults()) {
		if !o.wants(want.Name) {
			continue
		}
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
		var api *jetstream.APIError
		switch {
		case errors.Is(err, jetstream.ErrStreamNameAlreadyInUse): // another part was faster
			have, err = js.Stream(ctx, want.Name)
			if errors.Is(err, jetstream.ErrStreamNotFound) {
				err = fmt.Errorf("%w: another part creates it", errNotYet)
			}
		case errors.As(err, &api) && api.ErrorCode == codeNoPeers: // the other nodes may be starting
			err = fmt.Errorf("%w: %w", errNotYet, err)
		}
	}
	if err != nil {
		return err
	}
	is := have.CachedInfo().Config
	if want.Name == bucketPrefix+Sessions && !is.AllowAtomicPublish {
		// A version before this one made it, and its writes do not share a sync: see [NewSwapper].
		want.AllowAtomicPublish = false
	}
	return drift(is, want)
}

// errNotYet is what a moment later may be otherwise.
var errNotYet = errors.New("not yet")

// notCompared is what an operator may set as they like: it promises nothing to us. Metadata
// is the server's, too.
var notCompared = []string{"Description", "Metadata", "Placement", "Compression"}

// drift tells the fields that are otherwise than asked for.
func drift(have, want jetstream.StreamConfig) error {
	// The server's way to say "no limit".
	for _, limit := range []*int64{&want.MaxMsgs, &want.MaxBytes} {
		if *limit == 0 {
			*limit = -1
		}
	}
	if want.MaxConsumers == 0 {
		want.MaxConsumers = -1
	}
	if want.MaxMsgSize == 0 {
		want.MaxMsgSize = -1
	}
	h, w := reflect.ValueOf(have), reflect.ValueOf(want)
	var differs []string
	for i := range w.NumField() {
		field := w.Type().Field(i).Name
		is, asked := h.Field(i).Interface(), w.Field(i).Interface()
		if slices.Contains(notCompared, field) || reflect.DeepEqual(is, asked) {
			continue
		}
		need := "this version needs " + shown(w.Field(i))
		if field == "Replicas" {
			need = fmt.Sprintf("this was started for %s: start it with --replicas %s", shown(w.Field(i)), shown(h.Field(i)))
		}
		differs = append(differs, fmt.Sprintf("%s is %s and %s", field, shown(h.Field(i)), need))
	}
	if differs != nil {
		return fmt.Errorf("it exists otherwise and was not touched: %s", strings.Join(differs, "; "))
	}
	return nil
}

// shown gives what v holds or points to.
func shown(v reflect.Value) string {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	return fmt.Sprintf("%+v", v.Interface())
}

// How long one request to JetStream may take. A leader that has just given up drops what
// reaches it, and nobody says so: the first attempt is far longer than a healthy answer takes
// and still lets the second one, after a planned change of leaders, come within a second. Each
// later one is given twice as long, for who is slow and not gone.
const (
	firstAttempt = 400 * time.Millisecond
	attemptFor   = 2 * time.Second
)

// Retry calls do until it succeeds or fails for good. What a retry can mend (NATS away, an
// election under way, no answer) is tried again, with back-off, until ctx ends; then it is
// fault.Unavailable.
func Retry(ctx context.Context, do func(context.Context) error) error {
	return RetryOver(ctx, nil, do)
}

// RetryOver is [Retry] of what asks over nc: an attempt ends when nc loses its server, whose
// answer would be waited for in vain, and the next one is made as soon as nc has another.
func RetryOver(ctx context.Context, nc *nats.Conn, do func(context.Context) error) error {
	limit := firstAttempt
	return retry(ctx, nc, func(ctx context.Context) error {
		d := limit
		limit = min(2*limit, attemptFor)
		return bus.While(ctx, nc, d, func(attempt context.Context) error {
			err := do(attempt)
			if attempt.Err() != nil && ctx.Err() == nil && fault.CodeOf(err) == fault.Unavailable {
				// A Retry within do saw no more than its attempt, which is over: there is time left.
				return fmt.Errorf("%w: %w", errNotYet, err)
			}
			return err
		})
	})
}

// retry is RetryOver for what bounds its own attempts.
func retry(ctx context.Context, nc *nats.Conn, do func(context.Context) error) error {
	wait := 20 * time.Millisecond
	for {
		err := do(ctx)
		if err == nil || !Passing(err) {
			return err
		}
		select {
		case <-ctx.Done():
			// People are told the sentence; the cause is for who logs it, and is not what it was any
			// more: nobody is to take it for an answer that he can act on.
			return fmt.Errorf("%w: %v", noMemory(), err) //nolint:errorlint // see above
		case <-bus.Back(nc):
		case <-time.After(wait):
		}
		wait = min(2*wait, 500*time.Millisecond)
	}
}

func noMemory() error {
	return fault.New(fault.Unavailable, "the hall's memory does not answer, please try again")
}

// Passing tells whether the same request may succeed later: NATS or JetStream is away, the
// same id is just being stored (10158), or a batch was cut by an election (10176) or is one
// too many at a time (10210).
func Passing(err error) bool {
	if errors.Is(err, errNotYet) { // may wrap what is final elsewhere
		return true
	}
	if Taken(err) {
		return false
	}
	var api *jetstream.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode {
		case codeIDInProcess, codeNotLeader, codeBatchIncomplete, codeBatchesInFlight:
			return true
		}
		// 503 is an election or an overload; 408 a request that timed out inside; 429 one too
		// many at a time.
		return api.Code == 503 || api.Code == 408 || api.Code == 429
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
	codeNoPeers     jetstream.ErrorCode = 10005 // JSClusterNoPeersErrF
	codeNotLeader   jetstream.ErrorCode = 10009 // JSClusterNotLeaderErr
	codeStoreFailed jetstream.ErrorCode = 10077 // JSStreamStoreFailedF
	codeIDInProcess jetstream.ErrorCode = 10158 // JSStreamDuplicateMessageConflict
)
