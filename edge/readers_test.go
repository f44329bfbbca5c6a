package edge

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"github.com/gobwas/ws"

	"gamehall/shared/fault"
	"gamehall/shared/wire"
)

// script is a socket whose client sends what the test says, at most size bytes at a time.
type script struct {
	noSocket
	data []byte
	size int
	peak int // bytes that were asked for at one time, at most
}

func (s *script) read(buf func() []byte, _ func()) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	b := buf()
	s.peak = max(s.peak, len(b))
	n := copy(b[:min(s.size, len(b))], s.data)
	s.data = s.data[n:]
	return n, nil
}

// heardBy is what a reader makes of a client's bytes: the commands, the faults, and the end.
type heardBy struct {
	Command wire.Command
	Code    fault.Code
	End     string
}

// listen reads data, in pieces of size, in a dialect.
func listen(t testing.TB, d dialect, data []byte, size int) (all []heardBy) {
	t.Helper()
	c := &conn{edge: &Edge{}, w: newWriter(0, new(coming)), done: make(chan struct{}), dialect: d, sock: &script{data: data, size: max(1, size)}}
	in := &input{c: c}
	defer in.release()
	var r reader
	switch d {
	case frames:
		r = &frameReader{in: in}
	case messages:
		r = &messageReader{in: in, limits: &pace{}}
	default:
		r = &lineReader{in: in}
	}
	for {
		cmd, err := r.next()
		var f *fault.Error
		switch {
		case err == nil:
			all = append(all, heardBy{Command: cmd})
		case errors.As(err, &f):
			all = append(all, heardBy{Code: f.Code})
		default:
			if m, ok := r.(*messageReader); ok && len(m.message) > wire.MaxLine {
				t.Fatalf("a message of %d bytes is held", len(m.message))
			}
			return append(all, heardBy{End: err.Error()})
		}
		if len(all) > len(data)+1 {
			t.Fatalf("%d commands of %d bytes", len(all), len(data))
		}
	}
}

