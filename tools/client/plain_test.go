package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"gamehall/shared/event"
	"gamehall/shared/wire"
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// paper is output that can be read meanwhile.
type paper struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newPaper() *paper { return &paper{more: make(chan struct{})} }

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.more)
	p.more = make(chan struct{})
	return p.text.Write(b)
}

func (p *paper) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// await waits until the text holds what.
func (p *paper) await(t testing.TB, what string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		p.mu.Lock()
		text, more := p.text.String(), p.more
		p.mu.Unlock()
		if strings.Contains(text, what) {
			return
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("%q does not come, only:\n%s", what, text)
		}
	}
}

// piped is a client that runs as a pipe.
type piped struct {
	in       *io.PipeWriter
	out, err *paper
	ended    chan error
	stop     context.CancelFunc
}

func startPipe(t testing.TB, cfg Config) *piped {
	t.Helper()
	r, w := io.Pipe()
	p := &piped{in: w, out: newPaper(), err: newPaper(), ended: make(chan error, 1)}
	ctx, stop := context.WithCancel(t.Context())
	p.stop = stop
	go func() { p.ended <- Run(ctx, cfg, r, p.out, p.err) }()
	t.Cleanup(func() { _ = w.Close(); stop() })
	return p
}

func (p *piped) types(t testing.TB, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if _, err := io.WriteString(p.in, line+"\n"); err != nil {
			t.Fatal(err)
		}
	}
}

func (p *piped) end(t testing.TB) error {
	t.Helper()
	select {
	case err := <-p.ended:
		return err
	case <-time.After(patience):
		t.Fatalf("it does not end; out:\n%s\nerr:\n%s", p.out, p.err)
		return nil
	}
}

