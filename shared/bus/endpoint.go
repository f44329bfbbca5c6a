package bus

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"go.opentelemetry.io/otel/trace"

	"gamehall/shared/fault"
)

// Validator is a request that knows what is good input. Its error is a fault.
type Validator interface{ Validate() error }

// HandleOption changes how one method is served.
type HandleOption func(*endpoint)

// Anyone lets a method be called without a live session.
func Anyone() HandleOption { return func(e *endpoint) { e.anyone = true } }

// Reads says that a method changes nothing, so that no answer need be remembered and the
// user's order need not be kept.
func Reads() HandleOption { return func(e *endpoint) { e.reads = true } }

// endpoint is a method as served: the part that knows no types.
type endpoint struct {
	s       *Service
	subject string
	anyone  bool
	reads   bool
	count   *count
	handle  func(ctx context.Context, data []byte) ([]byte, error)
}

// Handle serves m with h, which gets validated input and a context that ends with the
// caller's patience. Errors of h that are no faults, and its panics, are logged and answered
// fault.Internal.
func Handle[Req Validator, Resp any](s *Service, m Method[Req, Resp], h func(context.Context, Req) (Resp, error), opts ...HandleOption) error {
	e := &endpoint{s: s, subject: string(m), count: &count{}}
	for _, opt := range opts {
		opt(e)
	}
	if !e.anyone && s.cfg.Authorize == nil {
		return fmt.Errorf("serve %s: it needs a caller, and the service has no Authorize", m)
	}
	e.handle = func(ctx context.Context, data []byte) ([]byte, error) {
		var req Req
		if err := decodeRequest(data, &req); err != nil {
			return nil, err
		}
		if err := req.Validate(); err != nil {
			return nil, err
		}
		resp, err := h(ctx, req)
		if err != nil {
			return nil, err
		}
		return encode(resp)
	}
	if s.cfg.Hidden {
		_, err := s.listen.Subscribe(e.subject, e.take)
		return err
	}
	request, err := schemaOf[Req]()
	if err != nil {
		return err
	}
	response, err := schemaOf[Resp]()
	if err != nil {
		return err
	}
	_, name, _ := strings.Cut(e.subject, "hall."+s.cfg.Name+".")
	s.counts.Store(name, e.count)
	return s.micro.AddEndpoint(name,
		micro.HandlerFunc(func(r micro.Request) {
			e.take(&nats.Msg{Subject: r.Subject(), Reply: r.Reply(), Header: nats.Header(r.Headers()), Data: r.Data()})
		}),
		micro.WithEndpointSubject(e.subject),
		micro.WithEndpointMetadata(map[string]string{"request_schema": request, "response_schema": response}),
		micro.WithEndpointPendingLimits(s.cfg.Pending*4, s.cfg.Pending*4*MaxRequest))
}

// incoming is a message on its way through an endpoint.
type incoming struct {
	msg     *nats.Msg
	until   time.Time
	caller  caller // as the headers say
	command command
	claim   claim
	claimed bool // the claim is to be left in the end
}

// take hands msg to the workers, or answers at once: with the answer that it had before,
// that it is under way, or that there is no room. It runs on the subscription's goroutine
// and must not wait.
func (e *endpoint) take(msg *nats.Msg) {
	now := time.Now()
	in := &incoming{msg: msg, until: now.Add(e.timeout(msg)), caller: caller{
		user: msg.Header.Get(HeaderUser), session: msg.Header.Get(HeaderSession), command: msg.Header.Get(HeaderCommandID),
	}}
	if in.caller.command == "" {
		in.caller.command = NewID()
	} else if !goodCommandID(in.caller.command) {
		e.refuse(msg, fault.New(fault.BadRequest, "%s must be 1 to 64 letters, digits, '-', '_' or '.'", HeaderCommandID))
		return
	}
	key := ""
	if !e.reads {
		if e.s.pauses.stale(now) {
			e.count.busy.Add(1)
			return
		}
		key = strings.ToLower(in.caller.user)
		in.command = command{e.subject, key, in.caller.command, [32]byte{}}
		if e.anyone {
			in.command.body = sha256.Sum256(msg.Data)
		}
		in.claim = claim{in.command.key(), in.caller.session}
		kept, fresh := e.s.memory.take(in.claim, now)
		if !fresh {
			e.repeat(msg, kept)
			return
		}
		in.claimed = true
	}
	if !e.s.pool.submit(key, func() { e.serve(in) }) {
		e.leave(in)
		e.count.busy.Add(1)
		e.refuse(msg, fault.New(fault.Unavailable, "the hall is busy, please try again"))
	}
}

