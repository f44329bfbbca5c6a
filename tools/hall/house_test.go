package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gamehall/shared/natstest"
)

// fake is a part that notes when it stops.
type fake struct {
	name  string
	takes time.Duration // to stop
	err   error
	mu    *sync.Mutex
	order *[]string
	ends  chan error
}

func (f fake) Failed() <-chan error { return f.ends }

func (f fake) Stop(ctx context.Context) error {
	select {
	case <-time.After(f.takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	*f.order = append(*f.order, f.name)
	return f.err
}

// TestStopOrder: nothing comes in any more before the services stop, and a part that hangs
// keeps nobody longer than was promised.
func TestStopOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		broken := errors.New("broken")
		h := house{log: natstest.Quiet()}
		for _, f := range []fake{
			{name: "auth", takes: time.Second},
			{name: "chat", err: broken},
			{name: "room", takes: time.Hour},
			{name: edgeName, takes: 2 * time.Second},
		} {
			f.mu, f.order = &mu, &order
			if err := h.start(t.Context(), part{f.name, func(context.Context) (running, error) { return f, nil }}); err != nil {
				t.Fatal(err)
			}
		}
		begun := time.Now()
		err := h.stop()
		if took := time.Since(begun); took > 4500*time.Millisecond {
			t.Errorf("stopping took %v", took)
		}
		if want := []string{edgeName, "chat", "auth"}; !slices.Equal(order, want) {
			t.Errorf("stopped in the order %v, want %v", order, want)
		}
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), "stop room") {
			t.Errorf("%v: want what broke, and that room did not stop", err)
		}
		if err := h.stop(); err != nil {
			t.Errorf("nothing is left to stop: %v", err)
		}
	})
}

// TestStartFails tells which part did not start.
func TestStartFails(t *testing.T) {
	t.Parallel()
	h := house{log: natstest.Quiet()}
	broken := errors.New("broken")
	err := h.start(t.Context(), part{"room", func(context.Context) (running, error) { return nil, broken }})
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "room: ") || len(h.open) != 0 {
		t.Errorf("%v with %d parts open", err, len(h.open))
	}
}

// TestPartFails: a part that serves no more by itself is stopped and started again, until that
// succeeds, and the others are left alone. What cannot be started does not keep the house.
func TestPartFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		note := func(what string) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, what)
		}
		h := house{log: natstest.Quiet()}
		ends := make(chan error, 1)
		tries := 0
		chat := part{"chat", func(context.Context) (running, error) {
			if tries++; tries == 2 || tries > 3 {
				return nil, errors.New("not yet")
			}
			note("chat starts")
			return fake{name: "chat stops", mu: &mu, order: &order, ends: ends}, nil
		}}
		room := part{"room", func(context.Context) (running, error) {
			return fake{name: "room stops", mu: &mu, order: &order}, nil
		}}
		for _, p := range []part{chat, room} {
			if err := h.start(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		kept := make(chan bool)
		go func() {
			defer close(kept)
			h.keep(ctx)
		}()
		ends <- errors.New("an endpoint fell behind")
		synctest.Wait()
		time.Sleep(time.Second) //nolint:forbidigo // the clock of synctest
		want := []string{"chat starts", "chat stops", "chat starts"}
		mu.Lock()
		if !slices.Equal(order, want) {
			t.Errorf("it went %q, want %q", order, want)
		}
		mu.Unlock()
		ends <- errors.New("once more")
		time.Sleep(time.Minute) //nolint:forbidigo // the clock of synctest
		cancel()
		<-kept
		if err := h.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
		if want = append(want, "chat stops", "room stops"); !slices.Equal(order, want) {
			t.Errorf("it went %q, want %q", order, want)
		}
	})
}
