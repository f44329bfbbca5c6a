package edge_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"gamehall/edge"
	"gamehall/shared/authapi"
	"gamehall/shared/natstest"
)

// door is a client of programs: it sends objects and reads objects.
type door interface {
	send(object string)
	next() string
}

// frameClient speaks frames.
type frameClient struct {
	t  *testing.T
	nc net.Conn
	in *bufio.Reader
}

func framesTo(t *testing.T, e *edge.Edge) *frameClient {
	t.Helper()
	nc := dial(t, e.TCPAddr().String())
	return &frameClient{t: t, nc: nc, in: bufio.NewReader(nc)}
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	nc, err := new(net.Dialer).DialContext(natstest.Context(t), "tcp", addr)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return nc
}

func framed(object string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(object))), object...)
}

func (c *frameClient) send(object string) {
	c.t.Helper()
	c.write(framed(object))
}

func (c *frameClient) write(data []byte) {
	c.t.Helper()
	if _, err := c.nc.Write(data); err != nil {
		c.t.Fatalf("send %.80q: %v", data, err)
	}
}

// next reads an object.
func (c *frameClient) next() string {
	c.t.Helper()
	object, err := c.read()
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return object
}

func (c *frameClient) read() (string, error) {
	if err := c.nc.SetReadDeadline(time.Now().Add(natstest.Wait)); err != nil {
		return "", err
	}
	var size [4]byte
	if _, err := io.ReadFull(c.in, size[:]); err != nil {
		return "", err
	}
	object := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(c.in, object)
	return string(object), err
}

// rest reads what is told up to the end, which has to come.
func (c *frameClient) rest() []string {
	c.t.Helper()
	var all []string
	for {
		object, err := c.read()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				c.t.Fatalf("read after %q: %v, want the end", all, err)
			}
			return all
		}
		all = append(all, outcome(object))
	}
}

// wsClient speaks WebSocket, byte by byte of the test's own making.
type wsClient struct {
	t  *testing.T
	nc net.Conn
	in *bufio.Reader
}

func messagesTo(t *testing.T, e *edge.Edge) *wsClient {
	t.Helper()
	nc := dial(t, e.HTTPAddr().String())
	c := &wsClient{t: t, nc: nc, in: bufio.NewReader(nc)}
	if status, _ := handshake(t, nc, c.in, handshakeOf(e.HTTPAddr().String(), nil)); status != http.StatusSwitchingProtocols {
		t.Fatalf("handshake: status %d", status)
	}
	return c
}

// handshakeOf is a good handshake, changed by the test: a nil value leaves a header out.
func handshakeOf(host string, change map[string][]string) string {
	header := [][2]string{
		{"Host", host},
		{"Origin", "http://" + host},
		{"Upgrade", "websocket"},
		{"Connection", "Upgrade"},
		{"Sec-WebSocket-Version", "13"},
		{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
		{"Sec-WebSocket-Protocol", "hall.v1"},
	}
	var b strings.Builder
	line := "GET /ws HTTP/1.1"
	if l, ok := change[""]; ok {
		line = l[0]
	}
	b.WriteString(line + "\r\n")
	for _, h := range header {
		values, changed := change[h[0]]
		if !changed {
			values = []string{h[1]}
		}
		for _, v := range values {
			fmt.Fprintf(&b, "%s: %s\r\n", h[0], v)
		}
		delete(change, h[0])
	}
	for name, values := range change {
		for _, v := range values {
			if name != "" {
				fmt.Fprintf(&b, "%s: %s\r\n", name, v)
			}
		}
	}
	return b.String() + "\r\n"
}

func handshake(t *testing.T, nc net.Conn, in *bufio.Reader, request string) (status int, header http.Header) {
	t.Helper()
	if _, err := nc.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	if err := nc.SetReadDeadline(time.Now().Add(natstest.Wait)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("handshake: %v", err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		_ = resp.Body.Close()
	}
	return resp.StatusCode, resp.Header
}

// part is a frame as a client sends it, right or wrong.
type part struct {
	more    bool // not the last of its message
	rsv     byte
	op      ws.OpCode
	bare    bool   // not masked
	payload string // all of it
	length  []byte // the length as it is sent, in place of the right one
}

var maskKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

func (p part) bytes() []byte {
	first := p.rsv<<4 | byte(p.op)
	if !p.more {
		first |= 0x80
	}
	mask := byte(0x80)
	if p.bare {
		mask = 0
	}
	b := []byte{first}
	switch n := len(p.payload); {
	case p.length != nil:
		b = append(b, p.length[0]|mask)
		b = append(b, p.length[1:]...)
	case n < 126:
		b = append(b, byte(n)|mask)
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126|mask), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127|mask), uint64(n))
	}
	payload := []byte(p.payload)
	if !p.bare {
		b = append(b, maskKey[:]...)
		ws.Cipher(payload, maskKey, 0)
	}
	return append(b, payload...)
}