// unstamped takes the times off lines, each of which must have one.
func unstamped(t testing.TB, text string) []string {
	t.Helper()
	var all []string
	for line := range strings.Lines(text) {
		m := regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (.*)\n$`).FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("line %q has no time", line)
		}
		all = append(all, m[1])
	}
	return all
}

// TestPipe: a script talks, in the texts of the line dialect.
func TestPipe(t *testing.T) {
	t.Parallel()
	hall := newFakeHall()
	addr := hall.listen(t)
	script := "hello?\n/SIGNIN ann wrong\r\n/SIGNIN ann secret1\n/SIGNIN ann secret1\nhi\n//W is how\n/CREATEROOM  The Nook \n/CHATROOM in here\n" +
		"/W nobody psst\n/MEMBERS\n/QUITROOM\n/JOINROOM the nook\n/GETONLINETIME\n/21GAME 1+\n/DANCE\n\n" + strings.Repeat("x", 5000) + "\nbye"
	out, errOut := newPaper(), newPaper()
	if err := Run(t.Context(), Config{Addr: addr}, strings.NewReader(script), out, errOut); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(unstamped(t, out.String()), "\n")
	wanted := []string{
		"system: please sign in first",
		"system: wrong account or password",
		"system: welcome, ann",
		"system: can't sign in repeatedly",
		"ann: hi",
		"ann: /W is how",
		"system: you created and joined The Nook",
		"[The Nook] ann: in here",
		"system: nobody is offline",
		"[The Nook] system: 1 here: ann",
		"system: you left The Nook",
		"system: you joined The Nook",
		"system: your online time is 580 seconds",
		"system: round 7: your answer is 21",
		"system: unknown command, these are known:",
	}
	for _, u := range wire.Usage() {
		wanted = append(wanted, "system: "+u)
	}
	wanted = append(wanted,
		"system: the line is empty: say something, or type /HELP",
		"system: line too long (4096 bytes at most)",
		"ann: bye",
		"system: bye, ann",
	)
	if got != strings.Join(wanted, "\n") {
		t.Errorf("got\n%s\n\nwant\n%s", got, strings.Join(wanted, "\n"))
	}
	if errOut.String() != "" {
		t.Errorf("errors: %s", errOut)
	}
	want(t, "sign-outs", len(hall.commands(wire.SignOut)), 1)
}

// TestPipeHears: what others say comes without being asked for.
func TestPipeHears(t *testing.T) {
	t.Parallel()
	hall := newFakeHall()
	p := startPipe(t, Config{Addr: hall.listen(t), Plain: true})
	p.types(t, "/SIGNIN ann secret1")
	p.out.await(t, "welcome, ann")
	hall.tell("lobby", event.Event{Kind: event.Chat, From: "bob", Text: "hi \x1b[2J\u202e ann"})
	p.out.await(t, "bob: hi ?[2J? ann\n")
	hall.send(wire.Private{Kind: wire.KindWhisper, From: "bob", To: "ann", Text: "psst"})
	p.out.await(t, "(whisper) bob: psst\n")
	p.types(t, "/quit")
	if err := p.end(t); err != nil {
		t.Error(err)
	}
	if !strings.HasSuffix(p.out.String(), "system: bye, ann\n") {
		t.Errorf("it ends with\n%s", p.out)
	}
}

// TestPipeResumes: a broken connection is told on the side and costs no line.
func TestPipeResumes(t *testing.T) {
	t.Parallel()
	hall := newFakeHall()
	p := startPipe(t, Config{Addr: hall.listen(t)})
	p.types(t, "/SIGNIN ann secret1")
	p.out.await(t, "welcome, ann")
	hall.cut()
	hall.tell("lobby", event.Event{Kind: event.Chat, From: "bob", Text: "one"})
	p.types(t, "two")
	p.out.await(t, "ann: two\n")
	p.err.await(t, "connected again")
	_ = p.in.Close()
	if err := p.end(t); err != nil {
		t.Error(err)
	}
	got := unstamped(t, p.out.String())
	want(t, "lines", got, []string{"system: welcome, ann", "bob: one", "ann: two", "system: bye, ann"})
}

// TestPipeFails: the reasons to end with an error.
func TestPipeFails(t *testing.T) {
	t.Parallel()
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		for _, in := range []string{"hi\n", ""} {
			err = Run(t.Context(), Config{Addr: l.Addr().String()}, strings.NewReader(in), io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), "cannot connect") {
				t.Errorf("input %q: error %v", in, err)
			}
		}
	})
	t.Run("thrown out", func(t *testing.T) {
		t.Parallel()
		hall := newFakeHall()
		p := startPipe(t, Config{Addr: hall.listen(t)})
		p.types(t, "/SIGNIN ann secret1")
		p.out.await(t, "welcome, ann")
		hall.send(wire.Private{Kind: wire.KindClosing, Reason: wire.SignedInElsewhere})
		if err := p.end(t); err == nil || !strings.Contains(err.Error(), "signed_in_elsewhere") {
			t.Errorf("error %v", err)
		}
		p.out.await(t, "system: signed in elsewhere\n")
	})
	t.Run("session over", func(t *testing.T) {
		t.Parallel()
		hall := newFakeHall()
		p := startPipe(t, Config{Addr: hall.listen(t)})
		p.types(t, "/SIGNIN ann secret1")
		p.out.await(t, "welcome, ann")
		hall.locked(func() { hall.end(hall.sessions["ann"]) })
		hall.cut()
		if err := p.end(t); err == nil || !strings.Contains(err.Error(), "sign in again") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no hall", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				nc, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(nc, "HTTP/1.1 400 Bad Request\r\n\r\n")
				_ = nc.Close()
			}
		}()
		err = Run(t.Context(), Config{Addr: l.Addr().String()}, strings.NewReader("hi\n"), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "no hall answers here: this port speaks HTTP") {
			t.Errorf("a web server: %v", err)
		}
		err = Run(t.Context(), Config{Addr: "tls://" + l.Addr().String()}, strings.NewReader("hi\n"), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "does not speak TLS") {
			t.Errorf("TLS with a server without: %v", err)
		}
	})
	t.Run("a peer that hangs up", func(t *testing.T) {
		t.Parallel()
		hall := newFakeHall()
		hall.lose[wire.SignIn] = true
		err := Run(t.Context(), Config{Addr: hall.listen(t)}, strings.NewReader("/SIGNIN ann secret1\n"), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "hung up without a word") {
			t.Errorf("at the first command: %v", err)
		}
	})
	t.Run("no answer", func(t *testing.T) {
		t.Parallel()
		hall := newFakeHall()
		hall.lose[wire.Passwd] = true
		out := newPaper()
		in := "/SIGNIN ann secret1\n/PASSWD secret1 secret2\nhi\n"
		err := Run(t.Context(), Config{Addr: hall.listen(t)}, strings.NewReader(in), out, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "whether the last command was carried out is not known") {
			t.Errorf("error %v after\n%s", err, out)
		}
		if strings.Contains(out.String(), "ann: hi") {
			t.Errorf("it goes on after that:\n%s", out)
		}
	})
	t.Run("a refusal is an answer", func(t *testing.T) {
		t.Parallel()
		hall := newFakeHall()
		out := newPaper()
		err := Run(t.Context(), Config{Addr: hall.listen(t)}, strings.NewReader("/SIGNIN ann wrong\n"), out, io.Discard)
		if err != nil || !strings.Contains(out.String(), "wrong account or password") {
			t.Errorf("error %v after\n%s", err, out)
		}
	})
	t.Run("user without a terminal", func(t *testing.T) {
		t.Parallel()
		err := Run(t.Context(), Config{User: "ann"}, strings.NewReader("secret1\n"), io.Discard, io.Discard)
		if !errors.Is(err, ErrNoTerminal) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("nobody reads", func(t *testing.T) {
		t.Parallel()
		hall := newFakeHall()
		err := Run(t.Context(), Config{Addr: hall.listen(t)}, strings.NewReader("hi\nhi\n"), deafWriter{}, io.Discard)
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("error %v", err)
		}
	})
}

type deafWriter struct{}

func (deafWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestPipeInterrupted: an interrupt signs out, and ends well.
func TestPipeInterrupted(t *testing.T) {
	t.Parallel()
	hall := newFakeHall()
	p := startPipe(t, Config{Addr: hall.listen(t)})
	p.types(t, "/SIGNIN ann secret1")
	p.out.await(t, "welcome, ann")
	p.stop()
	if err := p.end(t); err != nil {
		t.Error(err)
	}
	p.out.await(t, "bye, ann")
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text, host string
		tls        bool
	}{
		{"", DefaultAddr, false},
		{"hall.example:99", "hall.example:99", false},
		{"hall.example", "hall.example:7021", false},
		{"tcp://127.0.0.1:1", "127.0.0.1:1", false},
		{"[::1]:7", "[::1]:7", false},
		{"::1", "[::1]:7021", false},
		{"tls://hall.example", "hall.example:7021", true},
		{"http://hall.example", "", false},
		{"tcp://", "", false},
		{"a b", "", false},
	} {
		a, err := parseAddress(tt.text, "")
		if (err != nil) != (tt.host == "") || a.host != tt.host || (a.tls != nil) != tt.tls {
			t.Errorf("%q: %+v, %v", tt.text, a, err)
		}
	}
	if _, err := parseAddress("localhost", "ca.pem"); err == nil {
		t.Error("--tls-ca without tls:// is taken")
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{empty, "nowhere.pem"} {
		if _, err := parseAddress("tls://localhost", file); err == nil {
			t.Errorf("--tls-ca %s is taken", file)
		}
	}
}

// TestTLS: the certificate is verified, against the authorities that were named.
func TestTLS(t *testing.T) {
	t.Parallel()
	web := httptest.NewUnstartedServer(nil)
	web.StartTLS()
	defer web.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	hall := newFakeHall()
	defer hall.stop()
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			hall.accept(nc)
		}
	}()
	out := newPaper()
	err = Run(t.Context(), Config{Addr: "tls://" + l.Addr().String(), TLSCA: ca}, strings.NewReader("/SIGNIN ann secret1\n"), out, io.Discard)
	if err != nil || !strings.Contains(out.String(), "welcome, ann") {
		t.Errorf("with the authority: %v, %s", err, out)
	}
	err = Run(t.Context(), Config{Addr: "tls://" + l.Addr().String()}, strings.NewReader("/SIGNIN ann secret1\n"), out, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without the authority: %v", err)
	}
	err = Run(t.Context(), Config{Addr: l.Addr().String()}, strings.NewReader("/SIGNIN ann secret1\n"), out, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "tls://") {
		t.Errorf("without TLS: %v", err)
	}
}
