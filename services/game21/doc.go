// Package game21 owns the game of 21: its rounds, the judging of answers, the
// scores.
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
package game21
