package bus

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"github.com/nats-io/nats.go"
)

// The headers in which a call tells who calls. Timeout is how long the caller still waits,
// in milliseconds: a duration, so that clocks need not agree.
const (
	HeaderUser      = "Hall-User"
	HeaderSession   = "Hall-Session"
	HeaderCommandID = "Hall-Command-Id"
	HeaderTimeout   = "Hall-Timeout"
	headerPending   = "Hall-Pending"
)

// Identity is a user with a live session, as a service's [Authorize] found it.
type Identity struct {
	User    string // canonical name
	ID      string // the user's id, safe as a subject token
	Session string
	Epoch   uint64
	Edge    string // the edge that holds the session
}

type callerKey struct{}

// caller is what a context knows of who calls: the headers to send, and in a handler the
// identity found for them.
type caller struct {
	user, session, command string
	identity               Identity
}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// As makes calls with ctx in the name of user, without a session.
func As(ctx context.Context, user string) context.Context {
	return AsSession(ctx, user, "")
}

// AsSession makes calls with ctx in the name of user in its session.
func AsSession(ctx context.Context, user, session string) context.Context {
	c := callerOf(ctx)
	c.user, c.session = user, session
	return context.WithValue(ctx, callerKey{}, c)
}

// WithCommand makes calls with ctx carry the command id; without it each call is a command
// of its own.
func WithCommand(ctx context.Context, id string) context.Context {
	c := callerOf(ctx)
	c.command = id
	return context.WithValue(ctx, callerKey{}, c)
}

// Caller is who called the handler that got ctx; the zero Identity in a method that anyone
// may call.
func Caller(ctx context.Context) Identity { return callerOf(ctx).identity }

// Claims is who the caller says it is. In a method that anyone may call nobody has looked yet
// whether that is so.
func Claims(ctx context.Context) (user, session string) {
	c := callerOf(ctx)
	return c.user, c.session
}

// Command is the id of the command that the handler with ctx carries out. It is never
// empty in a handler and holds only letters, digits, '-', '_' and '.'.
func Command(ctx context.Context) string { return callerOf(ctx).command }

// NewID gives 128 random bits in hexadecimal: a session's, a command's, an edge's id.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

// goodCommandID tells whether id may stand in a Nats-Msg-Id.
func goodCommandID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, r := range []byte(id) {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
		default:
			return false
		}
	}
	return true
}

// headers are those of one call: who calls, and as which command. There is room for the
// timeout and a trace.
func headers(ctx context.Context, c caller) nats.Header {
	h := make(nats.Header, 6)
	values := make([]string, 0, 3) // one allocation for all of them
	set := func(name, value string) {
		if value != "" {
			values = append(values, value)
			h[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	set(HeaderUser, c.user)
	set(HeaderSession, c.session)
	set(HeaderCommandID, c.command)
	traceContext.Inject(traced(ctx), headerCarrier(h))
	return h
}
