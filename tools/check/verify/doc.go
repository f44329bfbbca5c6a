// Package verify reads the history of a run (package history) and tells whether the hall kept
// what it promises. [Check] is all of it; [Report.WriteText] is for people.
//
// It knows the hall by its documents alone: edge/PROTOCOL.md, the kinds of package event, and
// the subjects of the two streams. It does not use the services' code, so that a mistake there
// is not made here a second time: expressions of the game are evaluated by a parser of its own.
//
// # How it works
//
// The stream is what counts in the end, so it is read first, from each node, and the nodes are
// compared. Then each client's file is read once. What a connection was told is compared with
// the slice of the log that it was to hear: from behind its join (or what it said it had, when
// it resumed) without a hole, up to its leaving, or up to where the connection was lost. What
// clients asked for becomes commands, which are compared with the log and with each other.
// One file here is one story: delivery.go (I1–I3, I8), order.go (I4, I5), stored.go (I6, I7),
// whisper.go (I9), sessions.go (S1), register.go (S2), accounts.go (S3), game.go (G1–G3),
// schedule.go (G4), online.go (O1), heartbeat.go (L1), liveness.go (V1), hygiene.go (H1),
// windows.go (F1).
//
// # What is not known
//
// A command without an answer may have happened once or never, and both are right. So may one
// that was answered unavailable or internal. Where a connection was lost, what was on its way
// may have come or not. Where a fault was at work bounds of time are wider, for those whom it can
// have held up and by as much as it can (excuses.go); what befalls others excuses nothing. The
// counts tell how much was looked at, and how much of that strictly, with nothing excused: an
// invariant that had nothing to look at, or where each time something was excused, makes a run
// invalid, not passed.
package verify
