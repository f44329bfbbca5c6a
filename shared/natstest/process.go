//go:build unix

package natstest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gamehall/shared/bus"
	"gamehall/shared/session"
	"gamehall/shared/streams"
)

// Processes is a cluster whose servers are processes of their own, which a test may kill and
// stop by signals; those of [Cluster] can only be asked to end, and then say goodbye.
//
// Each is the test's own program, which finds in its environment that it is to be a server.
// It ends with the test, however that ends.
type Processes struct {
	nodes []*node
}

// node is what a process is told of itself.
type node struct {
	Name    string
	Port    int // for clients
	Cluster int // for routes
	Routes  []int
	Store   string
	MaxFile uint64 // bytes; 0 is no limit

	cmd *exec.Cmd // nil while it does not run
}

const nodeEnv = "GAMEHALL_NATSTEST_NODE"

// init makes the test's program a server when it was started as one: it has no main of ours
// that could look.
func init() {
	text, ok := os.LookupEnv(nodeEnv)
	if !ok {
		return
	}
	var n node
	err := json.Unmarshal([]byte(text), &n)
	if err == nil {
		err = n.serve()
	}
	fmt.Fprintln(os.Stderr, "nats of a test:", err)
	os.Exit(1)
}

// serve is the server's process. It returns when it cannot start, and ends the process with
// its parent's.
func (n *node) serve() error {
	if n.MaxFile > 0 {
		signal.Ignore(syscall.SIGXFSZ) // the write fails, as on a full disk
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n.MaxFile, Max: n.MaxFile}); err != nil {
			return err
		}
	}
	opts := &server.Options{
		ServerName: n.Name, Host: "127.0.0.1", Port: n.Port, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: n.Store, SyncAlways: true, // as the hall runs it
	}
	if len(n.Routes) > 1 {
		opts.Cluster = server.ClusterOpts{Name: "hall", Host: "127.0.0.1", Port: n.Cluster, PoolSize: -1}
		for _, port := range n.Routes {
			opts.Routes = append(opts.Routes, &url.URL{Scheme: "nats-route", Host: fmt.Sprintf("127.0.0.1:%d", port)})
		}
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	srv.Start()
	if !srv.ReadyForConnections(Wait) {
		return errors.New("it is not ready")
	}
	if _, err := os.Stdout.WriteString("ready\n"); err != nil {
		return err
	}
	// The parent never writes: this ends with it.
	_, err = bufio.NewReader(os.Stdin).ReadByte()
	return err
}

// RunProcesses starts n servers as one cluster (or one without a cluster), with everything that streams.Ensure declares
// on n replicas. It takes some seconds.
func RunProcesses(t testing.TB, n int) *Processes {
	t.Helper()
	for range 3 { // another program may take a port before its server does
		p, err := tryProcesses(t, n)
		if err != nil {
			t.Logf("start a cluster: %v", err)
			continue
		}
		if err := streams.Ensure(Context(t), p.JetStream(t), streams.Options{Replicas: n}); err != nil {
			t.Fatalf("ensure streams: %v", err)
		}
		return p
	}
	t.Fatal("a cluster does not start")
	return nil
}

func tryProcesses(t testing.TB, n int) (*Processes, error) {
	t.Helper()
	ports, err := freePorts(t, 2*n)
	if err != nil {
		return nil, err
	}
	p := &Processes{}
	dir := t.TempDir()
	t.Cleanup(p.kill) // before the folder is removed
	for i := range n {
		name := fmt.Sprintf("n%d", i+1)
		p.nodes = append(p.nodes, &node{Name: name, Port: ports[i], Cluster: ports[n+i], Routes: ports[n:], Store: filepath.Join(dir, name)})
	}
	for _, n := range p.nodes {
		if err := n.start(); err != nil {
			p.kill()
			return nil, err
		}
	}
	return p, nil
}

// start starts the node and returns once it takes connections.
func (n *node) start() error {
	if n.cmd != nil {
		return fmt.Errorf("%s runs already", n.Name)
	}
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe) //nolint:noctx,gosec // this very program, which ends with the pipe to its standard input and is killed by signals
	cmd.Env = append(os.Environ(), nodeEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // stays open until Wait
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		_ = cmd.Process.Kill() // it may have ended
		return errors.Join(fmt.Errorf("%s does not start: %q %w", n.Name, line, err), cmd.Wait())
	}
	n.cmd = cmd
	return nil
}

func (n *node) kill() {
	if n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Kill() // SIGKILL, which a stopped process heeds, too
	_ = n.cmd.Wait()         // "signal: killed"
	n.cmd = nil
}

