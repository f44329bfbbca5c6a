package edge

import (
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gamehall/edge/web"
)

// stats are what /metrics shows.
type stats struct {
	registry    *prometheus.Registry
	accepted    atomic.Uint64
	connections prometheus.Gauge
	stalled     prometheus.Gauge
	refused     prometheus.Counter
	closed      *prometheus.CounterVec
	events      prometheus.Counter
	holes       prometheus.Counter
	gaps        prometheus.Counter
	dropped     prometheus.Counter
	poison      prometheus.Counter
	fenced      prometheus.Counter
	resumed     prometheus.Counter
}

func newStats() *stats {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "hall", Subsystem: "edge", Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "hall", Subsystem: "edge", Name: name, Help: help})
	}
	s := &stats{
		registry:    prometheus.NewRegistry(),
		connections: gauge("connections", "Connections that are open."),
		stalled:     gauge("stalled_connections", "Connections whose socket is full."),
		refused:     counter("refused_connections_total", "Connections closed at once by a limit."),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "hall", Subsystem: "edge", Name: "closed_connections_total", Help: "Connections the edge closed, by reason.",
		}, []string{"reason"}),
		events:  counter("events_total", "Events delivered to the channels of this edge."),
		holes:   counter("holes_total", "Holes in the live events, filled from the stream."),
		gaps:    counter("gaps_total", "Holes that could not be filled: no longer kept."),
		dropped: counter("dropped_live_events_total", "Live events that came faster than the edge took them; holes follow."),
		poison:  counter("poison_events_total", "Events that could not be read and were skipped."),
		fenced:  counter("fenced_total", "Leases lost: every session was let go."),
		resumed: counter("resumed_total", "Sessions that came back on another connection."),
	}
	s.registry.MustRegister(s.connections, s.stalled, s.refused, s.closed, s.events, s.holes, s.gaps, s.dropped, s.poison, s.fenced, s.resumed)
	return s
}

// newHTTP serves the web client at /, WebSocket at /ws, /healthz (the process answers),
// /readyz (clients can sign in and talk) and, for trusted addresses, /metrics.
func newHTTP(e *Edge) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		switch {
		case e.draining.Load():
			answer(w, http.StatusServiceUnavailable, "stopping")
		case !e.nc.IsConnected() || e.tenure.Load().check() != nil:
			answer(w, http.StatusServiceUnavailable, "nats cannot be reached")
		case e.stored.failing():
			answer(w, http.StatusServiceUnavailable, "nothing can be stored")
		default:
			answer(w, http.StatusOK, "ready")
		}
	})
	metrics := promhttp.HandlerFor(e.stats.registry, promhttp.HandlerOpts{})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		if !e.addresses.trusted(addrOf(r.RemoteAddr)) {
			answer(w, http.StatusForbidden, "metrics are for trusted addresses (--trusted-net)")
			return
		}
		metrics.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /ws", e.upgrade)
	mux.Handle("/", web.Handler())
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: lineWithin,
		ReadTimeout:       lineWithin,   // of a request, which has no body that is read
		WriteTimeout:      answerWithin, // neither counts for a WebSocket, which is taken over
		ConnState:         e.visit,
		ErrorLog:          slog.NewLogLogger(e.log.Handler(), slog.LevelDebug), // of what strangers do wrong
		MaxHeaderBytes:    headerMost - 4<<10,                                  // net/http reads 4 KiB more than it says
		IdleTimeout:       time.Minute,
	}
}

// visit counts the HTTP connections of each address, and closes those that are too many. A
// WebSocket's is counted with the lines' and frames' from its upgrade on.
func (e *Edge) visit(nc net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if !e.addresses.visit(nc) {
			e.stats.refused.Inc()
			_ = nc.Close() // nothing was said yet
		}
	case http.StateHijacked, http.StateClosed:
		e.addresses.unvisit(nc)
	case http.StateActive, http.StateIdle:
	}
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // the client has gone: nobody to tell
}
