package check

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"

	"gamehall/tools/check/history"
)

// The spy tells which process was given a whisper, by what the processes log, and leaves out
// everything else.
func TestSpy(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "edge-1.log")
	text := "time=1 level=INFO msg=\"edge has its lease\" service=edge edge=first\n" +
		"time=2 level=INFO msg=\"all parts serve\" parts=edge\n" +
		"time=3 level=INFO msg=\"edge has its lease\" service=edge edge=second\n"
	if err := os.WriteFile(log, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h := &hall{order: []string{"auth-1", "edge-1"}, processes: map[string]*process{"edge-1": {name: "edge-1", log: log}}}
	var s spy
	for _, m := range []struct{ subject, data string }{
		{"hall.edge.second.whisper", `{"session":"s","from":"ann","to":"bob","text":"hi"}`},
		{"hall.edge.first.alive", `{"conn":"c"}`},
		{"hall.edge.third.whisper", `{"session":"s","from":"ann","to":"bob","text":"hi"}`}, // nobody's
		{"hall.edge.first.whisper", "nonsense"},
	} {
		s.hear(&nats.Msg{Subject: m.subject, Data: []byte(m.data)})
	}
	got, err := s.carried(h)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].T == 0 {
		t.Fatalf("heard %v", got)
	}
	got[0].T = 0
	if want := (history.Carried{Edge: "edge-1", To: "bob", Text: "hi"}); got[0] != want {
		t.Errorf("heard %v, want %v", got[0], want)
	}
}
