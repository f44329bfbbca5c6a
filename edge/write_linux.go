package edge

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// writePieces sends pieces in one system call, as much of them as goes without waiting (send(2)).
// It never waits, so the scheduler is not told of it.
func writePieces(fd int, pieces [][]byte) (int, error) {
	if len(pieces) > 1 {
		return writeMany(fd, pieces)
	}
	p := pieces[0]
	for {
		at := unsafe.Pointer(unsafe.SliceData(p)) //nolint:gosec // what the kernel reads during the call
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(at), uintptr(len(p)), sendFlags, 0, 0)
		runtime.KeepAlive(p)
		if errno == 0 {
			return int(n), nil
		}
		if errno != unix.EINTR {
			return -1, errno
		}
	}
}

const sendFlags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL

func writeMany(fd int, pieces [][]byte) (int, error) {
	var iov [batchPieces]unix.Iovec
	for i, p := range pieces {
		iov[i].Base = unsafe.SliceData(p) //nolint:gosec // as above
		iov[i].SetLen(len(p))
	}
	h := unix.Msghdr{Iov: &iov[0]}
	h.SetIovlen(len(pieces))
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&h)), sendFlags) //nolint:gosec // as above
		runtime.KeepAlive(pieces)
		if errno == 0 {
			return int(n), nil
		}
		if errno != unix.EINTR {
			return -1, errno
		}
	}
}
