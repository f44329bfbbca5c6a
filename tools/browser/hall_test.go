//go:build browser

package browser

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gamehall/shared/natstest"
)

// patience bounds each wait: a browser on a busy machine is slow.
const patience = 30 * time.Second

// build builds the program once for all tests.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "hall-browser-")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "hall")
	out, err := exec.Command("go", "build", "-o", binary, "../hall").CombinedOutput()
	if err != nil {
		return "", errors.Join(err, errors.New(string(out)))
	}
	return binary, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if binary, err := build(); err == nil {
		_ = os.RemoveAll(filepath.Dir(binary)) // a temporary folder
	}
	os.Exit(code)
}

// hall is the program, running behind a proxy.
type hall struct {
	t     *testing.T
	data  string
	args  []string
	proxy *proxy
	url   string // of the proxy: where the browser goes
	tcp   string // where lines are spoken
	cmd   *exec.Cmd
	log   *natstest.Output
	ended chan struct{}
}

// startHall runs hall up on free ports. It ends with the test.
func startHall(t *testing.T, args ...string) *hall {
	t.Helper()
	h := &hall{t: t, data: t.TempDir(), args: args, proxy: startProxy(t)}
	h.url = "http://" + h.proxy.addr()
	h.start()
	t.Cleanup(func() {
		_ = h.cmd.Process.Kill() // fails when it has ended
		<-h.ended
		if t.Failed() {
			t.Logf("the hall logged:\n%s", h.log)
		}
	})
	return h
}

var (
	talkLine = regexp.MustCompile(`(?m)^  talk     nc (\S+) (\d+) `)
	webLine  = regexp.MustCompile(`(?m)^  web      http://(\S+)$`)
)

// start starts the program and waits until it is open.
func (h *hall) start() {
	h.t.Helper()
	binary, err := build()
	if err != nil {
		h.t.Fatalf("build the hall: %v", err)
	}
	out := &natstest.Output{}
	h.log, h.ended = &natstest.Output{}, make(chan struct{})
	h.cmd = exec.Command(binary, append([]string{
		"up", "--data", h.data, "--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0",
	}, h.args...)...)
	h.cmd.Stdout, h.cmd.Stderr = out, h.log
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	cmd, ended := h.cmd, h.ended
	go func() {
		defer close(ended)
		_ = cmd.Wait() // that it ended too early is seen below, with what it wrote
	}()
	deadline := time.After(patience)
	for {
		text, more := out.Text()
		if found := webLine.FindStringSubmatch(text); found != nil {
			h.proxy.to(found[1])
			if talk := talkLine.FindStringSubmatch(text); talk != nil {
				h.tcp = net.JoinHostPort(talk[1], talk[2])
			}
			return
		}
		select {
		case <-more:
		case <-h.ended:
			h.t.Fatalf("the hall ended:\n%s%s", out, h.log)
		case <-deadline:
			h.t.Fatalf("the hall does not open:\n%s%s", out, h.log)
		}
	}
}

// stop is SIGTERM. start runs the hall again, on the same data and another port.
func (h *hall) stop() {
	h.t.Helper()
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		h.t.Fatal(err)
	}
	select {
	case <-h.ended:
	case <-time.After(patience):
		h.t.Fatal("SIGTERM does not stop the hall")
	}
}

// terminal is a player without a browser.
type terminal struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Scanner
}

// dial connects to where lines are spoken, and says some.
func dial(t *testing.T, addr string, lines ...string) *terminal {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	p := &terminal{t: t, conn: conn, in: bufio.NewScanner(conn)}
	for _, line := range lines {
		p.says(line)
	}
	return p
}

func (p *terminal) says(line string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.conn, line); err != nil {
		p.t.Fatal(err)
	}
}

// hears waits until each of these was part of a line.
func (p *terminal) hears(parts ...string) {
	p.t.Helper()
	if err := p.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	for len(parts) > 0 {
		if !p.in.Scan() {
			p.t.Fatalf("waiting for %q: %v", parts, p.in.Err())
		}
		parts = slices.DeleteFunc(parts, func(part string) bool { return strings.Contains(p.in.Text(), part) })
	}
}

// proxy passes TCP on, and can cut what it passes.
type proxy struct {
	t      *testing.T
	listen net.Listener
	wg     sync.WaitGroup

	mu     sync.Mutex
	target string
	closed bool          // to new connections
	frozen chan struct{} // closed when bytes pass; nil is the same
	muted  bool          // only what goes to browsers waits
	conns  map[net.Conn]bool
}

func startProxy(t *testing.T) *proxy {
	t.Helper()
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, listen: listen, conns: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = listen.Close()
		p.mend()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.listen.Addr().String() }

func (p *proxy) to(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target, p.closed = target, false
}

// cut ends all connections, without a word, and takes no new ones until mend.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for conn := range p.conns {
		_ = conn.Close() // it is one of two that end together
	}
}

func (p *proxy) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = false
	if p.frozen != nil {
		close(p.frozen)
		p.frozen, p.muted = nil, false
	}
}

// freeze keeps connections, and passes nothing until mend: a cable that was pulled.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = make(chan struct{})
}

// mute passes what browsers send, and no answer until mend: what was sent arrives, and who
// sent it does not know.
func (p *proxy) mute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen, p.muted = make(chan struct{}), true
}

// side is one end of what is passed, where bytes wait while the proxy is frozen.
type side struct {
	net.Conn
	p       *proxy
	browser bool
}

func (s side) Write(b []byte) (int, error) {
	s.p.mu.Lock()
	frozen := s.p.frozen
	if s.p.muted && !s.browser {
		frozen = nil
	}
	s.p.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
	return s.Conn.Write(b)
}

func (p *proxy) accept() {
	for {
		client, err := p.listen.Accept()
		if err != nil {
			return // the test is over
		}
		p.wg.Go(func() { p.pass(client) })
	}
}

func (p *proxy) pass(client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	target, open := p.target, !p.closed
	p.mu.Unlock()
	if !open {
		return
	}
	server, err := net.Dial("tcp", target)
	if err != nil {
		return // the hall restarts
	}
	defer server.Close()
	if !p.hold(client, server) {
		return
	}
	defer p.letGo(client, server)
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		both.Go(func() {
			_, _ = io.Copy(side{way[0], p, way[0] == client}, way[1]) // it ends when either side does
			_ = way[0].Close()
			_ = way[1].Close()
		})
	}
	both.Wait()
}

func (p *proxy) hold(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		p.conns[conn] = true
	}
	return !p.closed
}

func (p *proxy) letGo(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		delete(p.conns, conn)
	}
}
