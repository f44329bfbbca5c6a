package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
)

// Dialect is how clients speak with the server.
type Dialect string

// The dialects: those of the hall's doors (edge/PROTOCOL.md), and the relays' own, which is
// texts ended by LF, without names.
const (
	Lines     Dialect = "lines"
	Frames    Dialect = "frames"
	WebSocket Dialect = "ws"
	Bare      Dialect = "bare"
)

// errForeign says that the server speaks something else.
var errForeign = errors.New("the server does not speak this dialect")

// messageMost is how long a message of the server may be; more is another protocol.
const messageMost = 2 << 20

// cut gives the first message in data, how long it is with its envelope, and what is in it; 0
// when it is not whole yet.
func (d Dialect) cut(data []byte) (size int, body []byte, err error) {
	switch d {
	case Frames:
		return cutFrame(data)
	case WebSocket:
		return cutWebSocket(data)
	}
	end := bytes.IndexByte(data, '\n')
	if end < 0 {
		if len(data) > messageMost {
			return 0, nil, errForeign
		}
		return 0, nil, nil
	}
	return end + 1, data[:end], nil
}

func cutFrame(data []byte) (size int, body []byte, err error) {
	if len(data) < 4 {
		return 0, nil, nil
	}
	n := binary.BigEndian.Uint32(data)
	if n > messageMost {
		return 0, nil, errForeign
	}
	size = 4 + int(n)
	if len(data) < size {
		return 0, nil, nil
	}
	return size, data[4:size], nil
}

// cutWebSocket cuts a server's frame: never masked, and the hall's are never fragmented
// (RFC 6455, section 5.2).
func cutWebSocket(data []byte) (size int, body []byte, err error) {
	if len(data) < 2 {
		return 0, nil, nil
	}
	if data[0]&0x80 == 0 || data[1]&0x80 != 0 {
		return 0, nil, errForeign
	}
	begin, length := 2, uint64(data[1])
	switch length {
	case 126:
		if len(data) < 4 {
			return 0, nil, nil
		}
		begin, length = 4, uint64(binary.BigEndian.Uint16(data[2:]))
	case 127:
		if len(data) < 10 {
			return 0, nil, nil
		}
		begin, length = 10, binary.BigEndian.Uint64(data[2:])
	}
	if length > messageMost {
		return 0, nil, errForeign
	}
	size = begin + int(length)
	if len(data) < size {
		return 0, nil, nil
	}
	if data[0]&0x0f == 8 {
		return size, []byte(`{"event":"closing"}`), nil
	}
	return size, data[begin:size], nil
}

// pack puts what a client sends into its envelope. WebSocket's mask is zero, which is a mask.
func (d Dialect) pack(dst, object []byte) []byte {
	switch d {
	case Frames:
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(object)))
		return append(dst, object...)
	case WebSocket:
		if len(object) < 126 {
			dst = append(dst, 0x81, 0x80|byte(len(object)))
		} else {
			dst = append(dst, 0x81, 0x80|126)
			dst = binary.BigEndian.AppendUint16(dst, uint16(len(object)))
		}
		return append(append(dst, 0, 0, 0, 0), object...)
	}
	return append(append(dst, object...), '\n')
}

// objects tells whether the dialect speaks in JSON objects.
func (d Dialect) objects() bool { return d == Frames || d == WebSocket }

// say appends the command that says line id.
func (d Dialect) say(dst []byte, m marker, id int64) []byte {
	if !d.objects() {
		return append(m.appendText(dst, id), '\n')
	}
	object := make([]byte, 0, 128)
	object = append(object, `{"id":"s","type":"say","text":"`...)
	object = append(m.appendText(object, id), `"}`...)
	return d.pack(dst, object)
}

// signUp appends the command that makes an account.
func (d Dialect) signUp(dst []byte, user, password string) []byte {
	if !d.objects() {
		return d.pack(dst, []byte("/SIGNUP "+user+" "+password))
	}
	return d.pack(dst, []byte(fmt.Sprintf(`{"id":"u","type":"signup","username":%q,"password":%q}`, user, password)))
}

