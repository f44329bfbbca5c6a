//go:build !linux

package history

import "time"

var began = time.Now()

// Now is a monotonic clock in nanoseconds. It is this process's alone.
func Now() int64 { return int64(time.Since(began)) + 1 }
