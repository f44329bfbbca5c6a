package game21

import "time"

// Clock is what rounds are timed by. There are two: the machine's, and that of a test, which
// it drives.
type Clock interface {
	// Now is the wall clock, by which rounds start. It may jump.
	Now() time.Time
	// Elapsed is the time since some moment. It never jumps, so a round that a copy sees
	// open and close lasts as long as it should.
	Elapsed() time.Duration
	// At gives a channel that tells once when Elapsed has come to e. What is past is told at
	// once.
	At(e time.Duration) <-chan time.Time
}

// machine is the machine's clock.
type machine struct{ since time.Time }

func newMachine() machine { return machine{since: time.Now()} }

// Now implements Clock.
func (machine) Now() time.Time { return time.Now() }

// Elapsed implements Clock.
func (m machine) Elapsed() time.Duration { return time.Since(m.since) }

// At implements Clock.
func (m machine) At(e time.Duration) <-chan time.Time { return time.After(e - m.Elapsed()) }
