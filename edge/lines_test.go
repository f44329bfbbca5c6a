package edge_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gamehall/edge"
	"gamehall/shared/natstest"
	"gamehall/shared/wire"
)

const tooLong = "system: line too long (4096 bytes at most)"

// A line of 4,096 bytes is a line; a longer one is refused once, and what follows it is read,
// however the bytes come.
func TestLongLines(t *testing.T) {
	t.Parallel()
	fits := strings.Repeat("x", wire.MaxLine)
	tests := []struct {
		name string
		send []string // segments
		want []string
	}{
		{"the longest", []string{fits + "\n"}, []string{"ann: " + fits}},
		{"the longest, CRLF", []string{fits + "\r\n"}, []string{"ann: " + fits}},
		{"the longest, its end alone", []string{fits, "\r", "\n"}, []string{"ann: " + fits}},
		{"one more", []string{fits + "x\n"}, []string{tooLong}},
		{"one more, CRLF", []string{fits + "x\r\n"}, []string{tooLong}},
		{"one more, its end alone", []string{fits + "x", "\n"}, []string{tooLong}},
		{"a CR is no end", []string{fits + "\rx\n"}, []string{tooLong}},
		{"much more", []string{strings.Repeat(fits, 5) + "\n"}, []string{tooLong}},
		{"with a line behind it, at once", []string{fits + "xxx\n/PING\n"}, []string{tooLong, "system: pong"}},
		{"with a line behind it, in the segment of its end", []string{fits + "xxx", "xxx\n/PING\n"}, []string{tooLong, "system: pong"}},
		{"two of them", []string{fits + "xxx\n" + fits + "xxx\n/PING\n"}, []string{tooLong, tooLong, "system: pong"}},
		{"with a line before it", []string{"/PING\n" + fits + "xxx\n"}, []string{"system: pong", tooLong}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := start(t, nil)
			ann := h.signIn(t, "ann")
			for _, segment := range tt.send {
				ann.write(segment)
			}
			ann.want(tt.want...)
			ann.quiet()
		})
	}
}

// A line without an end is closed after little of it was read: what is sent beyond that is in
// the kernel's buffers, which have no more than some MiB.
func TestEndlessLine(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann, eve := h.signIn(t, "ann"), h.connect(t)
	const buffers = 32 << 20
	block := []byte(strings.Repeat("x", 64<<10))
	sent := 0
	for ; sent < buffers; sent += len(block) {
		if _, err := eve.nc.Write(block); err != nil {
			break
		}
	}
	if sent >= buffers {
		t.Fatalf("%d bytes of a line were taken", sent)
	}
	ann.quiet()
}

// What is no text is refused, told to its sender, and seen by nobody else.
func TestNoTextIsRelayed(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	for i, line := range []string{
		"\xff", "a\xc0\xafb", "\xed\xa0\x80", "cut \xe4\xbd", "a\x00b", "\x1b[2J", "\x1b]52;c;aGk=\a", "a\rsystem: b", "\x7f",
		"a\u0085b", "a\u009bb", "a\u2028b", "a\u202eb", "a\u2066b", "a\vb", "a\tb",
	} {
		// A connection each: ten of them in ten seconds close one.
		eve := h.signIn(t, fmt.Sprint("eve", i))
		ann.want(fmt.Sprintf("system: eve%d joined the hall", i))
		eve.write(line + "\n")
		if got := eve.line(); !strings.HasPrefix(got, "system: the line ") {
			t.Errorf("%q got %q", line, got)
		}
		eve.send("fine")
		want := fmt.Sprintf("eve%d: fine", i)
		eve.want(want)
		ann.want(want)
		eve.send("/QUIT")
		ann.want(fmt.Sprintf("system: eve%d left the hall", i))
	}
}

