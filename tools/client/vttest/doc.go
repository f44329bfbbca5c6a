// Package vttest is a terminal inside a test: a pseudo-terminal whose [Screen] is kept as a
// real one would, so that a test sees what a person would see.
//
// [Open] gives a terminal for a program in this process, [Start] starts another one in it. A
// [Terminal] waits for what it is to show, and ends with the test.
package vttest
