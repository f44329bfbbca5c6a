package edge

import (
	"encoding/binary"
	"time"

	"github.com/gobwas/ws"

	"gamehall/shared/event"
	"gamehall/shared/wire"
)

// dialect is how a connection speaks. Nothing but these functions, and the readers, is
// written per dialect.
type dialect int

const (
	lines    dialect = iota // TCP, for people
	frames                  // TCP, for programs
	messages                // WebSocket
	dialects
)

// pack puts an object into its envelope; none gives nothing.
func (d dialect) pack(object []byte) []byte {
	switch {
	case len(object) == 0:
		return nil
	case d == frames:
		return wire.AppendFrame(nil, object)
	default:
		return appendWebSocket(nil, ws.OpText, object)
	}
}

// event encodes what a channel tells.
func (d dialect) event(e event.Stored) []byte {
	if d == lines {
		return wire.AppendEvent(nil, e, time.Local)
	}
	return d.pack(wire.EventObject(e))
}

// reply encodes the answer to the command with id re.
func (d dialect) reply(re string, r wire.Reply) []byte {
	if d == lines {
		return wire.AppendReply(nil, r, time.Now())
	}
	return d.pack(wire.ReplyObject(re, r))
}

// private encodes what one session is told.
func (d dialect) private(p wire.Private) []byte {
	if d == lines {
		return wire.AppendPrivate(nil, p, time.Now())
	}
	return d.pack(wire.PrivateObject(p, time.Now()))
}

// closeCodes are the codes of RFC 6455, section 7.4, for each reason.
var closeCodes = map[wire.Reason]ws.StatusCode{
	wire.Restart:           1012,
	wire.Unavailable:       1013,
	wire.SlowConsumer:      ws.StatusPolicyViolation,
	wire.SignedInElsewhere: ws.StatusPolicyViolation,
	wire.Idle:              ws.StatusNormalClosure,
	wire.Heartbeat:         ws.StatusNormalClosure,
	wire.Protocol:          ws.StatusProtocolError,
	wire.Bye:               ws.StatusNormalClosure,
}

// farewell encodes the end of a connection: the closing event, and what a WebSocket ends
// with. A code of 0 is the reason's.
func (d dialect) farewell(p wire.Private, code ws.StatusCode) []byte {
	data := d.private(p)
	if d != messages {
		return data
	}
	if code == 0 {
		code = closeCodes[p.Reason]
	}
	return append(data, appendWebSocket(nil, ws.OpClose, binary.BigEndian.AppendUint16(nil, uint16(code)))...)
}
