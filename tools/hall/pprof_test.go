package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"gamehall/shared/natstest"
)

// TestPprof: profiles are served on loopback, until they are stopped.
func TestPprof(t *testing.T) {
	t.Parallel()
	if _, err := parsed(t, "up", "--pprof", "0.0.0.0:6060"); err == nil || !strings.Contains(err.Error(), "must be loopback") {
		t.Errorf("--pprof off loopback: %v", err)
	}
	var said strings.Builder
	stop, err := parsedUp(t, "--pprof", "127.0.0.1:0").pprofFlags.serve(t.Context(), logFlags{LogFormat: "text"}.logger(&said))
	if err != nil {
		t.Fatal(err)
	}
	_, url, _ := strings.Cut(strings.TrimSpace(said.String()), "url=")
	resp, err := http.Get(url + "heap?debug=1")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || !strings.HasPrefix(string(text), "heap profile") {
		t.Errorf("the heap's profile is %.40q (%v)", text, err)
	}
	stop()
	if resp, err := http.Get(url); err == nil {
		_ = resp.Body.Close()
		t.Error("it is still served")
	}
	if _, err := (pprofFlags{&listen{"127.0.0.1", -1}}).serve(t.Context(), natstest.Quiet()); err == nil {
		t.Error("an address where nobody can listen is no error")
	}
}
