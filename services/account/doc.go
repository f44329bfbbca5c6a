// Package account owns how long users were online, and tells who is. Reach for [Run] first;
// its methods are those of package accountapi.
//
// # Promises
//
//   - Online time counts every session once, whatever was told twice, late or in another
//     order, and two sessions of a user never count the same second.
//   - It includes the running session, from the first moment on, and does not shrink while
//     that runs, whatever the clock does.
//   - Joined and left are taken from the stream by a durable consumer, each acknowledged
//     once it is committed, so nothing is missed while no copy runs.
//   - A session whose end nobody could tell ends at its edge's last renewal: the death of an
//     edge, or of everything, loses at most the 5 s between two renewals.
//   - What a copy that died had in its hands counts all the same: who asks meanwhile has it
//     read, and stored, for him.
//   - An event that cannot be read is tried three times, logged and passed over.
//
// All copies of the service share one database and one consumer, "account" of HALL_EVENTS. Where that
// stands is stored with several syncs, so after lines of chat alone a copy leaves the lobby for a
// second, or until a session changes.
// Should the database have to be restored from a backup, delete that consumer: it is made
// again and reads everything that the stream still keeps, which changes only what the
// backup lacks.
//
// # Who owns what
//
// Five goroutines beside the bus's workers: one follows the lobby, one the edges' leases, one
// compares, at the start, the open sessions with those of the bucket, one begins to measure
// those that run, and one deletes what is of no use any more. [Service.Stop] waits for all of
// them. Whoever writes, reads the row, applies the rule of span.go and
// writes it within one transaction, so their order does not matter.
package account
