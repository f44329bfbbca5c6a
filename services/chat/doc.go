// Package chat owns what is said in the lobby: lines, whispers, and the history of every
// channel. Reach for [Run] first; its methods are those of package chatapi.
//
// # Promises
//
//   - A line that Say answered is stored, once, whatever was retried or died in between,
//     and its sequence is its place in the one order that everybody sees.
//   - No line of a session enters the lobby more than 5 s after that session is over.
//   - A whisper reaches the edge of its target alone, and is delivered or refused with
//     user_offline, never both. When an edge has the whisper and does not answer, the
//     outcome is unknown, which is unavailable and never user_offline. One that comes again
//     within two minutes is not shown again, wherever its target is by now, and whichever copy of
//     chat and whichever edge died in between: where it goes is stored before an edge has it. What
//     an edge knew that died in the moment between is unknown for good.
//   - Somebody who is offline and somebody who does not exist give the same answer.
//   - History shows a room to its members alone, from their own join on.
//
// The text of a line is text: a leading / is no command here.
//
// # Who owns what
//
// The service keeps no data of its own: lines are in the stream, sessions, leases and where
// whispers go in their buckets. So any number of copies may run, and nothing is lost with one. Its
// [session.Directory] owns the one goroutine beside the bus's workers.
//
// # What a line costs
//
// A line that comes alone goes to the stream at once: 0.30 ms from the call to its answer, of
// which the disk's sync is 0.2 (one replica, sync_interval: always, two cores). Without
// replicas the server syncs one after the other, so lines that wait at the same moment share
// batches: see [streams.Appender]. A sender has one request under way, so 64 workers would let
// those of no more than 64 senders share one; there are 256. A request may have up to
// [chatapi.SayMost] lines, which whoever sent them at once had waiting: they are stored in their
// order, each once under an id of its own. BenchmarkSay measures the whole path.
package chat
