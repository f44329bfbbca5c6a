package cluster

import (
	"context"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
)

// program is where one of TestMain's programs is.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func notify() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), syscall.SIGTERM)
}