func (e *endpoint) leave(in *incoming) {
	if in.claimed {
		e.s.memory.leave(in.claim)
	}
}

// timeout is how long msg's caller waits.
func (e *endpoint) timeout(msg *nats.Msg) time.Duration {
	ms, err := strconv.ParseInt(msg.Header.Get(HeaderTimeout), 10, 64)
	if err != nil || ms <= 0 {
		return e.s.cfg.Timeout
	}
	// Compared as milliseconds: what somebody made up may be too long for a Duration.
	most := min(10*e.s.cfg.Timeout, AnswersKept)
	return time.Duration(min(ms, most.Milliseconds())) * time.Millisecond
}

// serve carries out one command and answers it.
func (e *endpoint) serve(in *incoming) {
	defer e.leave(in)
	begun := time.Now()
	if begun.After(in.until) { // nobody waits any more, and nothing has been done
		e.count.busy.Add(1)
		e.refuse(in.msg, fault.New(fault.Unavailable, "the hall is busy, please try again"))
		return
	}
	ctx, cancel := context.WithDeadline(e.s.ctx, in.until)
	defer cancel()
	ctx = traced(traceContext.Extract(ctx, headerCarrier(in.msg.Header)))
	c := in.caller
	if !e.anyone {
		err := e.guard(func() (err error) {
			c.identity, err = e.s.cfg.Authorize(ctx, c.user, c.session)
			return err
		})
		if err != nil {
			e.refuse(in.msg, e.forPeople(ctx, err, c.command))
			return
		}
		c.user, c.session = c.identity.User, c.identity.Session
	}
	var mine *answer
	if !e.reads {
		proven := in.claim
		if !e.anyone && in.command.user != c.user {
			in.command.user = c.user // as everybody writes it
			proven.key = in.command.key()
		}
		var kept *nats.Msg
		if kept, mine = e.s.memory.begin(proven, begun); mine == nil {
			e.repeat(in.msg, kept)
			return
		}
	}
	ctx = context.WithValue(ctx, callerKey{}, c)
	var data []byte
	err := e.guard(func() (err error) {
		data, err = e.handle(ctx, in.msg.Data)
		return err
	})
	f := e.forPeople(ctx, err, c.command)
	e.count.done.Add(1)
	e.count.nanos.Add(uint64(time.Since(begun)))
	answer := e.answer(data, f)
	if mine != nil {
		until, keep := keepUntil(f, begun, time.Now())
		if !keep {
			e.s.memory.end(mine, nil, until)
		} else {
			e.s.memory.end(mine, answer, until)
		}
	}
	e.sendLate(in.msg, answer)
}

// heardFor is how long an outcome is kept that a retry may better: until the caller, who
// asks again while it waits, has certainly been told.
const heardFor = 2 * attemptFor

// keepUntil tells whether the outcome f of a command is kept, and until when: zero is
// [AnswersKept]. What a retry may better is not kept, but for a command that took longer
// than an attempt: nobody waits for that one's answer any more, only the retries do.
func keepUntil(f error, begun, now time.Time) (until time.Time, keep bool) {
	if f == nil {
		return time.Time{}, true
	}
	code := fault.CodeOf(f)
	if !code.Retry() && code != fault.Internal {
		return time.Time{}, true
	}
	return now.Add(heardFor), now.Sub(begun) > firstAttempt/2
}

// guard calls do and turns its panic into an error.
func (e *endpoint) guard(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return do()
}

