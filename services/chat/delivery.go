package chat

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// outcome is what became of a whisper.
type outcome string

const (
	open    outcome = ""        // an edge may be showing it
	shown   outcome = "shown"   // its target has it
	refused outcome = "offline" // nobody was there to have it
)

// delivery says where a whisper goes. It is stored before an edge is given the whisper, so that
// whatever dies, and whoever tries again, it is never given to a second session while the first
// may have had it. It holds nothing of what is said.
type delivery struct {
	Edge    string  `json:"edge,omitzero"`
	Session string  `json:"session,omitzero"`
	Outcome outcome `json:"outcome,omitzero"`
	Doubt   bool    `json:"doubt,omitzero"` // somebody else may have asked that edge before
	By      string  `json:"by"`             // the write, for whoever got no answer to it

	key      string
	revision uint64
}

// deliveries keeps them in a bucket, for as long as a command may be repeated.
type deliveries struct {
	js jetstream.JetStream
	kv jetstream.KeyValue
}

func openDeliveries(ctx context.Context, js jetstream.JetStream) (*deliveries, error) {
	kv, err := js.KeyValue(ctx, streams.Whispers)
	if err != nil {
		return nil, fmt.Errorf("open whispers: %w", err)
	}
	return &deliveries{js, kv}, nil
}

// toward is a delivery to target's session, or nowhere.
func toward(target session.Record) delivery {
	if !target.Live() || target.Edge == "" || !target.Detached.IsZero() { // nobody is there to hear it
		return delivery{Outcome: refused}
	}
	return delivery{Edge: target.Edge, Session: target.Session}
}

// begin gives the delivery of a user's command: d, or the one that was begun before. Then whoever
// began it may have asked the edge already, and may still: from now on that is in doubt for both.
func (b *deliveries) begin(ctx context.Context, user, command string, d delivery) (delivery, error) {
	sum := sha256.Sum256([]byte(user + "\x00" + command))
	d.key = hex.EncodeToString(sum[:16])
	now, stored, err := b.put(ctx, d)
	for err == nil && !stored && now.Outcome == open && !now.Doubt {
		now.Doubt = true
		now, stored, err = b.put(ctx, now)
	}
	return now, err
}

// move stores next in the place of d, and gives what is there then: next, or what somebody else
// stored meanwhile.
func (b *deliveries) move(ctx context.Context, d, next delivery) (delivery, error) {
	next.key, next.revision = d.key, d.revision
	now, stored, err := b.put(ctx, next)
	if err == nil && !stored && now.Outcome == open {
		now.Doubt = true
	}
	return now, err
}

// settleFor is how long an outcome may take to be stored: the answer waits for it.
const settleFor = 500 * time.Millisecond

// settle notes that the target has it. Where that fails the edge still knows.
func (b *deliveries) settle(ctx context.Context, d delivery) {
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	for {
		d.Outcome = shown
		now, stored, err := b.put(ctx, d)
		if err != nil || stored || now.Outcome != open || now.Session != d.Session {
			return
		}
		d = now // in doubt by now, which this ends
	}
}

// put stores d where its revision is what is there, and gives what is there then.
func (b *deliveries) put(ctx context.Context, d delivery) (now delivery, stored bool, err error) {
	d.By = bus.NewID()
	data, err := json.Marshal(d)
	if err != nil {
		return d, false, fmt.Errorf("encode a delivery: %w", err)
	}
	now = delivery{key: d.key}
	err = streams.RetryOver(ctx, b.js.Conn(), func(ctx context.Context) error {
		revision, err := b.kv.Update(ctx, d.key, data, d.revision)
		if err == nil {
			now, stored = d, true
			now.revision = revision
			return nil
		}
		if !streams.Conflict(err) {
			return err
		}
		e, err := b.kv.Get(ctx, d.key) // from the leader: the bucket has no direct get
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			// On several replicas the other one may still be on its way.
			return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
		}
		if err != nil {
			return err
		}
		if err := json.Unmarshal(e.Value(), &now); err != nil {
			return fmt.Errorf("decode a delivery: %w", err)
		}
		now.revision, stored = e.Revision(), now.By == d.By
		return nil
	})
	if err != nil {
		return d, false, fmt.Errorf("store where a whisper goes: %w", err)
	}
	return now, stored, nil
}
