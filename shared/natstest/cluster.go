package natstest

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/streams"
)

// Cluster is several servers of one JetStream cluster. As a provider of in-process
// connections it gives one to the first node that runs.
type Cluster struct {
	Nodes []*Server // each with a Dialer of its own, which knows only that node
}

// RunCluster starts n servers as one cluster, with everything that streams.Ensure declares
// on n replicas. n is odd: 3 is what a hall of several machines has. It takes some two
// seconds, which is why most tests use [Run].
func RunCluster(t testing.TB, n int) *Cluster {
	t.Helper()
	return ensured(t, RunBareCluster(t, n), n)
}

func ensured(t testing.TB, c *Cluster, n int) *Cluster {
	t.Helper()
	if err := streams.Ensure(Context(t), c.JetStream(t), streams.Options{Replicas: n}); err != nil {
		t.Fatalf("ensure streams: %v", err)
	}
	return c
}

// RunBareCluster starts n servers as one cluster with nothing in it.
func RunBareCluster(t testing.TB, n int) *Cluster {
	t.Helper()
	return runCluster(t, n, false)
}

func runCluster(t testing.TB, n int, durable bool) *Cluster {
	t.Helper()
	// The routes' ports must be known before the servers start, so another process may take
	// one in between: then all is tried again on other ports.
	for range 3 {
		c, err := tryCluster(t, n, durable)
		if err == nil {
			return c
		}
		t.Logf("start a cluster: %v", err)
	}
	t.Fatal("a cluster does not start")
	return nil
}

func tryCluster(t testing.TB, n int, durable bool) (*Cluster, error) {
	t.Helper()
	ports, err := freePorts(t, n)
	if err != nil {
		return nil, err
	}
	var routes []*url.URL
	for _, port := range ports {
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	}
	c := &Cluster{}
	for i, port := range ports {
		s := Absent(t)
		// Routes are opened only after a listener for clients, so there is one on any port.
		s.opts.DontListen, s.opts.Host, s.opts.Port = false, "127.0.0.1", server.RANDOM_PORT
		s.opts.SyncAlways = durable
		s.opts.ServerName = fmt.Sprintf("n%d", i+1)
		s.opts.Cluster = server.ClusterOpts{Name: "hall", Host: "127.0.0.1", Port: port, PoolSize: -1}
		s.opts.Routes = routes
		c.Nodes = append(c.Nodes, s)
		if _, err := s.launch(); err != nil {
			c.shutdown()
			return nil, err
		}
	}
	deadline := time.Now().Add(Wait)
	for _, s := range c.Nodes {
		if !s.srv.ReadyForConnections(time.Until(deadline)) {
			c.shutdown()
			return nil, errors.New("a node is not ready")
		}
	}
	Eventually(t, "a leader of the cluster", func() bool { return c.current() == n })
	return c, nil
}

// freePorts gives n ports that nobody listens on.
func freePorts(t testing.TB, n int) ([]int, error) {
	t.Helper()
	var ports []int
	var held []net.Listener // until all are known, so that no port is given twice
	defer func() {
		for _, l := range held {
			_ = l.Close() // nothing was written
		}
	}()
	for range n {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		held = append(held, l)
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			return nil, fmt.Errorf("%v is no TCP address", l.Addr())
		}
		ports = append(ports, addr.Port)
	}
	return ports, nil
}

// current counts the nodes that know a leader and have its state.
func (c *Cluster) current() int {
	n := 0
	for _, s := range c.Nodes {
		s.mu.Lock()
		if s.srv != nil && s.srv.JetStreamIsCurrent() {
			n++
		}
		s.mu.Unlock()
	}
	return n
}

func (c *Cluster) shutdown() {
	for _, s := range c.Nodes {
		s.shutdown()
	}
}

// InProcessConn connects to the first node that runs.
func (c *Cluster) InProcessConn() (net.Conn, error) {
	var errs []error
	for _, s := range c.Nodes {
		conn, err := s.InProcessConn()
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// Dialer connects to the first node that runs, and to another when that one stops.
func (c *Cluster) Dialer() bus.Dialer {
	return bus.Dialer{InProcess: c, Log: Quiet()}
}

// Connect gives a connection that ends with the test.
func (c *Cluster) Connect(t testing.TB) *nats.Conn {
	t.Helper()
	return connect(t, c.Dialer())
}

// JetStream gives JetStream on a connection of its own.
func (c *Cluster) JetStream(t testing.TB) jetstream.JetStream {
	t.Helper()
	return jetStream(t, c.Connect(t))
}

// Leader gives the index of the node that leads a stream, once there is one.
func (c *Cluster) Leader(t testing.TB, stream string) int {
	t.Helper()
	leader := -1
	Eventually(t, "a leader of "+stream, func() bool {
		for i, s := range c.Nodes {
			s.mu.Lock()
			leads := s.srv != nil && s.srv.JetStreamIsStreamLeader(server.DEFAULT_GLOBAL_ACCOUNT, stream)
			s.mu.Unlock()
			if leads {
				leader = i
			}
		}
		return leader >= 0
	})
	return leader
}

// StepDown makes the leader of a stream give up, and returns once another node leads. It is
// the planned loss of a leader and takes a quarter of a second; stopping the leader's node
// takes an election of four to nine.
func (c *Cluster) StepDown(t testing.TB, stream string) {
	t.Helper()
	before := c.Leader(t, stream)
	nc := c.Connect(t)
	if _, err := nc.RequestWithContext(Context(t), "$JS.API.STREAM.LEADER.STEPDOWN."+stream, nil); err != nil {
		t.Fatalf("step down: %v", err)
	}
	Eventually(t, "another leader of "+stream, func() bool { return c.Leader(t, stream) != before })
}
