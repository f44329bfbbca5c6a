package load

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// serve runs a server of this package until the test ends, and gives it as a target.
func serve(t *testing.T, name string, run func(context.Context, string, io.Writer) error) *target {
	t.Helper()
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, "127.0.0.1:0", in) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	text := make([]byte, 100)
	n, err := out.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimSpace(strings.TrimPrefix(string(text[:n]), "listening "))
	return &target{name: name, address: address, dialect: Bare, pids: Processes{os.Getpid()}}
}

// newTestFleet is a fleet whose clients are in.
func newTestFleet(t *testing.T, s *target, clients int) *fleet {
	t.Helper()
	f, err := newFleet(s.address, s.dialect, newMarker(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.close)
	if err := f.enter(t.Context(), clients, entry{password: password}, func(int) {}); err != nil {
		t.Fatal(err)
	}
	return f
}

// Each server tells every client every line, in a closed and in an open loop.
func TestServers(t *testing.T) {
	t.Parallel()
	servers := []struct {
		name string
		run  func(context.Context, string, io.Writer) error
	}{{relayName, Relay}, {hopsName, HopsRelay}, {limitName, Limit}}
	specs := []struct {
		name string
		spec spec
	}{
		{name: "window", spec: spec{mode: FanOut, senders: 4, window: 16, warm: 50 * time.Millisecond, long: 200 * time.Millisecond}},
		{name: "one line", spec: spec{mode: FanOut, senders: 4, window: 1, warm: 50 * time.Millisecond, long: 200 * time.Millisecond}},
		{name: "rate", spec: spec{mode: Latency, senders: 4, rate: 200, warm: 50 * time.Millisecond, long: 200 * time.Millisecond}},
	}
	for _, tt := range servers {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, tt.name, tt.run)
			f := newTestFleet(t, s, 50)
			for _, sp := range specs {
				r, err := f.run(t.Context(), s, sp.spec)
				if err != nil {
					t.Fatalf("%s: %v", sp.name, err)
				}
				if err := r.Faults.Err(); err != nil {
					t.Errorf("%s: %v", sp.name, err)
				}
				if r.Lines == 0 || r.Deliveries == 0 || r.P50 <= 0 || r.Clients != 50 {
					t.Errorf("%s: %+v", sp.name, r)
				}
			}
		})
	}
}

// A reading is taken between two lines: it takes so long that a line would be late, and count.
func TestPause(t *testing.T) {
	t.Parallel()
	f := newTestFleet(t, serve(t, relayName, Relay), 2)
	f.channel.begin(nextMarker())
	if f.pause(readFor - 1) {
		t.Error("it reads although a line is due")
	}
	if !f.pause(readFor) {
		t.Error("it does not read although nothing is due")
	}
	f.say(0, f.since())
	if f.pause(readFor) {
		t.Error("it reads although a line is on its way")
	}
}