// A length that cannot be is refused before anything is allocated for it. It is measured alone,
// not beside other tests.
func TestLengthsAllocateNothing(t *testing.T) { //nolint:paralleltest // see above
	for name, tt := range map[string]struct {
		dialect dialect
		data    []byte
	}{
		"frame of 4 GiB":      {frames, []byte{0xff, 0xff, 0xff, 0xff}},
		"frame of 2 GiB":      {frames, []byte{0x7f, 0xff, 0xff, 0xff}},
		"frame of 4097":       {frames, []byte{0, 0, 0x10, 1}},
		"message of 2^63-1":   {messages, []byte{0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		"message of 64 KiB":   {messages, []byte{0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0}},
		"message of 4097":     {messages, []byte{0x81, 0xfe, 0x10, 1}},
		"fragment after 4096": {messages, append(append([]byte{0x01, 0xfe, 0x10, 0, 0, 0, 0, 0}, bytes.Repeat([]byte{'x'}, 4096)...), 0x80, 0xfe, 0x10, 0)},
	} {
		const times = 100
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range times {
			listen(t, tt.dialect, tt.data, 1<<20)
		}
		runtime.ReadMemStats(&after)
		if each, most := (after.TotalAlloc-before.TotalAlloc)/times, uint64(4*wire.MaxLine); each > most {
			t.Errorf("%s: %d bytes are allocated, want at most %d", name, each, most)
		}
	}
}

// However a client's bytes come, they say the same.
func sameInPieces(t *testing.T, d dialect, data []byte, size uint8) {
	t.Helper()
	whole := listen(t, d, data, len(data))
	for _, n := range []int{1, int(size)} {
		if got := listen(t, d, data, n); !reflect.DeepEqual(got, whole) {
			t.Fatalf("%q in pieces of %d: %+v, at once %+v", data, n, got, whole)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x17"+`{"id":"1","type":"who"}`), uint8(3))
	f.Add([]byte("\x00\x00\x00\x02{}\x00\x00\x00\x00"), uint8(1))
	f.Add([]byte("\x00\x00\x00\x01"), uint8(1))
	f.Add([]byte("\xff\xff\xff\xff"), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		sameInPieces(t, frames, data, size)
		// The client's own reader makes the same of it.
		var want []heardBy
		for in := bytes.NewReader(data); ; {
			object, err := wire.ReadFrame(in, wire.MaxLine)
			if err != nil {
				break
			}
			cmd, err := wire.ParseObject(object)
			if err != nil {
				cmd = wire.Command{}
			}
			want = append(want, heardBy{Command: cmd, Code: fault.CodeOf(err)})
		}
		got := listen(t, frames, data, len(data))
		if got = got[:len(got)-1]; !slices.EqualFunc(got, want, func(a, b heardBy) bool { return reflect.DeepEqual(a, b) }) {
			t.Fatalf("%q: %+v, want %+v", data, got, want)
		}
	})
}

func FuzzMessages(f *testing.F) {
	frame := func(fr ws.Frame) []byte {
		var b bytes.Buffer
		if err := ws.WriteFrame(&b, ws.MaskFrameWith(fr, [4]byte{1, 2, 3, 4})); err != nil {
			f.Fatal(err)
		}
		return b.Bytes()
	}
	f.Add(frame(ws.NewTextFrame([]byte(`{"id":"1","type":"who"}`))), uint8(3))
	f.Add(slices.Concat(frame(ws.NewFrame(ws.OpText, false, []byte(`{"id":"é","typ`))), frame(ws.NewPingFrame([]byte("x"))),
		frame(ws.NewFrame(ws.OpContinuation, true, []byte(`e":"who"}`))), frame(ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "bye")))), uint8(1))
	f.Add(frame(ws.NewBinaryFrame(nil)), uint8(1))
	f.Add([]byte{0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) { sameInPieces(t, messages, data, size) })
}

// FuzzDoors says one thing at every door: what a person types is, in an object, the same
// command to programs, in a frame and in a message however it is cut.
func FuzzDoors(f *testing.F) {
	for _, line := range []string{
		"hi", "//hi", "/W bob psst", "/SIGNIN ann 123 TAKEOVER", "/createroom a b", "/HISTORY 5", "/21game (1+2)*3", "/WHO", "/HELP",
		"/HISTORY -1", "/PING", "/DANCE", "/JOINROOM 🙂", "/PASSWD a b", "/CHATROOM \"quoted\"", "\xff", "",
	} {
		f.Add([]byte(line), uint8(3), uint8(5))
	}
	f.Fuzz(func(t *testing.T, line []byte, size, fragment uint8) {
		if bytes.ContainsAny(line, "\n") || len(line) > wire.MaxLine {
			return
		}
		typed := listen(t, lines, append(slices.Clone(line), '\n'), int(size))
		if len(typed) != 2 {
			t.Fatalf("%q is %+v", line, typed)
		}
		if typed[0].Code != "" {
			return
		}
		object := wire.CommandObject(typed[0].Command)
		if object == nil { // of people alone
			if k := typed[0].Command.Type; k != wire.Help && k != wire.Quit {
				t.Fatalf("%q is no object", k)
			}
			return
		}
		want := typed[0]
		if len(object) > wire.MaxLine {
			return // escapes made it longer than a message may be
		}
		framed := wire.AppendFrame(nil, object)
		if got := listen(t, frames, framed, int(size)); !reflect.DeepEqual(got[0], want) {
			t.Fatalf("%q as a frame %s: %+v, want %+v", line, object, got[0], want)
		}
		if got := listen(t, messages, inFragments(object, max(4, int(fragment))), int(size)); !reflect.DeepEqual(got[0], want) {
			t.Fatalf("%q as a message %s: %+v, want %+v", line, object, got[0], want)
		}
	})
}

// inFragments is object as a client's WebSocket message, in fragments of n bytes.
func inFragments(object []byte, n int) (data []byte) {
	op := ws.OpText
	for piece := range slices.Chunk(object, n) {
		h := ws.Header{OpCode: op, Masked: true, Mask: [4]byte{9, 8, 7, 6}, Length: int64(len(piece))}
		op = ws.OpContinuation
		var b bytes.Buffer
		if err := ws.WriteHeader(&b, h); err != nil {
			panic(err) // to a buffer
		}
		masked := slices.Clone(piece)
		ws.Cipher(masked, h.Mask, 0)
		data = append(append(data, b.Bytes()...), masked...)
	}
	last := ws.Header{Fin: true, OpCode: ws.OpContinuation, Masked: true, Mask: [4]byte{1, 1, 1, 1}}
	var b bytes.Buffer
	if err := ws.WriteHeader(&b, last); err != nil {
		panic(err)
	}
	return append(data, b.Bytes()...)
}

// The length of a frame is that of bytes.
func TestFrameLengthIsBytes(t *testing.T) {
	t.Parallel()
	object := []byte(`{"id":"κόσμε","type":"who"}`)
	for extra, want := range map[int]fault.Code{0: "", -6: fault.BadRequest} {
		data := append(binary.BigEndian.AppendUint32(nil, uint32(len(object)+extra)), object...)
		if got := listen(t, frames, data, 5); got[0].Code != want {
			t.Errorf("with a length of %+d bytes: %+v, want %q", extra, got, want)
		}
	}
}