func text(payload string) part    { return part{op: ws.OpText, payload: payload} }
func pingOf(payload string) part  { return part{op: ws.OpPing, payload: payload} }
func pongOf(payload string) part  { return part{op: ws.OpPong, payload: payload} }
func closeOf(payload string) part { return part{op: ws.OpClose, payload: payload} }

// closeCode is a close with a code and a reason.
func closeCode(code int, reason string) part {
	return closeOf(string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason)
}

func (c *wsClient) send(object string) {
	c.t.Helper()
	c.write(text(object).bytes())
}

func (c *wsClient) write(data []byte) {
	c.t.Helper()
	if _, err := c.nc.Write(data); err != nil {
		c.t.Fatalf("send %.80q: %v", data, err)
	}
}

// next reads an object.
func (c *wsClient) next() string {
	c.t.Helper()
	op, payload, err := c.read()
	if err != nil || op != ws.OpText {
		c.t.Fatalf("read opcode %d, %q: %v", op, payload, err)
	}
	return payload
}

// read reads a frame, and refuses what no server may send.
func (c *wsClient) read() (ws.OpCode, string, error) {
	if err := c.nc.SetReadDeadline(time.Now().Add(natstest.Wait)); err != nil {
		return 0, "", err
	}
	h, err := ws.ReadHeader(c.in)
	if err != nil {
		return 0, "", err
	}
	if !h.Fin || h.Rsv != 0 || h.Masked || h.OpCode == ws.OpBinary || h.OpCode.IsControl() && h.Length > 125 {
		c.t.Errorf("the server sent %+v", h)
	}
	payload := make([]byte, h.Length)
	_, err = io.ReadFull(c.in, payload)
	return h.OpCode, string(payload), err
}

// until reads what is told up to the reply to the command z, or up to the end.
func (c *wsClient) until() []string {
	c.t.Helper()
	var all []string
	for {
		op, payload, err := c.read()
		switch {
		case errors.Is(err, io.EOF):
			return append(all, "end")
		case err != nil:
			c.t.Fatalf("read after %q: %v", all, err)
		case op == ws.OpText && strings.Contains(payload, `"re":"z"`):
			return all
		case op == ws.OpText:
			all = append(all, outcome(payload))
		case op == ws.OpClose:
			all = append(all, fmt.Sprintf("close %d", binary.BigEndian.Uint16([]byte(payload))))
		case op == ws.OpPong:
			all = append(all, "pong "+payload)
		default:
			c.t.Fatalf("opcode %d", op)
		}
	}
}

// outcome is what matters of an object: "ok", an error's code, or an event's kind with what
// it is about.
func outcome(object string) string {
	var o struct {
		Type   string
		OK     bool
		Error  struct{ Code string }
		Event  string
		Reason string
		Text   string
		User   string
		From   string
	}
	if err := json.Unmarshal([]byte(object), &o); err != nil {
		return "no object: " + object
	}
	switch {
	case o.Type == "reply" && o.OK:
		return "ok"
	case o.Type == "reply":
		return o.Error.Code
	}
	return strings.TrimSpace(o.Event + " " + o.Reason + o.Text + o.User)
}

// eachDoor runs a test through both doors of programs.
func eachDoor(t *testing.T, test func(t *testing.T, open func(*testing.T, *edge.Edge) door)) {
	t.Helper()
	t.Run("frames", func(t *testing.T) {
		t.Parallel()
		test(t, func(t *testing.T, e *edge.Edge) door { t.Helper(); return framesTo(t, e) })
	})
	t.Run("websocket", func(t *testing.T) {
		t.Parallel()
		test(t, func(t *testing.T, e *edge.Edge) door { t.Helper(); return messagesTo(t, e) })
	})
}

