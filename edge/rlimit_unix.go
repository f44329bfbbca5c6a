//go:build unix

package edge

import "syscall"

// filesKept is how many files are left for NATS, databases and the rest of the process.
const filesKept = 256

// mostConnections is what the process may open, less filesKept.
func mostConnections() int {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil || r.Cur > 1<<20 {
		return 1 << 20
	}
	return max(64, int(r.Cur)-filesKept) // it is at most 1<<20
}
