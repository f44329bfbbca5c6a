package check

import "syscall"

// alone keeps the terminal's Ctrl-C from a process, and lets it not outlive us.
func alone() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
