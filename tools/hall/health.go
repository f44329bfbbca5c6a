package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// healthWithin bounds the answer to a health check.
const healthWithin = 3 * time.Second

// healthCommand is hall health: what a container without a shell asks itself.
type healthCommand struct {
	URL string `arg:"" help:"Such as http://127.0.0.1:7080/readyz."`
}

// run fails unless the answer is 200.
func (c *healthCommand) run(ctx context.Context, out, _ io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, healthWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, http.NoBody)
	if err != nil {
		return wrongUse("%q is no URL such as http://127.0.0.1:7080/readyz", c.URL)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // what was read is all that is wanted
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", c.URL, resp.Status, text)
	}
	_, _ = fmt.Fprintf(out, "%s\n", text) // nobody may read it
	return nil
}

// readiness is what /readyz tells: that all parts of this process have started and none is to
// stop. One that fails is started again by the process itself, and needs nobody's help.
type readiness struct{ ready atomic.Bool }

// serve answers /healthz and /readyz at an address, or nowhere if there is none, until stop is
// called.
func (r *readiness) serve(ctx context.Context, at *listen, log *slog.Logger) (stop func(), err error) {
	if at == nil {
		return func() {}, nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", at.String())
	if err != nil {
		return nil, unlistened("--health", *at, err)
	}
	mux := http.NewServeMux()
	say := func(w http.ResponseWriter, status int, text string) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text+"\n") // who asked may be gone
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if r.ready.Load() {
			say(w, http.StatusOK, "ready")
		} else {
			say(w, http.StatusServiceUnavailable, "starting or stopping")
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: healthWithin}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("health", "error", err)
		}
	}()
	log.Info("health", "url", fmt.Sprintf("http://%s/readyz", l.Addr()))
	return func() {
		_ = server.Close() // fails only when it is closed
		<-done
	}, nil
}
