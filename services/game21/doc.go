// Package game21 owns the game of 21: its rounds, the judging of answers, the
// scores. [Start] plays and serves it; [Run] is what the program calls.
//
// The rules are pure. They know no NATS, no database and no clock; times and
// random bytes are arguments, so every rule can be tried by a table:
//
//   - [Deal] draws the four numbers of a round.
//   - [Judge] reads a player's expression and gives its exact value, or says
//     what is wrong with it. Reach for it first.
//   - [Best] finds a best solution for a hand; [Makes21] tells if one is 21.
//   - [Fold] turns the log of a round into its one [Result].
//
// So is what to do next: decide, in decide.go, is a function of what is stored
// and of the time, and schedule.go of when rounds start.
//
// # What is stored
//
// A round is its log in the stream HALL_GAME21, which keeps one message of each
// subject and refuses a second one:
//
//	hall.round.<n>.open              the numbers, and how long it lasts
//	hall.round.<n>.answer.<user id>  an answer, and which command gave it
//	hall.round.<n>.close             why it ended
//
// [Schedule], the next round, is one key, moved on by compare-and-set. What the
// hall is told is at [gamehall/shared/game21api.Game]; only this service writes there, each
// event by compare-and-set on what the channel has. The scores are in SQL.
// Nothing else is kept: what a copy remembers is a copy of these, of one round.
//
// # Who owns what
//
// The runner's goroutine starts, ends, tells and credits rounds. Every copy of
// the service has one, and they need not know of each other: each reads, decides
// and acts, and all that they do is refused or does nothing the second time. It
// wakes at the time that it decided on, when its copy has stored an answer, and
// every second to see what others did. [Service.Stop] waits for it.
//
// The handlers run on the bus's workers and share nothing with it but two words:
// that there is something to see, and where a round's start is in the channel.
// An answer reads the log's leader, never what the runner remembers.
//
// # Promises
//
// Arithmetic is exact. In 23 of the 715 hands float64 misjudges an expression
// whose value is exactly 21, `7/(1-2/3)` among them.
//
// No text that a player sends can cost more than a glance: expressions are
// refused by length before they are read and by depth before they are
// evaluated, and nothing here recurses on what a player typed.
//
// The sequence of an entry in the log, never the time, decides who was first
// and who was late. So every copy of the service that folds the same log comes
// to the same result, however often and in whatever order it was told the
// entries.
//
// A round has one start and one result, whatever dies and however many copies
// run. The hall is told of it once and in order: that it started, who answered,
// how it ended, and only then of the next one. An answer is stored before it is
// acknowledged, and the same command gets the same result, from any copy, until
// the round after it has ended. Nobody sees another's expression before the end.
//
// A round lasts as long as it should in every copy that saw it open, whatever
// wall clocks do. One that starts in the middle goes by the server's time of the
// open entry, and so errs by as much as its clock differs from the server's. A
// round is late by at most 30 s or half a period; one that would be later was
// missed, and the plan is made anew. Its number is not lost.
//
// Scores are credited once for each round, before the result is told, unless the
// database fails: then the game goes on, and they follow.
package game21
