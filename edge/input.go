package edge

import (
	"errors"
	"io"
	"sync"

	"gamehall/shared/wire"
)

// inputSize holds the longest line, frame or message with what goes around it: a line end,
// a length, a WebSocket header.
const inputSize = wire.MaxLine + 16

// inputs are the buffers that is read into. A connection has one only while it has unread
// bytes.
var inputs = sync.Pool{New: func() any { return new([inputSize]byte) }}

// input is what a connection has sent and nobody has taken yet. It belongs to the reading
// goroutine.
type input struct {
	c    *conn
	buf  *[inputSize]byte // nil while nothing is unread
	from int              // unread bytes are buf[from:to]
	to   int
	// waiting says that fill is to wait, whoever else could.
	waiting bool
	// held says that nothing more is to be read: only what has come already is looked at.
	held bool
}

// errHeld says that what has come already holds no whole command.
var errHeld = errors.New("nothing whole has come")

// errIdle says that nothing has come and nothing is begun: the reader may be left until
// something comes.
var errIdle = errors.New("nothing to read")

// unread gives the bytes that were not taken yet, valid until the next fill.
func (in *input) unread() []byte {
	if in.buf == nil {
		return nil
	}
	return in.buf[in.from:in.to]
}

// take takes n of the unread bytes.
func (in *input) take(n int) { in.from += n }

// fill reads more. While it waits the connection holds no buffer, unless something has
// begun that has not ended; partial says that it has, though it left nothing unread.
func (in *input) fill(partial bool) error {
	if in.held {
		return errHeld
	}
	if in.from == in.to {
		in.release()
	}
	if in.buf != nil && in.from > 0 {
		copy(in.buf[:], in.buf[in.from:in.to])
		in.from, in.to = 0, in.to-in.from
	}
	if (in.buf != nil || partial) && in.c.begun.Load() == 0 {
		in.c.begun.Store(instant())
	}
	if in.to == inputSize {
		return errors.New("the input is full") // a reader's mistake: it must have refused before
	}
	space := func() []byte {
		if in.buf == nil {
			in.buf, _ = inputs.Get().(*[inputSize]byte)
		}
		return in.buf[in.to:]
	}
	var n int
	var err error
	if s, ok := in.c.sock.(parker); in.to > 0 || partial || in.waiting || !ok {
		in.c.waits.Store(instant())
		n, err = in.c.sock.read(space, func() {
			if in.to == 0 {
				in.release()
			}
		})
		in.c.waits.Store(0)
	} else if n, err = s.peek(space()); errors.Is(err, errIdle) {
		in.release()
	}
	if err != nil {
		return err
	}
	if n <= 0 {
		return io.EOF
	}
	in.to += n
	in.c.heard.Store(instant())
	return nil
}

// preload takes bytes that were read before; false when they are too many.
func (in *input) preload(data []byte) bool {
	if len(data) == 0 {
		return true
	}
	if len(data) > inputSize {
		return false
	}
	in.buf, _ = inputs.Get().(*[inputSize]byte)
	in.from, in.to = 0, copy(in.buf[:], data)
	return true
}

// release gives the buffer back.
func (in *input) release() {
	if in.buf != nil {
		inputs.Put(in.buf)
	}
	in.buf, in.from, in.to = nil, 0, 0
}