func (p *Processes) kill() {
	for _, n := range p.nodes {
		n.kill()
	}
}

// Kill kills nodes with SIGKILL. Their stores stay.
func (p *Processes) Kill(nodes ...int) {
	for _, i := range nodes {
		p.nodes[i].kill()
	}
}

// Start starts nodes that were killed, on the stores that they had.
func (p *Processes) Start(t testing.TB, nodes ...int) {
	t.Helper()
	for _, i := range nodes {
		if err := p.nodes[i].start(); err != nil {
			t.Fatalf("start again: %v", err)
		}
	}
}

// StartFull starts a node that was killed and whose files cannot grow beyond so many bytes:
// its disk is full.
func (p *Processes) StartFull(t testing.TB, i int, most uint64) {
	t.Helper()
	p.nodes[i].MaxFile = most
	defer func() { p.nodes[i].MaxFile = 0 }() // when it is started again
	p.Start(t, i)
}

// Freeze stops a node with SIGSTOP: its connections stand and it says nothing.
func (p *Processes) Freeze(t testing.TB, i int) {
	t.Helper()
	p.signal(t, i, syscall.SIGSTOP)
}

// Thaw lets a frozen node go on.
func (p *Processes) Thaw(t testing.TB, i int) {
	t.Helper()
	p.signal(t, i, syscall.SIGCONT)
}

func (p *Processes) signal(t testing.TB, i int, s syscall.Signal) {
	t.Helper()
	if err := p.nodes[i].cmd.Process.Signal(s); err != nil {
		t.Fatalf("%v to node %d: %v", s, i, err)
	}
}

// Dialer knows all the nodes, as a hall of several machines does.
func (p *Processes) Dialer() bus.Dialer {
	var urls []string
	for _, n := range p.nodes {
		urls = append(urls, n.url())
	}
	return bus.Dialer{URL: strings.Join(urls, ","), Log: Quiet()}
}

// DialerOf knows one of the nodes.
func (p *Processes) DialerOf(i int) bus.Dialer {
	return bus.Dialer{URL: p.nodes[i].url(), Log: Quiet(), Options: []nats.Option{nats.IgnoreDiscoveredServers()}}
}

func (n *node) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", n.Port) }

// Connect gives a connection to any of the nodes that ends with the test.
func (p *Processes) Connect(t testing.TB) *nats.Conn {
	t.Helper()
	return connect(t, p.Dialer())
}

// JetStream gives JetStream on a connection of its own.
func (p *Processes) JetStream(t testing.TB) jetstream.JetStream {
	t.Helper()
	return jetStream(t, p.Connect(t))
}

// SignIn is [Server.SignIn].
func (p *Processes) SignIn(t testing.TB, user, edge string) session.Record {
	t.Helper()
	return signIn(t, p.JetStream(t), user, edge)
}

// Leader gives the index of the node that leads a stream, once there is one.
func (p *Processes) Leader(t testing.TB, stream string) int {
	t.Helper()
	js := p.JetStream(t)
	leader := -1
	Eventually(t, "a leader of "+stream, func() bool {
		leader = -1
		var s jetstream.Stream
		err := streams.Retry(Context(t), func(ctx context.Context) (err error) {
			s, err = js.Stream(ctx, stream)
			return err
		})
		if err != nil {
			t.Fatalf("look at %s: %v", stream, err)
		}
		for i, n := range p.nodes {
			if c := s.CachedInfo().Cluster; c != nil && c.Leader == n.Name {
				leader = i
			}
		}
		return leader >= 0
	})
	return leader
}

// Lead makes a node the leader of every stream and bucket: to kill it then is the worst that
// the loss of one node can be.
func (p *Processes) Lead(t testing.TB, i int) {
	t.Helper()
	nc := p.Connect(t)
	for _, stream := range []string{streams.Events, streams.Game21, "KV_" + streams.Sessions, "KV_" + streams.Edges, "KV_" + streams.Schedule, "KV_" + streams.Whispers} {
		ask := fmt.Appendf(nil, `{"placement":{"preferred":%q}}`, p.nodes[i].Name)
		Eventually(t, "the leader of "+stream, func() bool {
			if p.Leader(t, stream) == i {
				return true
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := nc.RequestWithContext(ctx, "$JS.API.STREAM.LEADER.STEPDOWN."+stream, ask); err != nil {
				t.Logf("step down: %v", err) // it may be so already
			}
			return false
		})
	}
}
