package proxy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo serves lines back until the test ends, and tells how each connection ended.
func echo(t *testing.T) (addr string, ends <-chan error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 16)
	done := make(chan struct{})
	t.Cleanup(func() { ln.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, err := io.Copy(c, c)
				over <- err
			}()
		}
	}()
	return ln.Addr().String(), over
}

func link(t *testing.T) (*Link, <-chan error) {
	t.Helper()
	addr, ends := echo(t)
	l, err := Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, ends
}

type talker struct {
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, l *Link) talker {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return talker{c, bufio.NewReader(c)}
}

func (c talker) say(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

func (c talker) hear(t *testing.T, want string) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	got, err := c.r.ReadString('\n')
	if err != nil || got != want+"\n" {
		t.Fatalf("heard %q, %v; want %q", got, err, want)
	}
}

// silent is that nothing comes for a moment.
func (c talker) silent(t *testing.T) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if got, err := c.r.ReadString('\n'); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("heard %q, %v; want silence", got, err)
	}
}

// TestHold holds bytes back, each way, and hands them over when that ends.
func TestHold(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		state State
	}{
		{"both", Held},
		{"up", State{Up: Direction{Hold: true}}},
		{"down", State{Down: Direction{Hold: true}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, _ := link(t)
			c := dial(t, l)
			c.say(t, "before")
			c.hear(t, "before")
			l.Set(tt.state)
			c.say(t, "held")
			c.silent(t)
			l.Heal()
			c.hear(t, "held")
		})
	}
}

// TestHoldNew keeps who connects into a partition waiting, without a word.
func TestHoldNew(t *testing.T) {
	t.Parallel()
	l, _ := link(t)
	l.Set(Held)
	c := dial(t, l)
	c.say(t, "hi")
	c.silent(t)
	l.Heal()
	c.hear(t, "hi")
}

// TestHoldEnd holds the end of a connection back, too: its peer does not learn of it.
func TestHoldEnd(t *testing.T) {
	t.Parallel()
	l, ends := link(t)
	c := dial(t, l)
	c.say(t, "hi")
	c.hear(t, "hi")
	l.Set(Held)
	c.Close()
	select {
	case err := <-ends:
		t.Fatalf("the target was told of the end during a partition: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	l.Heal()
	<-ends
}

func TestEnds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		end  func(*Link)
		want error
	}{
		{"cut", (*Link).Cut, io.EOF},
		{"reset", (*Link).Reset, syscall.ECONNRESET},
		{"close", func(l *Link) { l.Close() }, syscall.ECONNRESET},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, ends := link(t)
			c := dial(t, l)
			c.say(t, "hi")
			c.hear(t, "hi")
			tt.end(l)
			c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := c.r.ReadByte(); !errors.Is(err, tt.want) {
				t.Errorf("the end is told as %v, want %v", err, tt.want)
			}
			<-ends
		})
	}
}

func TestDeny(t *testing.T) {
	t.Parallel()
	l, _ := link(t)
	old := dial(t, l)
	old.say(t, "hi")
	old.hear(t, "hi")
	l.Set(State{Deny: true})
	c := dial(t, l)
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.r.ReadByte(); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
		t.Errorf("a denied connection ended with %v", err)
	}
	old.say(t, "still here")
	old.hear(t, "still here")
	if l.Carried() != 2 {
		t.Errorf("%d connections carried, want 2", l.Carried())
	}
}

// TestHalfClose carries the end of one direction and leaves the other.
func TestHalfClose(t *testing.T) {
	t.Parallel()
	l, _ := link(t)
	c := dial(t, l)
	c.say(t, "last words")
	c.Conn.(*net.TCPConn).CloseWrite()
	c.hear(t, "last words")
	if _, err := c.r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after the echo: %v", err)
	}
}

// TestWhole carries everything unchanged, in slices, slowly and late.
func TestWhole(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		d     Direction
		bytes int
		least time.Duration
	}{
		{"at once", Direction{}, 1 << 20, 0},
		{"byte by byte", Direction{Slice: 1}, 2000, 0},
		{"slowly", Direction{Rate: 10_000}, 2000, 150 * time.Millisecond},
		{"late", Direction{Delay: 50 * time.Millisecond}, 2000, 100 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, _ := link(t)
			l.Set(State{Up: tt.d, Down: tt.d})
			c := dial(t, l)
			sent := strings.Repeat("0123456789", tt.bytes/10)
			begun := time.Now()
			go func() {
				io.WriteString(c, sent)
				c.Conn.(*net.TCPConn).CloseWrite()
			}()
			c.SetReadDeadline(time.Now().Add(30 * time.Second))
			got, err := io.ReadAll(c.r)
			if err != nil || string(got) != sent {
				t.Errorf("%d bytes of %d came, or others: %v", len(got), len(sent), err)
			}
			if took := time.Since(begun); took < tt.least {
				t.Errorf("took %s, want at least %s", took, tt.least)
			}
		})
	}
}

// TestNobody resets who connects where no target is.
func TestNobody(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	l, err := Listen(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr())
	if err == nil { // the reset came after the handshake
		defer c.Close()
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
		t.Errorf("the connection ended with %v", err)
	}
}
