package natstest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
)

// Example runs body with what a test would have, for an Example function, which gets no
// testing.TB: helpers of this package work, a failure is a panic, and everything is cleaned
// up in the end.
func Example(body func(t testing.TB)) {
	ctx, cancel := context.WithCancel(context.Background())
	t := &example{ctx: ctx}
	defer func() {
		cancel()
		for _, f := range slices.Backward(t.cleanups) {
			f()
		}
	}()
	body(t)
}

// example is as much of a testing.TB as an Example needs. What it lacks is nil, and panics.
type example struct {
	testing.TB
	ctx      context.Context
	cleanups []func()
}

func (e *example) Helper()                         {}
func (e *example) Cleanup(f func())                { e.cleanups = append(e.cleanups, f) }
func (e *example) Context() context.Context        { return e.ctx }
func (e *example) Fatal(args ...any)               { panic(fmt.Sprint(args...)) }
func (e *example) Fatalf(format string, a ...any)  { panic(fmt.Sprintf(format, a...)) }
func (e *example) Errorf(format string, a ...any)  { panic(fmt.Sprintf(format, a...)) }
func (e *example) Error(args ...any)               { panic(fmt.Sprint(args...)) }
func (e *example) Log(args ...any)                 { fmt.Fprintln(os.Stderr, args...) }
func (e *example) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// TempDir gives a folder that is gone in the end.
func (e *example) TempDir() string {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		e.Fatalf("temporary folder: %v", err)
	}
	e.Cleanup(func() { _ = os.RemoveAll(dir) }) // what is left is in the system's temporary folder
	return dir
}
