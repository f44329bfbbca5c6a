// Command hall is the program: it runs the hall, whole or in parts.
//
//	hall up            everything in one process, NATS embedded
//	hall run PART…     edge, auth, account, chat, room, game21: one or several, against --nats
//	hall client [ADDR] the terminal client
//
// Every flag has the environment variable of the same name: --game21-period is
// HALL_GAME21_PERIOD. What is logged goes to standard error; standard output tells people
// where to connect.
//
// It ends with 0 after Ctrl-C or SIGTERM, with 1 when something fails, and with 2 when it
// was called wrongly.
//
// # Who owns what
//
// A [house] owns the parts: it starts them one after the other, and stops them, the edge
// first, so that nothing which was accepted is left unanswered. Each part has NATS
// connections and a database of its own. The embedded server is last to go.
package main
