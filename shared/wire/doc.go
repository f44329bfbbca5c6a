// Package wire is what clients and the edge say to each other, in the dialects that people
// and programs speak; both ends use it.
//
// A [Command] is one thing a client asks for, whatever dialect it came in: [ParseLine] reads
// it from a line. A [Reply] answers it, an event.Stored tells of a channel, a [Private] of
// what concerns one session alone; [AppendReply], [AppendEvent] and [AppendPrivate] write
// them as lines. Nothing a player typed reaches a line as a control character: what came in
// was refused, and what goes out is cleaned once more.
package wire
