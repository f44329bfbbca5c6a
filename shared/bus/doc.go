// Package bus is how the parts of the hall call each other over NATS: typed methods with
// one answer, and typed events.
//
// A contract names its methods as constants of type [Method]; a service serves them with
// [Handle] on a [Service], everybody else calls [Method.Call]. Who calls travels in headers
// and is read with [Caller], never from the body.
//
// # What it promises
//
//   - A handler sees good input: strict JSON (RFC 8259 as RFC 7493 narrows it: UTF-8, no
//     duplicate, unknown or wrong-case names) of at most [MaxRequest] bytes, decoded and
//     validated, from a caller whose session is live.
//   - A handler's fault arrives at the caller unchanged; any other error, and a panic, is
//     logged once here and arrives as fault.Internal.
//   - One user's commands run one after the other, those of one method in the order they
//     arrived, on bounded workers; different users' commands run side by side. What does
//     not fit is answered fault.Unavailable at once, what cannot start before its caller's
//     time is over, then.
//   - A command id names one state change: the same user with the same id gets the first
//     answer again for [AnswersKept], and while it is under way is told so at once, so that
//     who retries knows that somebody is at work. A caller that nobody knows is the same one
//     when the request is the same. This package remembers answers in memory; a service
//     that must keep the promise across its own death, or in several copies, recognises the
//     id in what it stored. What a retry may mend (unavailable, rate_limited, internal) is
//     not remembered.
//   - A command that was refused is not carried out afterwards: a refusal that may not last is
//     told as fault.Unavailable, outcome unknown, when an earlier attempt was never answered.
//   - What is asked over a connection that loses its server is asked again as soon as there is
//     another one: see [While].
//   - A message without a reply subject (nats pub) does the same work; its outcome is only
//     logged. Answers go to inboxes only, so that nobody makes a service publish an event.
//   - Every call carries a traceparent (W3C Trace Context), and the log of what went wrong
//     names the trace.
//
// # Who owns what
//
// A [Service] owns a connection of its own (micro takes over the connection's handlers) and
// its workers; [Service.Stop] waits for them. A connection made by [Dialer.Connect] belongs
// to who asked for it.
package bus
