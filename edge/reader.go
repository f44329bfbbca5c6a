package edge

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"

	"gamehall/shared/fault"
	"gamehall/shared/wire"
)

var (
	// errTooLong says that a line was longer than wire.MaxLine; what follows it is read on.
	errTooLong = errors.New("line too long")
	// errForeign says that something else than the hall's dialects is spoken.
	errForeign = errors.New("not the hall's protocol")
)

func tooLong() *fault.Error {
	return asFault(fault.New(fault.TooLong, "line too long (%d bytes at most)", wire.MaxLine))
}

// buffers are what lines are read into. A connection has one only while it has unread bytes.
var buffers = sync.Pool{New: func() any { return new([wire.MaxLine + 2]byte) }}

// lineReader cuts what a connection sends into lines. It belongs to the reading goroutine.
type lineReader struct {
	c       *conn
	buf     *[wire.MaxLine + 2]byte // nil while nothing is unread
	from    int                     // unread bytes are buf[from:to]
	to      int
	skipped int  // bytes of a too long line, 0 when none is being skipped
	known   bool // the first bytes were looked at
}

// next gives the next line without its end. It is valid until next is called again.
func (r *lineReader) next() ([]byte, error) {
	for {
		if r.buf != nil && r.from < r.to {
			if line, ok, err := r.cut(); ok || err != nil {
				r.known = true
				return line, err
			}
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
		if err := r.recognise(); err != nil {
			return nil, err
		}
	}
}

// cut takes a whole line out of the buffer, or skips what belongs to one that is too long.
func (r *lineReader) cut() (line []byte, ok bool, err error) {
	unread := r.buf[r.from:r.to]
	end := bytes.IndexByte(unread, '\n')
	switch {
	case r.skipped > 0 && end < 0:
		r.skipped += len(unread)
		r.from = r.to
		if r.skipped > skipMost {
			return nil, false, errForeign
		}
		return nil, false, nil
	case r.skipped > 0:
		r.skipped = 0
		r.from += end + 1
		r.c.begun.Store(0)
		return nil, false, nil
	case end < 0 && len(unread) > wire.MaxLine && (len(unread) > wire.MaxLine+1 || unread[wire.MaxLine] != '\r'):
		r.skipped = len(unread)
		r.from = r.to
		return nil, false, errTooLong
	case end < 0:
		return nil, false, nil
	}
	line = unread[:end]
	r.from += end + 1
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if len(line) > wire.MaxLine {
		return nil, false, errTooLong
	}
	return line, true, nil
}

// fill reads more. While it waits the connection holds no buffer, unless a line has begun.
func (r *lineReader) fill() error {
	if r.buf != nil && r.from == r.to {
		r.release()
	}
	if r.buf != nil && r.from > 0 {
		copy(r.buf[:], r.buf[r.from:r.to])
		r.from, r.to = 0, r.to-r.from
	}
	if (r.buf != nil || r.skipped > 0) && r.c.begun.Load() == 0 {
		r.c.begun.Store(time.Now().UnixNano())
	}
	var n int
	var err error
	readErr := r.c.raw.Read(func(fd uintptr) bool {
		if r.buf == nil {
			r.buf, _ = buffers.Get().(*[wire.MaxLine + 2]byte)
		}
		for {
			n, err = syscall.Read(int(fd), r.buf[r.to:])
			if !errors.Is(err, syscall.EINTR) {
				break
			}
		}
		if errors.Is(err, syscall.EAGAIN) {
			if r.to == 0 {
				r.release()
			}
			return false
		}
		return true
	})
	switch {
	case readErr != nil:
		return readErr
	case err != nil:
		return err
	case n <= 0:
		return io.EOF
	}
	r.to += n
	r.c.heard.Store(time.Now().UnixNano())
	return nil
}

// release gives the buffer back.
func (r *lineReader) release() {
	if r.buf != nil {
		buffers.Put(r.buf)
	}
	r.buf, r.from, r.to = nil, 0, 0
}

// foreign are the beginnings of other protocols that a browser can be made to speak, or that
// a scanner speaks.
var foreign = [][]byte{
	[]byte("GET "), []byte("HEAD "), []byte("POST "), []byte("PUT "), []byte("DELETE "), []byte("CONNECT "),
	[]byte("OPTIONS "), []byte("TRACE "), []byte("PATCH "), []byte("PRI "), []byte("SSH-"),
}

// recognise looks at the first bytes: 0x00 is a frame's length, 0x16 a TLS hello, 0x7F to
// 0xC1 and 0xF5 to 0xFF begin no UTF-8 text.
func (r *lineReader) recognise() error {
	if r.known {
		return nil
	}
	unread := r.buf[r.from:r.to]
	first := unread[0]
	if first == 0 || first == 0x16 || first >= 0x7f && first <= 0xc1 || first >= 0xf5 {
		return errForeign
	}
	for _, f := range foreign {
		n := min(len(f), len(unread))
		if bytes.Equal(unread[:n], f[:n]) {
			if n == len(f) {
				return errForeign
			}
			return nil // not yet known
		}
	}
	r.known = true
	return nil
}