func wantOutcome(t *testing.T, d door, want string) {
	t.Helper()
	if got := d.next(); outcome(got) != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

// enter signs user in through a door.
func enter(t *testing.T, d door, user string) {
	t.Helper()
	d.send(`{"id":"in","type":"signin","username":"` + user + `","password":"123"}`)
	wantOutcome(t, d, "ok")
}

// Everybody hears the same, whatever the door.
func TestDoors(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	ann := h.signIn(t, "ann")
	bob := framesTo(t, h.edge)
	enter(t, bob, "bob")
	ann.want("system: bob joined the hall")
	cat := messagesTo(t, h.edge)
	enter(t, cat, "cat")
	ann.want("system: cat joined the hall")
	wantOutcome(t, bob, "joined cat")
	cat.send(`{"id":"2","type":"say","text":"hi"}`)
	ann.want("cat: hi")
	wantOutcome(t, bob, "chat hi")
	replied, heard := outcome(cat.next()), outcome(cat.next())
	if replied != "ok" || heard != "chat hi" {
		if replied != "chat hi" || heard != "ok" {
			t.Errorf("who said it got %q and %q", replied, heard)
		}
	}
	cat.write(closeCode(1000, "").bytes())
	if got := cat.until(); len(got) != 2 || got[0] != "close 1000" || got[1] != "end" {
		t.Errorf("after its close: %q", got)
	}
	if got := <-h.ends; got != "cat detached" {
		t.Errorf("the edge told auth %q, want that cat may come back", got)
	}
}

// A refusal names the command that it is of, as far as that could be read.
func TestRefusals(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	eachDoor(t, func(t *testing.T, open func(*testing.T, *edge.Edge) door) {
		for object, want := range map[string]string{
			`{"id":"7","type":"nope"}`:                              `{"type":"reply","re":"7","ok":false,"error":{"code":"unknown_command"`,
			`{"id":"7","type":"say","text":"hi"}`:                   `{"type":"reply","re":"7","ok":false,"error":{"code":"not_signed_in"`,
			`{"id":"7","type":"say","Text":"hi"}`:                   `{"type":"reply","re":"7","ok":false,"error":{"code":"bad_request"`,
			`{"id":"7","type":"say","text":"hi","text":"ho"}`:       `{"type":"reply","re":"7","ok":false,"error":{"code":"bad_request"`,
			`{"id":"7","type":"quit"}`:                              `{"type":"reply","re":"7","ok":false,"error":{"code":"unknown_command"`,
			`hello`:                                                 `{"type":"reply","re":"","ok":false,"error":{"code":"bad_request"`,
			`{"id":"7","type":"ping"}`:                              `{"type":"reply","re":"7","ok":true}`,
			strings.Repeat("[", 4096):                               `{"type":"reply","re":"","ok":false,"error":{"code":"bad_request"`,
			`{"id":"7","type":"history","limit":1e999}`:             `{"type":"reply","re":"7","ok":false,"error":{"code":"bad_request"`,
			`{"id":"7","type":"who","__proto__":{"admin":true}}`:    `{"type":"reply","re":"7","ok":false,"error":{"code":"bad_request"`,
			`{"id":"7","type":"who"} {"id":"8","type":"ping"}`:      `{"type":"reply","re":"7","ok":false,"error":{"code":"bad_request"`,
			`{"id":"` + strings.Repeat("7", 65) + `","type":"who"}`: `{"type":"reply","re":"","ok":false,"error":{"code":"bad_request"`,
		} {
			d := open(t, h.edge)
			d.send(object)
			if got := d.next(); !strings.HasPrefix(got, want) {
				t.Errorf("%.60s: %s, want %s", object, got, want)
			}
			d.send(`{"id":"8","type":"ping"}`)
			wantOutcome(t, d, "ok")
		}
	})
}

// Ten in a row that are no commands end the connection.
func TestNonsense(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	eachDoor(t, func(t *testing.T, open func(*testing.T, *edge.Edge) door) {
		d := open(t, h.edge)
		for range 10 {
			d.send(`{"type":"nope"}`)
			wantOutcome(t, d, "unknown_command")
		}
		wantOutcome(t, d, "closing protocol")
	})
}

// A silent client is closed between 30 and 33 s after its last byte; one that talks never, one
// whose command takes long neither; and a line client never.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	eachDoor(t, func(t *testing.T, open func(*testing.T, *edge.Edge) door) {
		h := start(t, nil)
		line := h.connect(t)
		line.send("/PING")
		line.want("system: pong")
		d := open(t, h.edge)
		before := time.Now()
		d.send(`{"id":"1","type":"ping"}`)
		wantOutcome(t, d, "ok")
		after := time.Now()
		for s := range 30 {
			h.edge.Sweep(before.Add(time.Duration(s+1) * time.Second))
		}
		d.send(`{"id":"1","type":"ping"}`) // it still stands
		wantOutcome(t, d, "ok")
		h.edge.Sweep(after.Add(30 * time.Second)) // it spoke since
		d.send(`{"id":"1","type":"ping"}`)
		wantOutcome(t, d, "ok")
		// The sweeper looks once a second: at the latest 31 s after the last byte it sees it.
		h.edge.SweepSilent(t, time.Now().Add(30*time.Second+time.Millisecond))
		wantOutcome(t, d, "closing heartbeat")
		h.edge.Sweep(time.Now().Add(59 * time.Second))
		line.quiet()
	})
}

