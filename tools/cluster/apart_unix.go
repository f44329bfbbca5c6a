//go:build unix

package cluster

import "syscall"

// apart keeps a terminal's Ctrl-C from the processes: they are stopped in order.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
