// Package crowd is the clients of a check: a [Crowd] of players that do all that clients can
// do, and write down everything that they asked, were answered and were told (package
// history).
//
// Each player has a door (frames, WebSocket or lines) and a habit: most talk, play, whisper
// and go from room to room; some read slowly, fall silent, or share a user with a rival and
// take the session from each other. All of them sometimes drop their connection and come back
// on another edge, with their token and the sequences that they had, and repeat a command
// whose answer they never heard under the same key.
//
// A connection has two goroutines: one reads and writes down what came, the other sends the
// heartbeat and notices that nobody is there any more. Everything else of a player is one
// goroutine, which asks one thing at a time.
package crowd
