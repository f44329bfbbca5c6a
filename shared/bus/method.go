package bus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"gamehall/shared/fault"
)

// Method is a request with one answer, named by its subject. A subject with a * is a method
// of one of many, such as one edge: [Method.To] names which.
type Method[Req, Resp any] string

// Event is a message without an answer, named by its subject; a * stands for the id of what
// it tells of.
type Event[T any] string

// To is the method of the one whose id stands for the *.
func (m Method[Req, Resp]) To(id string) Method[Req, Resp] {
	return Method[Req, Resp](strings.Replace(string(m), "*", id, 1))
}

// Of is the event's subject with id in place of the *.
func (e Event[T]) Of(id string) string { return strings.Replace(string(e), "*", id, 1) }

// How a call waits.
const (
	// CallFor is how long a call goes on when its context sets no deadline.
	CallFor = 15 * time.Second
	// attemptFor is how long one attempt waits before the same command is sent again: longer
	// than any healthy answer, short enough that a dead service's copy is asked soon.
	attemptFor = time.Second
	// firstAttempt is how long the first attempt of a call that asks [Soon] waits, and each one
	// after it twice as long, up to attemptFor: one that is only slow is not asked often.
	firstAttempt = 250 * time.Millisecond
	// leastAttempt is too short for an answer: an attempt cut off so soon would only leave it
	// unknown whether anybody took the command.
	leastAttempt = 5 * time.Millisecond
	backOff      = 20 * time.Millisecond // doubles, with jitter, up to
	backOffTo    = 400 * time.Millisecond
)

// CallOption changes how one call waits.
type CallOption func(*callOptions)

type callOptions struct {
	patience time.Duration
	attempt  time.Duration
	whole    bool // attempt is all the time there is
	soon     bool // the first attempts are short
}

// Patience ends the call with fault.Unavailable once nobody has given a sign of life for d:
// no responders, no answer. A service that says it is still at work counts as alive.
func Patience(d time.Duration) CallOption { return func(o *callOptions) { o.patience = d } }

// Attempt gives the whole call d: the command is sent once, and again only while nobody is
// there to take it, or when the server was lost that would have brought the answer. The
// handler's time ends with d, too.
func Attempt(d time.Duration) CallOption {
	return func(o *callOptions) { o.attempt, o.patience, o.whole = d, d, true }
}

// Soon asks another copy after a quarter of a second, where one died or was frozen with the
// command. It is for what is done in a moment, so that two copies may do it, and what is not
// refused by one copy when another may yet carry it out.
func Soon() CallOption { return func(o *callOptions) { o.soon = true } }

// ErrNobody is in the error of a call that nobody was there to take, however often it was
// sent: the command was not carried out. Any other fault.Unavailable leaves that open.
var ErrNobody = errors.New("nobody serves it")

// Call sends req and gives the answer. It sends the same command id again until an answer
// comes, ctx ends, or [CallFor] has passed; then it is fault.Unavailable and the outcome is
// unknown, unless the error is also [ErrNobody]. A fault of the service is returned as it
// is, an unavailable one too; but a refusal that may not last (somebody is offline, or in no
// room) is not told while an earlier attempt has no answer, for whoever has that may carry the
// command out yet: when none comes in time it is fault.Unavailable, too. The command id is
// [WithCommand]'s; in a handler that of its own command, so a handler that calls one method of a
// user twice names two.
func (m Method[Req, Resp]) Call(ctx context.Context, nc *nats.Conn, req Req, opts ...CallOption) (Resp, error) {
	var resp Resp
	o := callOptions{attempt: attemptFor}
	for _, opt := range opts {
		opt(&o)
	}
	if _, ok := ctx.Deadline(); !ok || o.whole {
		limit := CallFor
		if o.whole {
			limit = o.attempt
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	data, err := encode(req)
	if err != nil {
		return resp, err
	}
	c := callerOf(ctx)
	if c.command == "" {
		c.command = NewID()
	}
	msg := &nats.Msg{Subject: string(m), Header: headers(ctx, c), Data: data}
	answer, err := send(ctx, nc, msg, o)
	if err != nil {
		return resp, err
	}
	if err := faultOf(answer); err != nil {
		return resp, err
	}
	err = Decode(answer.Data, &resp)
	return resp, err
}

// passing tells whether a refusal holds only as long as things are as they are: the same command
// may be carried out a moment later.
func passing(refusal error) bool {
	if refusal == nil {
		return false
	}
	switch fault.CodeOf(refusal) {
	case fault.NotSignedIn, fault.UserOffline,
		fault.RoomExists, fault.RoomFull, fault.NoSuchRoom, fault.NotInRoom, fault.AlreadyInRoom,
		fault.NoRound, fault.AlreadyAnswered, fault.WrongNumbers: // the next round may take it
		return true
	}
	return false
}

// undecided is what a refusal comes to when the command lies with another copy, too, which never
// answered: it may be slow, or cut off for the moment, and carry it out when things are otherwise.
func undecided(refusal error) error {
	return fault.New(fault.Unavailable, "the hall was interrupted, please try again (%v)", refusal)
}

// call is one call over a connection while it goes on.
type call struct {
	callOptions
	nc      *nats.Conn
	msg     *nats.Msg
	inbox   string // of its answers; an attempt's has its number at the end
	answers <-chan *nats.Msg
	silent  map[int]bool // attempts without an answer: whoever has one may carry it out yet
	alive   time.Time    // when somebody gave a sign of life
	refusal *nats.Msg    // one that may not last
}

// send repeats msg until somebody answers it for good. A refusal that may not last is not the
// last word while an earlier attempt has no answer: that is waited for.
func send(ctx context.Context, nc *nats.Conn, msg *nats.Msg, o callOptions) (*nats.Msg, error) {
	l := linkOf(nc)
	if l == nil { // not of a Dialer: nobody else calls over it
		l = newLink().of(nc)
	}
	inbox, answers, done, err := l.replies.listen(nc)
	if err != nil {
		return nil, unavailable(msg.Subject)
	}
	defer done()
	c := &call{callOptions: o, nc: nc, msg: msg, inbox: inbox, answers: answers, silent: map[int]bool{}, alive: time.Now()}
	wait, nobody := backOff, true
	next := firstAttempt
	for n := 0; ; n++ {
		limit := c.limit(ctx, &next)
		if ctx.Err() != nil || limit < leastAttempt {
			if c.refusal != nil {
				return nil, undecided(faultOf(c.refusal))
			}
			return nil, silence(msg.Subject, nobody)
		}
		answer, err := c.try(ctx, n, limit)
		nobody = nobody && errors.Is(err, nats.ErrNoResponders)
		switch {
		case err == nil && answer != nil:
			return answer, nil
		case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining):
			return nil, unavailable(msg.Subject) // we are stopping ourselves
		case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, nats.ErrBadSubject),
			errors.Is(err, nats.ErrPermissionViolation):
			return nil, fmt.Errorf("call %s: %w", msg.Subject, err)
		case errors.Is(ctx.Err(), context.Canceled):
			return nil, fmt.Errorf("call %s: %w", msg.Subject, ctx.Err())
		}
		pause := wait/2 + rand.N(wait/2+1) //nolint:gosec // jitter is no secret
		if o.patience > 0 {
			pause = min(pause, o.patience-time.Since(c.alive))
		}
		select {
		case <-ctx.Done():
		case <-Back(nc):
		case <-time.After(pause):
		}
		wait = min(2*wait, backOffTo)
	}
}

