package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// pprofFlags let an operator look into the running program.
type pprofFlags struct {
	Pprof *listen `name:"pprof" placeholder:"ADDR" help:"Loopback address for go tool pprof, such as 127.0.0.1:6060 (off)." group:"Log"`
}

// check refuses an address that others can reach: a profile tells what players typed.
func (f pprofFlags) check() error {
	if f.Pprof != nil && !f.Pprof.loopback() {
		return wrongUse("--pprof %s: it must be loopback, such as 127.0.0.1:6060", f.Pprof)
	}
	return nil
}

// serve serves profiles until stop is called.
func (f pprofFlags) serve(ctx context.Context, log *slog.Logger) (stop func(), err error) {
	if f.Pprof == nil {
		return func() {}, nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", f.Pprof.String())
	if err != nil {
		return nil, unlistened("--pprof", *f.Pprof, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("pprof", "error", err)
		}
	}()
	log.Info("profiles", "url", fmt.Sprintf("http://%s/debug/pprof/", l.Addr()))
	return func() {
		_ = server.Close() // fails only when it is closed
		<-done
	}, nil
}
