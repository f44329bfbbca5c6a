//go:build !unix

package cluster

import "syscall"

// apart is nothing here: the processes get a terminal's Ctrl-C too.
func apart() *syscall.SysProcAttr { return nil }
