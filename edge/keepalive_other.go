//go:build !linux

package edge

import "net"

// port is how a port listens: keepalive alone finds a dead peer.
func port() *net.ListenConfig {
	return &net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: deadAfter / 2, Interval: deadAfter / 6, Count: 3,
	}}
}
