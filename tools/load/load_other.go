//go:build !linux

package load

import (
	"context"
	"errors"
	"io"
)

// errLinux says where a load runs.
var errLinux = errors.New("hall load needs Linux: it is built on epoll and reads /proc")

// Run needs Linux.
func Run(context.Context, Config, io.Writer, io.Writer) error { return errLinux }

// Limit needs Linux.
func Limit(context.Context, string, io.Writer) error { return errLinux }
