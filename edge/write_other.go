//go:build !linux

package edge

import "syscall"

// writePieces writes pieces to a non-blocking socket, as far as it takes them.
func writePieces(fd int, pieces [][]byte) (total int, err error) {
	for _, p := range pieces {
		n, err := syscall.Write(fd, p)
		total += max(0, n)
		if err != nil || n < len(p) {
			return total, err
		}
	}
	return total, nil
}
