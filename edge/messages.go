package edge

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"gamehall/shared/wire"
)

// wsError is a violation of the WebSocket protocol (RFC 6455), with the code to close with.
type wsError struct {
	code ws.StatusCode
	why  string
}

func (e *wsError) Error() string { return fmt.Sprintf("websocket %d: %s", e.code, e.why) }

func violation(code ws.StatusCode, format string, args ...any) error {
	return &wsError{code, fmt.Sprintf(format, args...)}
}

// messageReader reads WebSocket messages (RFC 6455, sections 5 and 8): one text message is
// one JSON object. Control frames are answered where they stand.
type messageReader struct {
	in      *input
	limits  *pace
	message []byte // of the fragments so far; nil between messages
	open    bool   // a fragmented message has begun
	frags   int
	text    utf8Check // of the message so far
	clear   int       // bytes of the frame's payload that are unmasked
}

// fragmentsMost bounds the frames of one message: more is no client but an attack.
const fragmentsMost = 1024

// header is a frame's header, checked as far as it stands alone.
type header struct {
	fin    bool
	op     ws.OpCode
	mask   [4]byte
	size   int // of the header
	length int // of the payload
}

// control tells whether the frame may stand between those of a message.
func (h header) control() bool { return h.op&0x8 != 0 }

func (r *messageReader) next() (wire.Command, error) {
	for {
		h, ok, err := r.header(r.in.unread())
		if err != nil {
			return wire.Command{}, err
		}
		whole := h.size + h.length
		if ok {
			if err := r.unmask(h, r.in.unread()[h.size:min(whole, len(r.in.unread()))]); err != nil {
				return wire.Command{}, err
			}
		}
		if !ok || len(r.in.unread()) < whole {
			if err := r.in.fill(r.open); err != nil {
				return wire.Command{}, err
			}
			continue
		}
		if r.in.held && h.control() {
			return wire.Command{}, errHeld // it is answered where it stands, behind the commands before it
		}
		payload := r.in.unread()[h.size:whole]
		r.in.take(whole)
		r.clear = 0
		done, err := r.frame(h, payload)
		if err != nil {
			return wire.Command{}, err
		}
		if done {
			object := r.message
			r.message, r.open, r.frags, r.text = nil, false, 0, utf8Check{}
			return wire.ParseObject(object)
		}
	}
}

// unmask clears what of a frame's payload has come since the last time, and refuses a message
// as soon as it cannot become UTF-8 any more.
func (r *messageReader) unmask(h header, payload []byte) error {
	fresh := payload[r.clear:]
	ws.Cipher(fresh, h.mask, r.clear)
	r.clear = len(payload)
	if h.control() {
		return nil
	}
	if !r.text.takes(fresh) || h.fin && r.clear == h.length && !r.text.whole() {
		return violation(ws.StatusInvalidFramePayloadData, "a message is UTF-8")
	}
	return nil
}