// While its command is carried out a client is not silent, whatever it sends meanwhile is read
// afterwards.
func TestHeartbeatWhileBusy(t *testing.T) {
	t.Parallel()
	eachDoor(t, func(t *testing.T, open func(*testing.T, *edge.Edge) door) {
		busy, free := make(chan struct{}), make(chan struct{})
		h := startWith(t, &neighbours{onSay: func(context.Context, string) error {
			close(busy)
			<-free
			return nil
		}}, nil)
		d := open(t, h.edge)
		enter(t, d, "ann")
		d.send(`{"id":"1","type":"say","text":"hi"}`)
		<-busy
		h.edge.Sweep(time.Now().Add(50 * time.Second))
		close(free)
		for range 2 { // the reply and the line
			if got := d.next(); strings.Contains(got, "closing") {
				t.Fatalf("got %s", got)
			}
		}
		d.send(`{"id":"2","type":"ping"}`)
		wantOutcome(t, d, "ok")
	})
}

// A heartbeat is no command of anybody: whoever only sends those is away, and stays so.
func TestHeartbeatIsNoCommand(t *testing.T) {
	t.Parallel()
	eachDoor(t, func(t *testing.T, open func(*testing.T, *edge.Edge) door) {
		h := start(t, func(c *edge.Config) { c.AwayAfter = 10 * time.Second })
		d := open(t, h.edge)
		enter(t, d, "ann")
		ping := func() {
			t.Helper()
			d.send(`{"id":"1","type":"ping"}`)
			wantOutcome(t, d, "ok")
		}
		ping()
		h.edge.Sweep(time.Now().Add(10*time.Second + time.Millisecond))
		if got := <-h.away; got != "ann away" {
			t.Fatalf("auth was told %q", got)
		}
		ping()
		if len(h.away) != 0 {
			t.Fatalf("after a heartbeat auth was told %q", <-h.away)
		}
		d.send(`{"id":"2","type":"game21.status"}`)
		wantOutcome(t, d, "ok")
		if got := <-h.away; got != "ann alive" || len(h.away) != 0 {
			t.Errorf("auth was told %q", got)
		}
	})
}