// A line ends by LF or CRLF, in whatever pieces it comes.
func TestLineEnds(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	ann.write("one\r\ntwo\nthree\r")
	ann.write("\nfour\r\n")
	ann.want("ann: one", "ann: two", "ann: three", "ann: four")
	for i := range "five\r\n/PING\r\n" {
		ann.write("five\r\n/PING\r\n"[i : i+1])
	}
	lines := []string{ann.line(), ann.line()} // of the channel, and of its own
	slices.Sort(lines)
	if !slices.Equal(lines, []string{"ann: five", "system: pong"}) {
		t.Errorf("got %q", lines)
	}
}

// An urgent byte (as the seeds' clients send for a heartbeat) leaves the stream in step.
func TestUrgentByte(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	raw, err := ann.nc.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	ann.write("on")
	var sent error
	if err := raw.Control(func(fd uintptr) { sent = syscall.Sendto(int(fd), []byte("!"), syscall.MSG_OOB, nil) }); err != nil || sent != nil {
		t.Fatalf("send urgent data: %v, %v", err, sent)
	}
	ann.write("e\n")
	ann.want("ann: one")
}

// Many commands in one segment are carried out in their order, each answered.
func TestHundredCommandsAtOnce(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	var all strings.Builder
	for i := range 100 {
		fmt.Fprintf(&all, "line %d\n", i)
	}
	ann.write(all.String())
	for i := range 100 {
		ann.want(fmt.Sprintf("ann: line %d", i))
	}
	ann.write(strings.Repeat("/PING\n", 100))
	for range 100 {
		ann.want("system: pong")
	}
}

// Who floods and goes has said no more than its burst and what its rate allowed meanwhile.
func TestPipelinedFlood(t *testing.T) {
	t.Parallel()
	h := start(t, func(cfg *edge.Config) { cfg.Rate, cfg.Burst = 5, 20 })
	ann, eve := h.signIn(t, "ann"), h.signIn(t, "eve")
	ann.want("system: eve joined the hall")
	begun := time.Now()
	var all strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&all, "line %d\n", i)
	}
	eve.write(all.String())
	eve.reset()
	said := 0
	for line := ann.line(); line != "system: eve left the hall"; line = ann.line() {
		if line != fmt.Sprintf("eve: line %d", said) {
			t.Fatalf("got %q, want line %d", line, said)
		}
		said++
	}
	if most := 20 + int(6*time.Since(begun).Seconds()); said > most {
		t.Errorf("%d lines were said, want at most %d", said, most)
	}
}

// What a client sends beyond its rate waits, and is answered late.
func TestRate(t *testing.T) {
	t.Parallel()
	h := start(t, func(cfg *edge.Config) { cfg.Rate, cfg.Burst = 50, 5 })
	c := h.connect(t)
	begun := time.Now()
	c.write(strings.Repeat("/PING\n", 30))
	for range 30 {
		c.want("system: pong")
	}
	if took := time.Since(begun); took < 400*time.Millisecond {
		t.Errorf("30 commands took %v at 50 a second and a burst of 5", took)
	}
	// What is no command costs twice as much.
	begun = time.Now()
	for range 9 {
		c.send("/DANCE")
	}
	for range 9 * (len(wire.Usage()) + 1) {
		c.line()
	}
	if took := time.Since(begun); took < 200*time.Millisecond {
		t.Errorf("9 invalid commands took %v at 50 a second", took)
	}
}

// What speaks something else is closed at once, without a word that it could take for an
// answer.
func TestForeignProtocols(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	for _, first := range []string{
		"GET / HTTP/1.1\r\nHost: hall\r\n\r\n", "POST /say HTTP/1.1\r\n", "HEAD / HTTP/1.0\r\n\r\n", "PUT /", "DELETE /", "OPTIONS * HTTP/1.1\r\n",
		"CONNECT hall:443 HTTP/1.1\r\n", "TRACE / HTTP/1.1\r\n", "PATCH /", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "SSH-2.0-OpenSSH_9.9\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\x7fELF", "\x80\x2e\x01\x00\x02", "\xc0\xaf\n", "\xf5\n", "\xff\xfe/\x00P\x00", "\xff\xfb\x01",
	} {
		t.Run(fmt.Sprintf("%.8q", first), func(t *testing.T) {
			t.Parallel()
			h.connect(t).foreign(first)
		})
	}
	t.Run("byte by byte", func(t *testing.T) {
		t.Parallel()
		c := h.connect(t)
		for i := range "GET " {
			c.write("GET "[i : i+1])
		}
		c.wantEnd()
	})
}

