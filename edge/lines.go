package edge

import (
	"bytes"
	"errors"

	"gamehall/shared/fault"
	"gamehall/shared/wire"
)

// reader takes commands from a connection, in its dialect.
type reader interface {
	// next gives the next command. With a fault it refuses one, and can be asked again; any
	// other error is the connection's end.
	next() (wire.Command, error)
}

// errForeign says that something else than the hall's dialects is spoken.
var errForeign = errors.New("not the hall's protocol")

// lineReader reads lines, for nc, telnet and people.
type lineReader struct {
	in      *input
	skipped int // bytes of a too long line, 0 when none is being skipped
}

func (r *lineReader) next() (wire.Command, error) {
	for {
		line, ok, err := r.cut()
		if err != nil {
			return wire.Command{}, err
		}
		if ok {
			return wire.ParseLine(line)
		}
		if err := r.in.fill(r.skipped > 0); err != nil {
			return wire.Command{}, err
		}
	}
}

// cut takes a whole line, or skips what belongs to one that is too long: it was refused when
// it grew too long, and what follows it is read on.
func (r *lineReader) cut() (line []byte, ok bool, err error) {
	unread := r.in.unread()
	end := bytes.IndexByte(unread, '\n')
	if r.skipped > 0 {
		if end < 0 {
			r.skipped += len(unread)
			r.in.take(len(unread))
			if r.skipped > skipMost {
				return nil, false, errForeign
			}
			return nil, false, nil
		}
		r.skipped = 0
		r.in.take(end + 1)
		r.in.c.begun.Store(0)
		return r.cut()
	}
	if end < 0 {
		if len(bytes.TrimSuffix(unread, []byte{'\r'})) > wire.MaxLine {
			r.skipped = len(unread)
			r.in.take(len(unread))
			return nil, false, tooLong()
		}
		return nil, false, nil
	}
	r.in.take(end + 1)
	line = bytes.TrimSuffix(unread[:end], []byte{'\r'})
	if len(line) > wire.MaxLine {
		return nil, false, tooLong()
	}
	return line, true, nil
}

func tooLong() error {
	return fault.New(fault.TooLong, "line too long (%d bytes at most)", wire.MaxLine)
}

// foreign are the beginnings of other protocols, which a browser can be made to speak or a
// scanner speaks.
var foreign = [][]byte{
	[]byte("GET "), []byte("HEAD "), []byte("POST "), []byte("PUT "), []byte("DELETE "), []byte("CONNECT "),
	[]byte("OPTIONS "), []byte("TRACE "), []byte("PATCH "), []byte("PRI "), []byte("SSH-"),
}

// recognise finds the dialect by the first bytes, and waits for as many as that takes: 0x00
// begins a frame; 0x16 a TLS hello; 0x7F to 0xC1 and 0xF5 to 0xFF begin no UTF-8 text.
func recognise(in *input) (dialect, error) {
	for {
		if err := in.fill(false); err != nil {
			return 0, err
		}
		unread := in.unread()
		switch first := unread[0]; {
		case first == 0:
			return frames, nil
		case first == 0x16, first >= 0x7f && first <= 0xc1, first >= 0xf5:
			return 0, errForeign
		}
		undecided := false
		for _, f := range foreign {
			n := min(len(f), len(unread))
			if !bytes.Equal(unread[:n], f[:n]) {
				continue
			}
			if n == len(f) {
				return 0, errForeign
			}
			undecided = true
		}
		if !undecided {
			return lines, nil
		}
	}
}
