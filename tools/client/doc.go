// Package client is the terminal client of the hall. [Run] is all that others call: it takes
// the whole screen of a terminal, or is a pipe when there is none.
//
// It speaks frames, and keeps one session over many connections: a session connects again by
// itself, resumes with its token where it was, drops what it has heard already, and repeats
// what was not answered with the same key. So no line is lost and none is doubled, as long as
// the hall keeps the session; when it does not, the person is told and asked to sign in.
//
// Nothing that another player typed reaches the terminal as it is: control characters, turns
// of direction and what cannot be seen are taken out wherever text is drawn, whatever the
// server has let through. Passwords are masked while they are typed and never remembered.
//
// # Who owns what
//
// One goroutine runs the session and tells its owner what happens, in order; two more own
// the socket, so that the heartbeat goes on while somebody reads slowly. The screen's model
// belongs to Bubble Tea's loop, which hands commands to the session without ever waiting.
package client
