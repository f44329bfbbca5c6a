package crowd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"gamehall/shared/wire"
)

// The doors of an edge.
const (
	frames    = "frames"
	websocket = "websocket"
	lines     = "lines"
)

const (
	dialWithin  = 5 * time.Second
	writeWithin = 5 * time.Second
)

// door is a connection in one of the dialects.
type door interface {
	// send writes a command.
	send(wire.Command) error
	// read reads the next message and hands it on.
	read(hear) error
	// close ends the connection; rudely is without a word (RST).
	close(rudely bool)
}

// hear takes what a door read: an object's message, or a line without its time.
type hear interface {
	message(wire.Message) error
	line(string)
}

// open connects to an edge by a door.
func open(ctx context.Context, which, addr string) (door, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	if which == websocket {
		d := ws.Dialer{
			Protocols: []string{"hall.v1"},
			Header:    ws.HandshakeHeaderHTTP(http.Header{"Origin": {"http://" + addr}}),
		}
		nc, early, _, err := d.Dial(ctx, "ws://"+addr+"/ws")
		if err != nil {
			return nil, err
		}
		if early == nil {
			early = bufio.NewReaderSize(nc, 16<<10)
		}
		return &socketDoor{socket: socket{nc: nc}, in: early}, nil
	}
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(nc, 16<<10)
	if which == lines {
		return &lineDoor{socket: socket{nc: nc}, in: in}, nil
	}
	return &frameDoor{socket: socket{nc: nc}, in: in}, nil
}

// socket is what the doors share.
type socket struct {
	nc net.Conn
	mu sync.Mutex // one write at a time: the player's and the heartbeat's
}

func (s *socket) write(data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.nc.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	_, err := s.nc.Write(data)
	return err
}

func (s *socket) close(rudely bool) {
	if tcp, ok := s.nc.(*net.TCPConn); ok && rudely {
		_ = tcp.SetLinger(0) // it is closed all the same
	}
	_ = s.nc.Close() // its end is all that is wanted
}

type frameDoor struct {
	socket
	in *bufio.Reader
}

func (d *frameDoor) send(cmd wire.Command) error {
	return d.write(wire.AppendFrame(nil, wire.CommandObject(cmd)))
}

func (d *frameDoor) read(h hear) error {
	data, err := wire.ReadFrame(d.in, wire.MaxServerFrame)
	if err != nil {
		return err
	}
	return hearObject(h, data)
}

func hearObject(h hear, data []byte) error {
	m, err := wire.ParseMessage(data)
	if err != nil {
		return fmt.Errorf("%w: %.200q", err, data)
	}
	return h.message(m)
}

type socketDoor struct {
	socket
	in *bufio.Reader
}

func (d *socketDoor) send(cmd wire.Command) error {
	var b bytes.Buffer
	if err := ws.WriteFrame(&b, ws.MaskFrameInPlace(ws.NewTextFrame(wire.CommandObject(cmd)))); err != nil {
		return err
	}
	return d.write(b.Bytes())
}

func (d *socketDoor) read(h hear) error {
	head, err := ws.ReadHeader(d.in)
	if err != nil {
		return err
	}
	if head.Length > wire.MaxServerFrame {
		return fmt.Errorf("a message of %d bytes", head.Length)
	}
	data := make([]byte, head.Length)
	if _, err := io.ReadFull(d.in, data); err != nil {
		return err
	}
	switch head.OpCode {
	case ws.OpText:
		return hearObject(h, data)
	case ws.OpClose:
		return io.EOF
	case ws.OpPing:
		var b bytes.Buffer
		if err := ws.WriteFrame(&b, ws.MaskFrameInPlace(ws.NewPongFrame(data))); err != nil {
			return err
		}
		return d.write(b.Bytes())
	case ws.OpPong:
		return nil
	default:
		return fmt.Errorf("a message with the opcode %d", head.OpCode)
	}
}

type lineDoor struct {
	socket
	in *bufio.Reader
}

func (d *lineDoor) send(cmd wire.Command) error {
	line, err := typed(cmd)
	if err != nil {
		return err
	}
	return d.write([]byte(line + "\n"))
}

func (d *lineDoor) read(h hear) error {
	line, err := d.in.ReadString('\n')
	if err != nil {
		return err
	}
	line = line[:len(line)-1]
	if len(line) <= len(wire.TimeLayout) {
		return fmt.Errorf("a line without a time: %q", line)
	}
	if _, err := time.Parse(wire.TimeLayout, line[:len(wire.TimeLayout)]); err != nil {
		return fmt.Errorf("a line without a time: %q", line)
	}
	h.line(line[len(wire.TimeLayout)+1:])
	return nil
}

// errNoLine is a command that lines do not have.
var errNoLine = errors.New("people cannot type this")

// typed is a command as a person types it.
func typed(c wire.Command) (string, error) {
	switch c.Type {
	case wire.SignUp:
		return "/SIGNUP " + c.Username + " " + c.Password, nil
	case wire.SignIn:
		if c.Takeover {
			return "/SIGNIN " + c.Username + " " + c.Password + " TAKEOVER", nil
		}
		return "/SIGNIN " + c.Username + " " + c.Password, nil
	case wire.SignOut:
		return "/SIGNOUT", nil
	case wire.Say:
		return c.Text, nil
	case wire.Whisper:
		return "/W " + c.To + " " + c.Text, nil
	case wire.RoomCreate:
		return "/CREATEROOM " + c.Room, nil
	case wire.RoomJoin:
		return "/JOINROOM " + c.Room, nil
	case wire.RoomQuit:
		return "/QUITROOM", nil
	case wire.RoomSay:
		return "/CHATROOM " + c.Text, nil
	case wire.Game21Answer:
		return "/21GAME " + c.Expression, nil
	case wire.OnlineTime:
		return "/GETONLINETIME", nil
	case wire.Ping:
		return "/PING", nil
	}
	return "", errNoLine
}
