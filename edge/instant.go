package edge

import "time"

// processBegan is what instants are counted from.
var processBegan = time.Now()

// instantOf is t in nanoseconds since the process began, by the monotonic clock: a step of
// the wall clock must not make everybody look silent. It is never 0, which stands for never.
func instantOf(t time.Time) int64 { return int64(t.Sub(processBegan)) + 1 }

// instant is this moment.
func instant() int64 { return instantOf(time.Now()) }

// timeOf is the time of an instant; its wall clock is right as long as that was not set.
func timeOf(instant int64) time.Time { return processBegan.Add(time.Duration(instant - 1)) }
