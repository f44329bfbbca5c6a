package main

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"

	"gamehall/shared/natstest"
)

// TestRefusalsLogged: what somebody without credentials may not do is their fault and no error
// of the hall's, and the key that stands for them says nothing to anybody.
func TestRefusalsLogged(t *testing.T) {
	t.Parallel()
	log := &natstest.Output{}
	n, err := startNATS(t.Context(), t.TempDir(), listen{"127.0.0.1", 0}, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.stop)
	c := connectTo(t, n.url())
	if permitted(t, c, func() error { return c.Publish("mine", nil) }) {
		t.Error("publishing is permitted")
	}
	if permitted(t, c, func() error { _, err := c.SubscribeSync("mine"); return err }) {
		t.Error("subscribing is permitted")
	}
	n.stop()
	text := log.String()
	for _, want := range []string{`level=WARN msg="nats refused what is not permitted"`, "Publish Violation", "Subscription Violation"} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in:\n%s", want, text)
		}
	}
	if regexp.MustCompile(`level=ERROR|U[A-Z2-7]{55}`).MatchString(text) {
		t.Errorf("an error or a key is logged:\n%s", text)
	}
}

// TestServerLog: the store that was not closed in order is no reason to worry, what is not
// known is.
func TestServerLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := &serverLog{log: slog.New(slog.NewTextHandler(&out, nil))}
	l.Warnf("Filestore [%s] Stream state outdated, last block has additional entries, will rebuild", "HALL_EVENTS")
	l.Warnf("Filestore [%s] Recovering stream state from index errored: %v", "KV_edges", errors.New("prior state file"))
	l.Warnf("Filestore [%s] Stream state detected prior state, could not locate msg block 1", "KV_whispers")
	l.Warnf("Filestore [%s] TTL state is outdated; attempting to recover using linear scan (seq 1 to 2)", "KV_edges")
	if text := out.String(); strings.Count(text, `level=INFO msg="nats recovers its store`) != 4 || !strings.Contains(text, "HALL_EVENTS") {
		t.Errorf("recovering is logged as:\n%s", text)
	}
	out.Reset()
	l.Warnf("Filestore [%s] Stream state checksum did not match", "HALL_EVENTS")
	l.Errorf("anything else")
	if text := out.String(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, "level=ERROR") {
		t.Errorf("faults are logged as:\n%s", text)
	}
}

// TestRecovery: after kill -9 nothing is logged that would frighten.
func TestRecovery(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := startHall(t, data, cheapHash...)
	v := p.signIn("netease1", "123")
	v.says("before")
	v.hears("netease1: before")
	p.kill()
	again := startHall(t, data, cheapHash...)
	again.signIn("netease1", "123").says("/QUIT")
	again.await(again.log, regexp.MustCompile(`msg="nats recovers its store`))
	if regexp.MustCompile(`level=(WARN|ERROR) .*part=nats`).MatchString(again.log.String()) {
		t.Errorf("it logs:\n%s", again.log)
	}
	again.stops(os.Interrupt)
}
