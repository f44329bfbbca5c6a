//go:build !linux

package check

import "syscall"

// alone keeps the terminal's Ctrl-C from a process.
func alone() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
