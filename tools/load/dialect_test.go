package load

import (
	"bytes"
	"errors"
	"testing"

	"github.com/gobwas/ws"
)

func TestMarker(t *testing.T) {
	t.Parallel()
	m := newMarker(0xabcdef)
	text := m.appendText(nil, 1234567890)
	if len(text) != textSize {
		t.Errorf("a text has %d bytes, want %d", len(text), textSize)
	}
	tests := []struct {
		name, message string
		want          int64
	}{
		{"a line", "2026-11-20 15:24:24 load00001: " + string(text), 1234567890},
		{"an object", `{"text":"` + string(text) + `"}`, 1234567890},
		{"another run's", string(newMarker(0xabcdee).appendText(nil, 7)), -1},
		{"cut", string(text[:15]), -1},
		{"no number", string(m) + "12345x7890", -1},
		{"nothing", "", -1},
	}
	for _, tt := range tests {
		if got := m.id([]byte(tt.message)); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// What is packed is cut again, whole only, and what follows it is left.
func TestCut(t *testing.T) {
	t.Parallel()
	webSocket := func(text string) []byte {
		var b bytes.Buffer
		if err := ws.WriteFrame(&b, ws.NewTextFrame([]byte(text))); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	long := string(bytes.Repeat([]byte("x"), 70000))
	tests := []struct {
		name    string
		dialect Dialect
		data    []byte
		text    string
	}{
		{"a line", Lines, []byte("hello\n"), "hello"},
		{"a frame", Frames, Frames.pack(nil, []byte("{}")), "{}"},
		{"a short message", WebSocket, webSocket("{}"), "{}"},
		{"a middling message", WebSocket, webSocket(long[:300]), long[:300]},
		{"a long message", WebSocket, webSocket(long), long},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for n := range min(len(tt.data), 400) {
				if size, _, err := tt.dialect.cut(tt.data[:n]); size != 0 || err != nil {
					t.Fatalf("the first %d bytes are a message of %d (error: %v)", n, size, err)
				}
			}
			size, body, err := tt.dialect.cut(append(bytes.Clone(tt.data), "more"...))
			if size != len(tt.data) || string(body) != tt.text || err != nil {
				t.Errorf("%d bytes %.40q (error: %v), want %d bytes %.40q", size, body, err, len(tt.data), tt.text)
			}
		})
	}
	for _, tt := range []struct {
		dialect Dialect
		data    string
	}{{Frames, "HTTP/1.1 400"}, {WebSocket, "HTTP/1.1 400"}, {WebSocket, "\x81\x80abcd"}} {
		if _, _, err := tt.dialect.cut([]byte(tt.data)); !errors.Is(err, errForeign) {
			t.Errorf("%s reads %q: %v", tt.dialect, tt.data, err)
		}
	}
}

// What a client sends as a WebSocket message is one for others, too.
func TestPackWebSocket(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 125, 126, 4000} {
		text := bytes.Repeat([]byte("x"), n)
		frame, err := ws.ReadFrame(bytes.NewReader(WebSocket.pack(nil, text)))
		if err != nil {
			t.Fatal(err)
		}
		if frame = ws.UnmaskFrame(frame); !frame.Header.Masked && frame.Header.OpCode != ws.OpText || !bytes.Equal(frame.Payload, text) {
			t.Errorf("%d bytes: %+v", n, frame.Header)
		}
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	const at = "2026-11-20 15:24:24 "
	tests := []struct {
		dialect Dialect
		message string
		want    kind
	}{
		{Lines, at + "ann: hi", said},
		{Lines, at + "ann: system: bob joined the hall", said},
		{Lines, at + "[room1] ann: hi", other},
		{Lines, at + "(whisper) ann: hi", other},
		{Lines, at + "system: ann joined the hall", joined},
		{Lines, at + "system: ann left the hall", left},
		{Lines, at + "system: welcome, ann", welcome},
		{Lines, at + "system: registered, you can sign in now", upSigned},
		{Lines, at + "system: the username exists, please choose another one", upSigned},
		{Lines, at + "system: round 7: nobody answered", other},
		{Lines, at + "system: wrong account or password", refused},
		{Frames, `{"type":"reply","re":"i","ok":true,"data":{"user":"ann","token":"t","seq":5}}`, welcome},
		{Frames, `{"type":"reply","re":"u","ok":true}`, upSigned},
		{Frames, `{"type":"reply","re":"u","ok":false,"error":{"code":"username_taken","message":"no","retry":false}}`, upSigned},
		{Frames, `{"type":"reply","re":"s","ok":true,"data":{"seq":5}}`, other},
		{Frames, `{"type":"reply","re":"s","ok":false,"error":{"code":"unavailable","message":"no","retry":true}}`, refused},
		{Frames, `{"type":"event","event":"chat","channel":"lobby","seq":5,"prev":4,"from":"ann","text":"\"type\":\"reply\""}`, said},
		{Frames, `{"type":"event","event":"joined","channel":"lobby","seq":5,"prev":4,"user":"ann"}`, joined},
		{Frames, `{"type":"event","event":"room.chat","channel":"room:a","seq":5,"prev":4,"from":"ann","text":"x"}`, other},
		{Frames, `{"type":"event","event":"gap","channel":"lobby","missed":5}`, refused},
		{Frames, `{"type":"event","event":"closing","channel":"user","reason":"restart"}`, closing},
		{Bare, "welcome", welcome},
		{Bare, string(newMarker(1).appendText(nil, 0)), said},
		{Bare, string(newMarker(2).appendText(nil, 0)), other},
	}
	for _, tt := range tests {
		if got := tt.dialect.classify(newMarker(1), []byte(tt.message)); got != tt.want {
			t.Errorf("%s %s is %d, want %d", tt.dialect, tt.message, got, tt.want)
		}
	}
	body := []byte(`{"type":"reply","re":"i","ok":true,"data":{"user":"ann","token":"t0ken","seq":512}}`)
	if got := string(member(body, "token")); got != "t0ken" {
		t.Errorf("token %q", got)
	}
	if got := number(body, "seq"); got != 512 {
		t.Errorf("seq %d", got)
	}
}
