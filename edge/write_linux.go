package edge

import "golang.org/x/sys/unix"

// writePieces writes pieces to a non-blocking socket with one system call.
func writePieces(fd int, pieces [][]byte) (int, error) {
	if len(pieces) == 1 {
		return unix.Write(fd, pieces[0])
	}
	return unix.Writev(fd, pieces)
}
