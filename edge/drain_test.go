package edge_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"gamehall/edge"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
)

const restarts = "system: the hall restarts, please connect again in a moment"

// stop stops the edge and gives how that ended.
func (h *hall) stop(t *testing.T) <-chan error {
	t.Helper()
	ctx := natstest.Context(t)
	stopped := make(chan error, 1)
	go func() { stopped <- h.edge.Stop(ctx) }()
	return stopped
}

// An edge that is told to stop answers the command under way, begins none, tells everybody,
// ends the sessions, gives up its lease, and lets nobody in.
func TestStop(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan bool, 1), make(chan bool)
	n := &neighbours{}
	h := startWith(t, n, nil)
	ann, bob, stranger := h.signIn(t, "ann"), h.signIn(t, "bob"), h.connect(t)
	ann.want("system: bob joined the hall")
	stranger.quiet()
	n.onSay = func(context.Context, string) error {
		asked <- true
		<-answer
		return errors.New("told to nobody but its sender")
	}
	ann.send("under way")
	<-asked
	ann.send("not begun")
	id := h.edge.ID()
	stopped := h.stop(t)
	for _, c := range []*client{bob, stranger} {
		c.want(restarts)
		c.wantCleanEnd()
	}
	h.ended(t, "bob")
	if nc, err := new(net.Dialer).DialContext(natstest.Context(t), "tcp", h.edge.TCPAddr().String()); err == nil {
		nc.Close()
		t.Error("somebody could connect to an edge that stops")
	}
	select {
	case err := <-stopped:
		t.Fatalf("stopped with a command under way: %v", err)
	default:
	}
	close(answer)
	for {
		line := ann.line()
		if line == restarts {
			t.Fatal("the command under way was not answered")
		}
		if line == "system: something went wrong on our side, please try again" {
			break
		}
	}
	ann.want(restarts)
	ann.wantCleanEnd()
	h.ended(t, "ann")
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
	kv, err := h.js.KeyValue(natstest.Context(t), streams.Edges)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Get(natstest.Context(t), id); err == nil {
		t.Error("the lease was not given up")
	}
}

// Clients that do not go do not keep the edge: they have a second for its last words.
func TestStopWaitsForNobody(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	for range 20 {
		h.connect(t).quiet()
	}
	h.signIn(t, "ann").quiet()
	begun := time.Now()
	if err := <-h.stop(t); err != nil {
		t.Errorf("stop: %v", err)
	}
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("stopping took %v", took)
	}
}

// Beyond its time an edge cuts off what is under way, and says so.
func TestStopCutsOff(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan bool, 1), make(chan bool)
	n := &neighbours{}
	h := startWith(t, n, nil)
	ann := h.signIn(t, "ann")
	n.onSay = func(context.Context, string) error {
		asked <- true
		<-answer
		return nil
	}
	defer close(answer)
	h.spoiled = true
	ann.send("never answered")
	<-asked
	ended, end := context.WithCancel(t.Context())
	end()
	if err := h.edge.Stop(ended); err == nil {
		t.Error("stopped without a word of what was cut off")
	}
	ann.wantCut()
}

// wantCut reads to the end, whatever it is.
func (c *client) wantCut() {
	c.t.Helper()
	if err := c.nc.SetReadDeadline(time.Now().Add(natstest.Wait)); err != nil {
		c.t.Fatal(err)
	}
	for {
		_, err := c.in.ReadString('\n')
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			c.t.Fatal("the connection was not closed")
		}
		if err != nil {
			return
		}
	}
}

// While it stops, connections and sessions come and go: nothing is left behind.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	var crowd sync.WaitGroup
	for _, user := range []string{"ann", "bob", "cat", "dan"} {
		crowd.Go(func() {
			for {
				nc, err := new(net.Dialer).DialContext(t.Context(), "tcp", h.edge.TCPAddr().String())
				if err != nil {
					return // the port is closed
				}
				_, _ = nc.Write([]byte("/SIGNIN " + user + " 123\nhi\n/SIGNOUT\n"))
				_ = nc.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
				_, _ = io.Copy(io.Discard, nc)
				_ = nc.Close()
			}
		})
	}
	watcher := h.signIn(t, "eve")
	for line := watcher.line(); line != "ann: hi"; {
		line = watcher.line()
	}
	if err := <-h.stop(t); err != nil {
		t.Errorf("stop: %v", err)
	}
	crowd.Wait()
	keys, err := h.kv.Keys(natstest.Context(t))
	if err == nil && len(keys) > 0 {
		t.Errorf("sessions are left: %v", keys)
	}
}

// A port that is taken is told at once, and nothing is left behind.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	for _, change := range []func(*edge.Config){
		func(cfg *edge.Config) { cfg.TCP = h.edge.TCPAddr().String() },
		func(cfg *edge.Config) { cfg.HTTP = h.edge.HTTPAddr().String() },
	} {
		cfg := edge.Config{NATS: h.ns.Dialer(), TrustedNets: []netip.Prefix{}, Log: natstest.Quiet()}
		change(&cfg)
		if e, err := edge.Start(natstest.Context(t), cfg); err == nil {
			_ = e.Stop(natstest.Context(t))
			t.Error("an edge started on a port that is taken")
		}
	}
}

// Start waits for NATS, and gives up with its context.
func TestStartWaitsForNATS(t *testing.T) {
	t.Parallel()
	ns := natstest.Absent(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if e, err := edge.Start(ctx, edge.Config{NATS: ns.Dialer(), Log: natstest.Quiet()}); err == nil {
		_ = e.Stop(natstest.Context(t))
		t.Fatal("an edge started without NATS")
	}
	type started struct {
		e   *edge.Edge
		err error
	}
	done := make(chan started, 1)
	go func() {
		e, err := edge.Start(natstest.Context(t), edge.Config{NATS: ns.Dialer(), Log: natstest.Quiet()})
		done <- started{e, err}
	}()
	ns.Start(t)
	got := <-done
	if got.err != nil {
		t.Fatalf("start: %v", got.err)
	}
	if err := got.e.Stop(natstest.Context(t)); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// Run serves until its context ends, and drains.
func TestRun(t *testing.T) {
	t.Parallel()
	ns := natstest.Run(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- edge.Run(ctx, edge.Config{NATS: ns.Dialer(), Log: natstest.Quiet()}) }()
	kv, err := ns.JetStream(t).KeyValue(natstest.Context(t), streams.Edges)
	if err != nil {
		t.Fatal(err)
	}
	natstest.Eventually(t, "a lease", func() bool {
		keys, err := kv.Keys(natstest.Context(t))
		return err == nil && len(keys) == 1
	})
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
}
