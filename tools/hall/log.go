package main

import (
	"fmt"
	"io"
	"log/slog"
	"sync"
)

// logFlags say what is logged, and how.
type logFlags struct {
	LogLevel  slog.Level `default:"info" placeholder:"LEVEL" help:"Least level that is logged: debug, info, warn or error (${default})." group:"Log"`
	LogFormat string     `default:"text" enum:"text,json" placeholder:"FORMAT" help:"text or json, to standard error (${default})." group:"Log"`
}

// logger logs to w.
func (f logFlags) logger(w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: f.LogLevel}
	if f.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// serverLog is what the embedded server logs through. What it calls notices is of use to
// who looks for a fault in NATS, not to who runs a hall. The server's own loggers end the
// process at a fatal error; this one keeps the first, and startNATS returns it.
type serverLog struct {
	log   *slog.Logger
	mu    sync.Mutex
	fatal error
}

// Noticef logs at debug level.
func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug("nats server", "says", fmt.Sprintf(format, v...))
}

// Warnf logs a warning.
func (l *serverLog) Warnf(format string, v ...any) {
	l.log.Warn("nats server", "says", fmt.Sprintf(format, v...))
}

// Errorf logs an error.
func (l *serverLog) Errorf(format string, v ...any) {
	l.log.Error("nats server", "says", fmt.Sprintf(format, v...))
}

// Fatalf keeps the error.
func (l *serverLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fatal == nil {
		l.fatal = fmt.Errorf(format, v...)
	}
}

// Debugf is never called: the server's debug output is off.
func (l *serverLog) Debugf(string, ...any) {}

// Tracef is never called: it would log payloads, and passwords are among them.
func (l *serverLog) Tracef(string, ...any) {}

func (l *serverLog) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}
