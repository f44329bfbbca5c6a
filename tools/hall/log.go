package main

import (
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
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
	log    *slog.Logger
	anyone string // the key of who gives no credentials, if they may connect
	mu     sync.Mutex
	fatal  error
}

// Noticef logs at debug level.
func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug("nats server", "says", fmt.Sprintf(format, v...))
}

// Warnf logs a warning. That the store was not closed in order is none: everything which was
// acknowledged is there, and the server reads it anew.
func (l *serverLog) Warnf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if strings.Contains(text, "state outdated") || strings.Contains(text, "state is outdated") || strings.Contains(text, "prior state") {
		l.log.Info("nats recovers its store, as it was not stopped in order", "says", text)
		return
	}
	if strings.HasPrefix(text, "Waiting for routing") || strings.HasPrefix(text, "JetStream has not established contact") {
		l.log.Debug("nats server", "says", text) // of a cluster that starts
		return
	}
	l.log.Warn("nats server", "says", text)
}

// Errorf logs an error. That somebody may not do something is theirs, not ours.
func (l *serverLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if strings.Contains(text, "Publish Violation") || strings.Contains(text, "Subscription Violation") {
		l.log.Warn("nats refused what is not permitted", "says", l.who(text))
		return
	}
	if strings.HasPrefix(text, "Error trying to connect to route") {
		l.log.Warn("another server of the cluster cannot be reached, trying on", "says", text)
		return
	}
	l.log.Error("nats server", "says", text)
}

// who names who gave no credentials in what the server says: it knows them by a key that it
// was given for them.
func (l *serverLog) who(text string) string {
	return nkey.ReplaceAllStringFunc(text, func(match string) string {
		if l.anyone != "" && strings.Contains(match, l.anyone) {
			return "nobody"
		}
		return match
	})
}

// nkey is how the server names who has a key.
var nkey = regexp.MustCompile(`(?i)nkey[: ]"?U[A-Z2-7]{55}"?`)

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
