package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"gamehall/shared/wire"
)

// program is a client that speaks objects, through one of the doors.
type program struct {
	t      testing.TB
	nc     net.Conn
	in     *bufio.Reader
	socket bool // WebSocket
}

// doors are how a program may come in.
var doors = map[string]func(t testing.TB, h hallAt) *program{
	"frames":    func(t testing.TB, h hallAt) *program { t.Helper(); return dialFrames(t, h.tcp) },
	"websocket": func(t testing.TB, h hallAt) *program { t.Helper(); return dialSocket(t, h.http) },
}

func dialFrames(t testing.TB, addr string) *program {
	t.Helper()
	nc, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return &program{t: t, nc: nc, in: bufio.NewReader(nc)}
}

func dialSocket(t testing.TB, addr string) *program {
	t.Helper()
	d := ws.Dialer{Protocols: []string{"hall.v1"}, Header: ws.HandshakeHeaderHTTP(http.Header{"Origin": {"http://" + addr}})}
	nc, early, _, err := d.Dial(t.Context(), "ws://"+addr+"/ws")
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	if early == nil {
		early = bufio.NewReader(nc)
	}
	return &program{t: t, nc: nc, in: early, socket: true}
}

// send sends an object; false when the connection has ended.
func (p *program) send(object []byte) bool {
	p.t.Helper()
	data := wire.AppendFrame(nil, object)
	if p.socket {
		var b bytes.Buffer
		if err := ws.WriteFrame(&b, ws.MaskFrame(ws.NewTextFrame(bytes.Clone(object)))); err != nil {
			p.t.Fatal(err)
		}
		data = b.Bytes()
	}
	_, err := p.nc.Write(data)
	return err == nil
}

// next reads an object; ok is false when the connection has ended.
func (p *program) next() (object []byte, ok bool) {
	p.t.Helper()
	if err := p.nc.SetReadDeadline(time.Now().Add(lineWait)); err != nil {
		return nil, false
	}
	object, err := p.read()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Fatal("nothing comes")
	}
	return object, err == nil
}

func (p *program) read() ([]byte, error) {
	if !p.socket {
		return wire.ReadFrame(p.in, wire.MaxServerFrame)
	}
	h, err := ws.ReadHeader(p.in)
	if err != nil {
		return nil, err
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(p.in, payload); err != nil {
		return nil, err
	}
	if h.OpCode == ws.OpClose {
		return nil, io.EOF
	}
	return payload, nil
}

// lose ends the connection without a word, and returns when the hall has noticed.
func (p *program) lose() {
	p.t.Helper()
	half, ok := p.nc.(interface{ CloseWrite() error })
	if !ok {
		p.t.Fatalf("a connection of %T", p.nc)
	}
	// A connection that the hall has closed cannot be closed once more.
	if err := half.CloseWrite(); err != nil && !errors.Is(err, syscall.ENOTCONN) {
		p.t.Fatal(err)
	}
	for {
		if _, ok := p.next(); !ok {
			break
		}
	}
	_ = p.nc.Close() // it has ended
}

// said is an object of the server, as a test looks at it.
type said struct {
	Type, Re string
	OK       bool
	Data     struct {
		User, Token, Room string
		Seq               uint64
		Open              bool
		Numbers           []int
		Events            []said
	}
	Error struct {
		Code, Message string
		Retry         bool
	}
	Event, Channel, From, To, Text, User, Reason string
	Seq, Prev                                    uint64
	At                                           time.Time
	Round, Missed                                int
	Numbers                                      []int
	RetryAfter                                   int64 `json:"retry_after_ms"`
	Winner, Expression, Value                    string
}

// want reads the next object, which has to come.
func (p *program) want() said {
	p.t.Helper()
	object, ok := p.next()
	if !ok {
		p.t.Fatal("the connection has ended")
	}
	return saidIn(p.t, object)
}

func saidIn(t testing.TB, object []byte) (s said) {
	t.Helper()
	if err := json.Unmarshal(object, &s); err != nil {
		t.Fatalf("%s: %v", object, err)
	}
	return s
}

// ask sends an object and gives its reply, and what was told before it.
func (p *program) ask(object string) (reply said, before []said) {
	p.t.Helper()
	if !p.send([]byte(object)) {
		p.t.Fatalf("%s cannot be sent", object)
	}
	for {
		s := p.want()
		if s.Type == "reply" {
			return s, before
		}
		before = append(before, s)
	}
}

// asks is ask for what has to go well, with nothing told before it.
func (p *program) asks(object string) said {
	p.t.Helper()
	reply, before := p.ask(object)
	if !reply.OK || len(before) > 0 {
		p.t.Fatalf("%s: %+v, after %+v", object, reply, before)
	}
	return reply
}