// forPeople turns err into the fault to answer. What was not foreseen is logged here and
// nowhere else.
func (e *endpoint) forPeople(ctx context.Context, err error, command string) error {
	if err == nil {
		return nil
	}
	f, foreseen := fault.From(err)
	switch {
	case foreseen:
		e.count.faults.Add(1)
		e.s.log.Debug("refused", "subject", e.subject, "command", command, "code", f.Code, "error", err)
	case ctx.Err() != nil && errors.Is(err, ctx.Err()), errors.Is(err, context.Canceled):
		// Nobody but a lost connection cancels what a handler asks while its own time lasts.
		e.count.faults.Add(1)
		e.s.log.Warn("out of time", "subject", e.subject, "command", command, "error", err)
		return unavailable(e.subject)
	default:
		e.count.internal.Add(1)
		e.s.log.Error("internal", "subject", e.subject, "command", command, "error", err,
			"trace", trace.SpanContextFromContext(ctx).TraceID().String())
	}
	return f
}

// answer makes the message that tells an outcome; who sends it gives it its subject.
func (e *endpoint) answer(data []byte, err error) *nats.Msg {
	if err == nil {
		return &nats.Msg{Data: data}
	}
	f, _ := fault.From(err)
	return &nats.Msg{Header: nats.Header{micro.ErrorCodeHeader: {string(f.Code)}, micro.ErrorHeader: {f.Message}}}
}

// refuse sends a fault that is not kept.
func (e *endpoint) refuse(msg *nats.Msg, err error) { e.send(msg, e.answer(nil, err)) }

// repeat answers a command that was had before: with its answer, or that it is under way.
func (e *endpoint) repeat(msg, kept *nats.Msg) {
	e.count.again.Add(1)
	if kept == nil {
		kept = &nats.Msg{Header: nats.Header{
			micro.ErrorCodeHeader: {string(fault.Unavailable)},
			micro.ErrorHeader:     {"this command is still under way"},
			headerPending:         {"1"},
		}}
	}
	e.send(msg, kept)
}

// inbox tells whether a reply subject may be answered to: _INBOX.… of the nats CLI,
// _INBOX_<class>.… of our own, and _R_.…, which stands for that of somebody in another account;
// the server makes it, and refuses it from anybody else.
func inbox(reply string) bool {
	return strings.HasPrefix(reply, "_INBOX") || strings.HasPrefix(reply, "_R_.")
}

// answerFor is how long an answer waits for a server to send it to: who asked waits as long.
const answerFor = attemptFor

// sendLate is send of what has been done. While there is no server to send it to it waits, for
// who asked would wait for the end of its attempt, and ask for what is known here.
func (e *endpoint) sendLate(msg, answer *nats.Msg) {
	for until := time.Now().Add(answerFor); msg.Reply != "" && !e.s.nc.IsConnected() && time.Now().Before(until); {
		if e.s.stopping.Load() {
			break // it may be away for good
		}
		select {
		case <-Back(e.s.nc):
		case <-time.After(backOff): // Back is told a little after the loss
		case <-e.s.ctx.Done():
		}
	}
	e.send(msg, answer)
}

// send publishes answer to who sent msg; a message without a reply subject gets none.
func (e *endpoint) send(msg, answer *nats.Msg) {
	if msg.Reply == "" {
		if code := answer.Header.Get(micro.ErrorCodeHeader); code != "" {
			e.s.log.Info("refused a publish", "subject", e.subject, "code", code, "error", answer.Header.Get(micro.ErrorHeader))
		}
		return
	}
	if !inbox(msg.Reply) {
		// The caller chose the subject, and a service may publish where the caller may not:
		// its answer would stand in the hall's log as an event.
		e.s.log.Warn("no answer to a subject that is no inbox", "subject", e.subject, "reply", msg.Reply)
		return
	}
	err := e.s.nc.PublishMsg(&nats.Msg{Subject: msg.Reply, Header: answer.Header, Data: answer.Data})
	if errors.Is(err, nats.ErrMaxPayload) {
		f, _ := fault.From(err)
		tooLong := e.answer(nil, f)
		err = errors.Join(err, e.s.nc.PublishMsg(&nats.Msg{Subject: msg.Reply, Header: tooLong.Header}))
	}
	if err != nil {
		e.s.log.Warn("answer not sent", "subject", e.subject, "bytes", len(answer.Data), "error", err)
	}
}
