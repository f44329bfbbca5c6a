// Package streams declares what the hall stores in JetStream, and writes and reads it.
//
// Every stream and bucket is declared here, once. A part calls [Ensure] when it starts:
// what is missing is created, what differs is refused with the field that differs, and
// nothing that holds data is ever created again.
//
// [Publish] stores an event so that a retry cannot double it, and an [Appender] does so for
// many at once, who share the disk's sync; a [Swapper] does that for compare-and-set. [Range], [History] and
// [LastSequences] read the stream HALL_EVENTS by direct get (NATS ADR-31), which any replica
// may answer, also one that is behind: whoever finds a hole asks [Kept], which the leader
// answers. What else is asked of JetStream goes through [RetryOver], which does not wait for the
// answer of a server that is lost.
package streams