// How long the silence was does not count as online time.
func TestHeartbeatEndsAtTheLastByte(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	spy, err := h.ns.Connect(t).SubscribeSync(string(authapi.Detach))
	if err != nil {
		t.Fatal(err)
	}
	d := framesTo(t, h.edge)
	before := time.Now()
	enter(t, d, "ann")
	after := time.Now()
	h.edge.SweepSilent(t, after.Add(31*time.Second))
	wantOutcome(t, d, "closing heartbeat")
	if err := d.nc.Close(); err != nil {
		t.Error(err)
	}
	msg, err := spy.NextMsgWithContext(natstest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	var req authapi.DetachRequest
	if err := json.Unmarshal(msg.Data, &req); err != nil {
		t.Fatal(err)
	}
	if req.Until.Before(before) || req.Until.After(after) {
		t.Errorf("it was detached as %+v, want the time of its last byte, %v to %v", req, before, after)
	}
}

func TestFrames(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	padded := func(n int) string { return ping + strings.Repeat(" ", n-len(ping)) }
	for name, tt := range map[string]struct {
		send []byte
		want []string
	}{
		"whole":                         {framed(ping), []string{"ok"}},
		"the longest":                   {framed(padded(4096)), []string{"ok"}},
		"one byte too long":             {framed(padded(4097)), []string{"closing protocol"}},
		"4097, nothing of it sent":      {[]byte{0, 0, 0x10, 0x01}, []string{"closing protocol"}},
		"length 0":                      {[]byte{0, 0, 0, 0}, []string{"closing protocol"}},
		"length 0x00ffffff":             {[]byte{0, 0xff, 0xff, 0xff}, []string{"closing protocol"}},
		"0xffffffff at first":           {[]byte{0xff, 0xff, 0xff, 0xff}, nil},
		"0x7fffffff at first":           {[]byte{0x7f, 0xff, 0xff, 0xff}, nil},
		"0xffffffff later":              {append(framed(ping), 0xff, 0xff, 0xff, 0xff), []string{"ok", "closing protocol"}},
		"0x7fffffff later":              {append(framed(ping), 0x7f, 0xff, 0xff, 0xff), []string{"ok", "closing protocol"}},
		"lines after frames":            {append(framed(ping), "/PING\n"...), []string{"ok", "closing protocol"}},
		"a hundred in one segment":      {bytes.Repeat(framed(ping), 100), slicesRepeat("ok", 100)},
		"chars in place of bytes":       {append(framed(ping), append(binary.BigEndian.AppendUint32(nil, 24), `{"id":"é","type":"ping"}`+"\x00\x00\x00\x17"+ping...)...), []string{"ok", "bad_request", "closing protocol"}},
		"invalid UTF-8":                 {framed("{\"type\":\"say\",\"text\":\"\xff\"}"), []string{"bad_request"}},
		"a NUL in place of an object":   {framed("\x00"), []string{"bad_request"}},
		"the object's first byte alone": {framed("{"), []string{"bad_request"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{len(tt.send), 1} {
				if size == 1 && len(tt.send) > 200 {
					continue
				}
				c := framesTo(t, h.edge)
				for rest := tt.send; len(rest) > 0; rest = rest[min(size, len(rest)):] {
					if _, err := c.nc.Write(rest[:min(size, len(rest))]); err != nil {
						break // refused already
					}
				}
				if n := len(tt.want); n == 0 || !strings.HasPrefix(tt.want[n-1], "closing") {
					if tcp, ok := c.nc.(*net.TCPConn); ok && n > 0 {
						_ = tcp.CloseWrite() // what was sent is answered all the same
					}
				}
				got := c.untilEnd()
				if fmt.Sprint(got) != fmt.Sprint(tt.want) {
					t.Errorf("in pieces of %d: %q, want %q", size, got, tt.want)
				}
			}
		})
	}
}

// untilEnd is rest for a connection that may be reset, since not all was read.
func (c *frameClient) untilEnd() []string {
	c.t.Helper()
	var all []string
	for {
		object, err := c.read()
		var late net.Error
		switch {
		case errors.As(err, &late) && late.Timeout():
			c.t.Fatalf("after %q the connection was not closed", all)
		case err != nil:
			return all
		}
		all = append(all, outcome(object))
	}
}

const ping = `{"id":"1","type":"ping"}`

func slicesRepeat(s string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}

// What has begun must end within 10 s, however slowly it comes; what has not may wait.
func TestBegunEnds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		open  func(*testing.T, *edge.Edge) door
		begin []byte
		more  []byte
	}{
		"a frame's length": {func(t *testing.T, e *edge.Edge) door { t.Helper(); return framesTo(t, e) }, []byte{0}, []byte{0}},
		"a frame's object": {func(t *testing.T, e *edge.Edge) door { t.Helper(); return framesTo(t, e) }, []byte{0, 0, 0, 10, '{'}, []byte{'"'}},
		"a header":         {func(t *testing.T, e *edge.Edge) door { t.Helper(); return messagesTo(t, e) }, text(ping).bytes()[:1], nil},
		"a payload":        {func(t *testing.T, e *edge.Edge) door { t.Helper(); return messagesTo(t, e) }, text(ping).bytes()[:10], text(ping).bytes()[10:11]},
		"a message": {
			func(t *testing.T, e *edge.Edge) door { t.Helper(); return messagesTo(t, e) },
			part{more: true, op: ws.OpText, payload: "{"}.bytes(), part{more: true, op: ws.OpContinuation, payload: `"`}.bytes(),
		},
		"a message with pings in it": {
			func(t *testing.T, e *edge.Edge) door { t.Helper(); return messagesTo(t, e) },
			part{more: true, op: ws.OpText, payload: "{"}.bytes(), pongOf("").bytes(),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := start(t, nil)
			d := tt.open(t, h.edge)
			write := func(b []byte) {
				t.Helper()
				before := h.edge.LastHeard()
				switch c := d.(type) {
				case *frameClient:
					c.write(b)
				case *wsClient:
					c.write(b)
				}
				natstest.Eventually(t, "it is read", func() bool { return h.edge.LastHeard().After(before) })
			}
			d.send(ping)
			wantOutcome(t, d, "ok")
			h.edge.Sweep(time.Now().Add(11 * time.Second)) // nothing has begun
			write(tt.begin)
			h.edge.Sweep(time.Now().Add(9 * time.Second))
			if h.edge.Closing() != 0 {
				t.Fatal("closed after 9 s")
			}
			if len(tt.more) > 0 {
				write(tt.more)
			}
			h.edge.Sweep(time.Now().Add(10*time.Second + 50*time.Millisecond))
			wantOutcome(t, d, "closing protocol")
		})
	}
}