// foreign sends what is not the hall's, and wants the end.
func (c *client) foreign(first string) {
	c.t.Helper()
	c.write(first)
	c.wantEnd()
}

// A line that begins like another protocol is a line, when it is not that protocol.
func TestAlmostForeign(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	for _, line := range []string{"G", "GE", "GETTING there", "get / http", "P", "SSH", "\xc3\xa9t\xc3\xa9", "\xf4\x8f\xbf\xbd"} {
		c := h.connect(t)
		c.send(line)
		c.want("system: please sign in first")
		// Once it is known what is spoken, anything may be said.
		c.send("GET / HTTP/1.1")
		c.want("system: please sign in first")
	}
}

// Usage errors, and what is told of them.
func TestUnknownCommands(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	for _, line := range []string{"/DANCE", "/", "／SIGNIN ann 123", " / "} {
		c := h.connect(t)
		c.send(line)
		if got := c.line(); !strings.HasPrefix(got, "system: unknown command") {
			t.Errorf("%q got %q", line, got)
		}
		for _, usage := range wire.Usage() {
			c.want("system: " + usage)
		}
		c.send("/SIGNIN ann")
		c.want("system: usage: /SIGNIN name password [TAKEOVER]")
		c.send(strings.Repeat(" ", 10_000))
		c.want(tooLong)
		c.quiet()
	}
}

// Ten invalid commands in ten seconds close the connection, with its session; nine do not.
func TestTooMuchNonsense(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	for range 9 {
		ann.send("\x01")
		ann.want("system: the line has a control character (U+0001)")
	}
	ann.quiet()
	ann.send("\x01")
	ann.want("system: the line has a control character (U+0001)", "system: closed, this is not what the hall speaks")
	ann.wantCleanEnd()
	h.ended(t, "ann")
}

// A line that is begun and not ended is given 10 s, however steadily its bytes come; a
// connection 60 s for its first command.
func TestSlowloris(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann, eve, mute := h.signIn(t, "ann"), h.connect(t), h.connect(t)
	eve.send("/PING")
	eve.want("system: pong")
	eve.write("/P")
	natstest.Eventually(t, "the line has begun", func() bool { return h.edge.Begun() == 1 })
	h.edge.Sweep(time.Now().Add(9 * time.Second))
	eve.write("IN")
	h.edge.Sweep(time.Now().Add(11 * time.Second))
	eve.want("system: closed, this is not what the hall speaks")
	eve.wantCleanEnd()
	h.edge.Sweep(time.Now().Add(59 * time.Second))
	h.edge.Sweep(time.Now().Add(61 * time.Second))
	mute.want("system: closed, nothing was typed for too long")
	mute.wantCleanEnd()
	ann.quiet() // who has asked something may be silent, and a line that ended is no offence
}

// A frame's length that cannot be closes the connection before anything is kept for it.
func TestFrameLengths(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	c := h.connect(t)
	c.write("\x00\x00\x00\x00")
	c.wantFrame(`"reason":"protocol"`)
	c.wantCleanEnd()
}

// wantFrame reads one frame that holds text.
func (c *client) wantFrame(text string) {
	c.t.Helper()
	if err := c.nc.SetReadDeadline(time.Now().Add(natstest.Wait)); err != nil {
		c.t.Fatal(err)
	}
	frame, err := wire.ReadFrame(c.in, wire.MaxServerFrame)
	if err != nil || !strings.Contains(string(frame), text) {
		c.t.Fatalf("got %q, %v; want %s", frame, err, text)
	}
}
