//go:build !linux

package edge

import (
	"syscall"
	"time"
)

// userTimeout is Linux's; elsewhere keepalive alone finds a dead peer.
func userTimeout(syscall.RawConn, time.Duration) error { return nil }