// header parses the header at the start of b, if it is whole. Lengths that cannot be are
// refused before anything is read for them.
func (r *messageReader) header(b []byte) (h header, ok bool, err error) {
	if len(b) < 2 {
		return h, false, nil
	}
	h.fin, h.op = b[0]&0x80 != 0, ws.OpCode(b[0]&0x0f)
	control := h.control()
	switch {
	case b[0]&0x70 != 0:
		return h, false, violation(ws.StatusProtocolError, "reserved bits are set")
	case h.op != ws.OpContinuation && h.op != ws.OpText && h.op != ws.OpBinary &&
		h.op != ws.OpClose && h.op != ws.OpPing && h.op != ws.OpPong:
		return h, false, violation(ws.StatusProtocolError, "opcode %#x is reserved", byte(h.op))
	case b[1]&0x80 == 0:
		return h, false, violation(ws.StatusProtocolError, "a client's frames are masked")
	case control && !h.fin:
		return h, false, violation(ws.StatusProtocolError, "a control frame is not fragmented")
	case h.op == ws.OpContinuation && !r.open:
		return h, false, violation(ws.StatusProtocolError, "a continuation of nothing")
	case !control && h.op != ws.OpContinuation && r.open:
		return h, false, violation(ws.StatusProtocolError, "a message within a message")
	case h.op == ws.OpBinary:
		return h, false, violation(ws.StatusUnsupportedData, "messages are text")
	}
	length := uint64(b[1] & 0x7f)
	if control && length > ws.MaxControlFramePayloadSize {
		return h, false, violation(ws.StatusProtocolError, "a control frame has at most 125 bytes")
	}
	h.size = 2
	switch length {
	case 126:
		if len(b) < 4 {
			return h, false, nil
		}
		length, h.size = uint64(binary.BigEndian.Uint16(b[2:])), 4
		if length < 126 {
			return h, false, violation(ws.StatusProtocolError, "a length is not minimal")
		}
	case 127:
		if len(b) < 10 {
			return h, false, nil
		}
		length, h.size = binary.BigEndian.Uint64(b[2:]), 10
		if length < 1<<16 || length > 1<<63-1 {
			return h, false, violation(ws.StatusProtocolError, "a length is not minimal")
		}
	}
	if !control && uint64(len(r.message))+length > wire.MaxLine {
		return h, false, violation(ws.StatusMessageTooBig, "a message has at most %d bytes", wire.MaxLine)
	}
	if len(b) < h.size+4 {
		return h, false, nil
	}
	copy(h.mask[:], b[h.size:])
	h.size += 4
	h.length = int(length) // at most wire.MaxLine
	return h, true, nil
}

// frame takes a whole frame; done is true when it ends a message.
func (r *messageReader) frame(h header, payload []byte) (done bool, err error) {
	switch h.op {
	case ws.OpPing, ws.OpPong:
		if h.op == ws.OpPing {
			r.in.c.push(appendWebSocket(nil, ws.OpPong, payload))
		}
		if !r.limits.wait(r.in.c, 1) {
			return false, errForeign
		}
		if !r.open {
			r.in.c.begun.Store(0)
		}
		return false, nil
	case ws.OpClose:
		return false, closeFrame(payload)
	}
	if r.frags++; r.frags > fragmentsMost {
		return false, violation(ws.StatusMessageTooBig, "a message has at most %d fragments", fragmentsMost)
	}
	r.message = append(r.message, payload...)
	r.open = !h.fin
	return h.fin, nil
}

// utf8Check tells whether what it takes, piece by piece, is UTF-8 so far. The zero utf8Check
// has taken nothing.
type utf8Check struct {
	begun [utf8.UTFMax]byte // a rune that has not ended
	n     int
}

// takes gives false when b makes it impossible.
func (u *utf8Check) takes(b []byte) bool {
	for u.n > 0 && len(b) > 0 {
		u.begun[u.n] = b[0]
		u.n++
		b = b[1:]
		if utf8.FullRune(u.begun[:u.n]) {
			if !utf8.Valid(u.begun[:u.n]) {
				return false
			}
			u.n = 0
		}
	}
	end := len(b)
	for cut := 1; cut < utf8.UTFMax && cut <= len(b); cut++ {
		tail := b[len(b)-cut:]
		if utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				end -= cut
				u.n = copy(u.begun[:], tail)
			}
			break
		}
	}
	return utf8.Valid(b[:end])
}

// whole tells whether no rune has been begun that has not ended.
func (u *utf8Check) whole() bool { return u.n == 0 }

// closeFrame judges a close frame (RFC 6455, section 7.4) and gives what to close with.
func closeFrame(payload []byte) error {
	if len(payload) == 0 {
		return violation(ws.StatusNormalClosure, "")
	}
	if len(payload) == 1 {
		return violation(ws.StatusProtocolError, "a close code has two bytes")
	}
	code := ws.StatusCode(binary.BigEndian.Uint16(payload))
	known := code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006
	if !known && (code < 3000 || code > 4999) {
		return violation(ws.StatusProtocolError, "%d is no close code", code)
	}
	if !utf8.Valid(payload[2:]) {
		return violation(ws.StatusInvalidFramePayloadData, "a close reason is UTF-8")
	}
	return violation(code, "")
}

// appendWebSocket writes a server's frame: not masked, not fragmented.
func appendWebSocket(dst []byte, op ws.OpCode, payload []byte) []byte {
	dst = append(dst, 0x80|byte(op))
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
	}
	return append(dst, payload...)
}
