//go:build !unix

package edge

// mostConnections is what one edge was measured with, and more.
func mostConnections() int { return 1 << 16 }