// limit is how long the next attempt may take.
func (c *call) limit(ctx context.Context, next *time.Duration) time.Duration {
	limit := c.attempt
	if c.soon {
		limit = min(limit, *next)
		*next = 2 * limit
	}
	if c.patience > 0 {
		limit = min(limit, c.patience-time.Since(c.alive))
		if !c.whole { // a sign of life is an answer to asking again, so ask in time
			limit = min(limit, c.patience/3)
		}
	}
	if until, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(until))
	}
	return limit
}

// try sends the message once and waits for at most d, and no longer than the connection has its
// server. It gives the answer that ends the call, of this attempt or of an earlier one; none and
// no error when the command is under way, or refused for the moment.
func (c *call) try(ctx context.Context, n int, d time.Duration) (answer *nats.Msg, err error) {
	if deadline, ok := ctx.Deadline(); ok {
		c.msg.Header.Set(HeaderTimeout, strconv.FormatInt(max(1, time.Until(deadline).Milliseconds()), 10))
	}
	err = While(ctx, c.nc, d, func(ctx context.Context) error {
		if c.refusal == nil {
			c.msg.Reply = c.inbox + strconv.Itoa(n)
			if err := c.nc.PublishMsg(c.msg); err != nil {
				return err
			}
			c.silent[n] = true
		}
		for {
			select {
			case m := <-c.answers:
				k := attemptOf(m)
				delete(c.silent, k)
				pending := m.Header.Get(headerPending) != ""
				switch {
				case nobodyThere(m):
					if k == n {
						return nats.ErrNoResponders
					}
				case pending:
					c.alive = time.Now()
					if k == n {
						return nil
					}
				case c.patience == 0 && passing(faultOf(m)):
					c.refusal = m
				default:
					answer = m
					return nil
				}
				if c.refusal != nil && len(c.silent) == 0 {
					answer = c.refusal
					return nil
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	if errors.Is(err, nats.ErrDisconnected) {
		c.refusal = nil // the answers that it waits for are lost: ask again
	}
	return answer, err
}

// silence is what becomes of a call without an answer.
func silence(subject string, nobody bool) error {
	if nobody {
		return fmt.Errorf("%w (%w)", unavailable(subject), ErrNobody)
	}
	return unavailable(subject)
}

// unavailable names the service of subject, not the subject.
func unavailable(subject string) error {
	service := subject
	if parts := strings.Split(subject, "."); len(parts) > 1 {
		service = parts[1]
	}
	return fault.New(fault.Unavailable, "the %s service does not answer, please try again", service)
}

// faultOf gives the fault that an answer carries, or nil.
func faultOf(answer *nats.Msg) error {
	code := answer.Header.Get(micro.ErrorCodeHeader)
	if code == "" {
		return nil
	}
	c := fault.Code(code)
	if !c.Known() {
		c = fault.Internal
	}
	return fault.New(c, "%s", answer.Header.Get(micro.ErrorHeader))
}
