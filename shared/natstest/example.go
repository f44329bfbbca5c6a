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

// Helper does nothing: there is no line to blame.
func (e *example) Helper() {}

// Cleanup runs f in the end, the last one first.
func (e *example) Cleanup(f func()) { e.cleanups = append(e.cleanups, f) }

// Context ends just before the cleaning up.
func (e *example) Context() context.Context { return e.ctx }

// Fatal fails.
func (e *example) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// Fatalf fails.
func (e *example) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// Errorf fails at once: an Example has one thing to show.
func (e *example) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// Logf tells who runs the tests and nobody else: standard output is what is compared.
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