// signIn appends the command that begins a session.
func (d Dialect) signIn(dst []byte, user, password string) []byte {
	if !d.objects() {
		return d.pack(dst, []byte("/SIGNIN "+user+" "+password))
	}
	return d.pack(dst, []byte(fmt.Sprintf(`{"id":"i","type":"signin","username":%q,"password":%q}`, user, password)))
}

// resume appends the command that goes on with a session after the lobby's sequence since. Lines
// have none.
func (d Dialect) resume(dst []byte, token string, since int64) []byte {
	return d.pack(dst, []byte(fmt.Sprintf(`{"id":"i","type":"resume","token":%q,"since":{"lobby":%d}}`, token, since)))
}

// ping appends a heartbeat; lines need none.
func (d Dialect) ping(dst []byte) []byte {
	return d.pack(dst, []byte(`{"id":"p","type":"ping"}`))
}

// kind is what a message is about.
type kind uint8

// The kinds. Those from said on belong to the channel: everybody is told them, in one order.
const (
	other    kind = iota
	welcome       // the session has begun
	upSigned      // the account exists now, or did before
	refused       // a command was
	closing       // the server hangs up
	said
	joined
	left
)

// shared tells whether the message is told to the whole channel.
func (k kind) shared() bool { return k >= said }

// classify tells what a message is.
func (d Dialect) classify(m marker, body []byte) kind {
	switch {
	case d.objects():
		return classifyObject(body)
	case d == Lines:
		return classifyLine(body)
	case m.id(body) >= 0:
		return said
	case bytes.Equal(body, []byte(greeting)):
		return welcome
	}
	return other
}

// stamp is how long the time before a line is.
const stamp = len("2006-01-02 15:04:05 ")

func classifyLine(body []byte) kind {
	if len(body) < stamp {
		return other
	}
	text := body[stamp:]
	rest, system := bytes.CutPrefix(text, []byte("system: "))
	switch {
	case !system && (text[0] == '[' || text[0] == '('):
		return other // of a room, or whispered
	case !system:
		return said
	case bytes.HasSuffix(rest, []byte(" joined the hall")):
		return joined
	case bytes.HasSuffix(rest, []byte(" left the hall")):
		return left
	case bytes.HasPrefix(rest, []byte("welcome, ")):
		return welcome
	case bytes.HasPrefix(rest, []byte("registered")), bytes.HasPrefix(rest, []byte("the username exists")):
		return upSigned
	case bytes.HasPrefix(rest, []byte("round ")), bytes.HasPrefix(rest, []byte("bye, ")):
		return other
	}
	return refused
}

func classifyObject(body []byte) kind {
	if bytes.Contains(body, []byte(`"type":"reply"`)) {
		re, ok := member(body, "re"), bytes.Contains(body, []byte(`"ok":true`))
		switch {
		case string(re) == "i" && ok:
			return welcome
		case string(re) == "u" && (ok || string(member(body, "code")) == "username_taken"):
			return upSigned
		case !ok:
			return refused
		}
		return other
	}
	switch event := string(member(body, "event")); {
	case event == "closing":
		return closing
	case event == "gap":
		return refused
	case string(member(body, "channel")) != "lobby":
		return other
	case event == "chat":
		return said
	case event == "joined":
		return joined
	case event == "left":
		return left
	}
	return other
}

// member is the value of a string member of an object without escapes in it, or nil. It finds
// the first, which is the object's own in all that the hall says before a text.
func member(body []byte, name string) []byte {
	_, rest, ok := bytes.Cut(body, []byte(`"`+name+`":"`))
	if !ok {
		return nil
	}
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return nil
	}
	return rest[:end]
}

// number is the value of a member that is a whole number, or 0.
func number(body []byte, name string) int64 {
	_, rest, _ := bytes.Cut(body, []byte(`"`+name+`":`))
	end := 0
	for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(string(rest[:end]), 10, 64)
	if err != nil {
		return 0 // no number stands there
	}
	return n
}

// who is the user that a joined or left is about.
func (d Dialect) who(body []byte) string {
	if d.objects() {
		return string(member(body, "user"))
	}
	if len(body) < stamp {
		return ""
	}
	name, _, _ := bytes.Cut(bytes.TrimPrefix(body[stamp:], []byte("system: ")), []byte(" "))
	return string(name)
}
