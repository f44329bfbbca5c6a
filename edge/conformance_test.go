package edge_test

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// conformance is a client's bytes and what the edge says to them.
type conformance struct {
	id   string // numbered after Autobahn's test suite
	what string
	send []part
	chop int // bytes of a segment; 0 is all at once
	want []string
}

// The outcomes that end a connection.
var (
	protocolError = []string{"closing protocol", "close 1002", "end"}
	unsupported   = []string{"closing protocol", "close 1003", "end"}
	notUTF8       = []string{"closing protocol", "close 1007", "end"}
	tooBig        = []string{"closing protocol", "close 1009", "end"}
)

func closed(code int) []string { return []string{fmt.Sprintf("close %d", code), "end"} }

// valid is a command of n bytes, which is answered "ok".
func valid(n int) string { return ping + strings.Repeat(" ", n-len(ping)) }

// noise is n bytes of text that are no command.
func noise(n int) string { return strings.Repeat("*", n) }

// split is a text message in fragments.
func split(pieces ...string) []part {
	var all []part
	for i, p := range pieces {
		op := ws.OpContinuation
		if i == 0 {
			op = ws.OpText
		}
		all = append(all, part{op: op, more: i < len(pieces)-1, payload: p})
	}
	return all
}

// fragments is a text message in fragments of n bytes.
func fragments(message string, n int) []part {
	var pieces []string
	for p := range slices.Chunk([]byte(message), n) {
		pieces = append(pieces, string(p))
	}
	return split(pieces...)
}

// begun is the beginning of a message.
func begun(payload string) part { return part{op: ws.OpText, more: true, payload: payload} }

// continued goes on with it.
func continued(payload string, more bool) part {
	return part{op: ws.OpContinuation, more: more, payload: payload}
}

func cat[T any](lists ...[]T) []T { return slices.Concat(lists...) }

func repeat[T any](n int, v ...T) (all []T) {
	for range n {
		all = append(all, v...)
	}
	return all
}

// conformances are sections 1 to 7 and 9.
func conformances() []conformance {
	all := sizes()
	all = append(all, pings()...)
	all = append(all, reserved()...)
	all = append(all, fragmented()...)
	all = append(all, texts()...)
	all = append(all, closes()...)
	return append(all, bounds()...)
}

func sizes() (all []conformance) {
	for i, n := range []int{0, 1, len(ping), 125, 126, 127, 128, 255, 256, 4095, 4096} {
		want, payload := []string{"bad_request"}, noise(n)
		if n >= len(ping) {
			all = append(all, conformance{fmt.Sprintf("1.1.%d", i+1), fmt.Sprintf("a command of %d bytes", n), []part{text(valid(n))}, 0, []string{"ok"}})
		}
		all = append(all, conformance{fmt.Sprintf("1.1.%d n", i+1), fmt.Sprintf("text of %d bytes that is no command", n), []part{text(payload)}, 0, want})
	}
	all = append(all,
		conformance{"1.1.12", "4096 bytes in segments of 997", []part{text(valid(4096))}, 997, []string{"ok"}},
		conformance{"1.1.13", "a command byte by byte", []part{text(ping)}, 1, []string{"ok"}},
		conformance{"1.1.14", "two commands in one segment", []part{text(ping), text(noise(3))}, 0, []string{"ok", "bad_request"}},
	)
	for i, n := range []int{0, 125, 126, 127, 128, 4096, 65535} {
		all = append(all, conformance{fmt.Sprintf("1.2.%d", i+1), fmt.Sprintf("binary of %d bytes", n), []part{{op: ws.OpBinary, payload: noise(n)}}, 0, unsupported})
	}
	return append(all, conformance{"1.2.8", "binary in segments of 997", []part{{op: ws.OpBinary, payload: noise(4096)}}, 997, unsupported})
}

func pings() []conformance {
	long := noise(125)
	return []conformance{
		{"2.1", "ping without payload", []part{pingOf("")}, 0, []string{"pong "}},
		{"2.2", "ping with text", []part{pingOf("Hello, world!")}, 0, []string{"pong Hello, world!"}},
		{"2.3", "ping with what is no text", []part{pingOf("\x00\xff\xfe\xfd\xfc\xfb\x00\xff")}, 0, []string{"pong \x00\xff\xfe\xfd\xfc\xfb\x00\xff"}},
		{"2.4", "ping of 125 bytes", []part{pingOf(long)}, 0, []string{"pong " + long}},
		{"2.5", "ping of 126 bytes", []part{pingOf(long + "*")}, 0, protocolError},
		{"2.6", "ping of 125 bytes, byte by byte", []part{pingOf(long)}, 1, []string{"pong " + long}},
		{"2.7", "pong that nobody asked for", []part{pongOf("")}, 0, nil},
		{"2.8", "pong with payload that nobody asked for", []part{pongOf("unsolicited")}, 0, nil},
		{"2.9", "pong, then ping", []part{pongOf("unsolicited"), pingOf("1")}, 0, []string{"pong 1"}},
		{"2.10", "ten pings", repeat(10, pingOf("x")), 0, repeat(10, "pong x")},
		{"2.11", "ten pings, byte by byte", repeat(10, pingOf("x")), 1, repeat(10, "pong x")},
		{"2.12", "pong of 126 bytes", []part{pongOf(long + "*")}, 0, protocolError},
		{"2.13", "ping with a length of 16 bits", []part{{op: ws.OpPing, payload: "x", length: []byte{126, 0, 1}}}, 0, protocolError},
	}
}

func reserved() []conformance {
	all := []conformance{
		{"3.1", "RSV 1 with text", []part{{op: ws.OpText, rsv: 1, payload: ping}}, 0, protocolError},
		{"3.2", "RSV 2 after text", []part{text(ping), {op: ws.OpText, rsv: 2, payload: ping}}, 0, cat([]string{"ok"}, protocolError)},
		{"3.3", "RSV 3 after text, in segments", []part{text(ping), {op: ws.OpText, rsv: 3, payload: ping}}, 7, cat([]string{"ok"}, protocolError)},
		{"3.4", "RSV 4 after text, byte by byte", []part{text(ping), {op: ws.OpText, rsv: 4, payload: ping}}, 1, cat([]string{"ok"}, protocolError)},
		{"3.5", "RSV 5 with binary", []part{{op: ws.OpBinary, rsv: 5, payload: ping}}, 0, protocolError},
		{"3.6", "RSV 6 with ping", []part{{op: ws.OpPing, rsv: 6}}, 0, protocolError},
		{"3.7", "RSV 7 with close", []part{{op: ws.OpClose, rsv: 7}}, 0, protocolError},
		{"3.8", "RSV in a continuation", []part{begun(ping[:5]), {op: ws.OpContinuation, rsv: 4, payload: ping[5:]}}, 0, protocolError},
	}
	for i, op := range []ws.OpCode{3, 4, 5, 6, 7} {
		all = append(all, conformance{fmt.Sprintf("4.1.%d", i+1), fmt.Sprintf("opcode %d, reserved for messages", op), []part{text(ping), {op: op, payload: noise(i)}}, i, cat([]string{"ok"}, protocolError)})
	}
	for i, op := range []ws.OpCode{11, 12, 13, 14, 15} {
		all = append(all, conformance{fmt.Sprintf("4.2.%d", i+1), fmt.Sprintf("opcode %d, reserved for control", op), []part{text(ping), {op: op, payload: noise(i)}}, i, cat([]string{"ok"}, protocolError)})
	}
	return all
}

func fragmented() []conformance {
	head, tail := ping[:9], ping[9:]
	whole := split(head, tail)
	return []conformance{
		{"5.1", "a ping in fragments", []part{{op: ws.OpPing, more: true, payload: "a"}, continued("b", false)}, 0, protocolError},
		{"5.2", "a pong in fragments", []part{{op: ws.OpPong, more: true, payload: "a"}, continued("b", false)}, 0, protocolError},
		{"5.3", "text in two fragments", whole, 0, []string{"ok"}},
		{"5.4", "text in two fragments, in segments", whole, 10, []string{"ok"}},
		{"5.5", "text in two fragments, byte by byte", whole, 1, []string{"ok"}},
		{"5.6", "a ping between fragments", []part{begun(head), pingOf("p"), continued(tail, false)}, 0, []string{"pong p", "ok"}},
		{"5.7", "a ping between fragments, in segments", []part{begun(head), pingOf("p"), continued(tail, false)}, 10, []string{"pong p", "ok"}},
		{"5.8", "a ping between fragments, byte by byte", []part{begun(head), pingOf("p"), continued(tail, false)}, 1, []string{"pong p", "ok"}},
		{"5.9", "a continuation of nothing, the last", []part{continued(ping, false), text(ping)}, 0, protocolError},
		{"5.10", "a continuation of nothing, in segments", []part{continued(ping, false), text(ping)}, 10, protocolError},
		{"5.11", "a continuation of nothing, byte by byte", []part{continued(ping, false)}, 1, protocolError},
		{"5.12", "a continuation of nothing, not the last", []part{continued(head, true), text(ping)}, 0, protocolError},
		{"5.13", "the same, in segments", []part{continued(head, true)}, 10, protocolError},
		{"5.14", "the same, byte by byte", []part{continued(head, true)}, 1, protocolError},
		{"5.15", "a continuation after a whole message", cat(whole, []part{continued("x", true), text(ping)}), 0, cat([]string{"ok"}, protocolError)},
		{"5.16", "continuations and texts in turn", []part{continued("x", true), text(ping), continued("x", true), text(ping)}, 0, protocolError},
		{"5.17", "continuations that end, and texts in turn", []part{continued("x", false), text(ping), continued("x", false)}, 0, protocolError},
		{"5.18", "a message within a message", []part{begun(head), text(tail)}, 0, protocolError},
		{"5.18 f", "a message begun within a message", []part{begun(head), begun(tail)}, 0, protocolError},
		{"5.18 b", "binary within a message", []part{begun(head), {op: ws.OpBinary, payload: tail}}, 0, protocolError},
		{"5.19", "five fragments and pings", []part{begun(ping[:2]), continued(ping[2:4], true), pingOf("1"), continued(ping[4:6], true), continued(ping[6:8], true), pingOf("2"), continued(ping[8:], false)}, 0, []string{"pong 1", "pong 2", "ok"}},
		{"5.20", "the same, byte by byte", []part{begun(ping[:2]), continued(ping[2:4], true), pingOf("1"), continued(ping[4:6], true), continued(ping[6:8], true), pingOf("2"), continued(ping[8:], false)}, 1, []string{"pong 1", "pong 2", "ok"}},
		{"5.21", "two messages in fragments", cat(whole, whole), 0, []string{"ok", "ok"}},
		{"5.22", "a frame that is not masked", []part{{op: ws.OpText, bare: true, payload: ping}}, 0, protocolError},
		{"5.23", "a ping that is not masked", []part{{op: ws.OpPing, bare: true}}, 0, protocolError},
		{"5.24", "a continuation that is not masked", []part{begun(head), {op: ws.OpContinuation, bare: true, payload: tail}}, 0, protocolError},
		{"5.25", "a pong between fragments", []part{begun(head), pongOf("p"), continued(tail, false)}, 0, []string{"ok"}},
	}
}

// texts is section 6: by byte sequences after Kuhn's UTF-8 decoder stress test.
func texts() []conformance {
	const greek = "cebae1bdb9cf83cebcceb5" // κόσμε
	all := []conformance{
		{"6.1.1", "empty text", []part{text("")}, 0, []string{"bad_request"}},
		{"6.1.2", "three empty fragments", split("", "", ""), 0, []string{"bad_request"}},
		{"6.1.3", "an empty fragment, a full one, an empty one", split("", ping, ""), 0, []string{"ok"}},
		{"6.2.1", "UTF-8 in one frame", []part{text("Hello-µ@ßöäüàá-UTF-8!!")}, 0, []string{"bad_request"}},
		{"6.2.2", "UTF-8, cut between runes", split("Hello-µ@ßöä", "üàá-UTF-8!!"), 0, []string{"bad_request"}},
		{"6.2.3", "UTF-8, every byte a fragment", fragments("Hello-µ@ßöäüàá-UTF-8!!", 1), 0, []string{"bad_request"}},
		{"6.2.4", "a command, cut within runes", fragments(`{"id":"κόσμε😀","type":"ping"}`, 1), 0, []string{"ok"}},
		{"6.3.1", "no UTF-8 in one frame", []part{text(unhex(greek + "eda080656469746564"))}, 0, notUTF8},
		{"6.3.2", "no UTF-8, every byte a fragment", fragments(unhex(greek+"eda080656469746564"), 1), 0, notUTF8},
		{"6.4.1", "refused with the fragment, before the end", []part{begun(unhex(greek)), continued(unhex("f4908080"), true)}, 0, notUTF8},
		{"6.4.2", "refused with the rune, before it is whole", []part{begun(unhex(greek + "f4")), continued(unhex("90"), true)}, 0, notUTF8},
		{"6.4.3", "refused within a frame", []part{{op: ws.OpText, payload: unhex(greek + "f4908080"), length: []byte{40}}}, 0, notUTF8},
		{"6.4.4", "refused within a frame, byte by byte", []part{{op: ws.OpText, payload: unhex(greek + "f490"), length: []byte{40}}}, 1, notUTF8},
		{"6.4.5", "refused with the last fragment, in the midst of a rune", split(unhex(greek), unhex("ce")), 0, notUTF8},
		{"6.4.6", "an empty last fragment does not complete a rune", split(unhex("ce"), ""), 0, notUTF8},
	}
	add := func(section string, ok bool, sequences ...string) {
		for i, s := range sequences {
			want := notUTF8
			if ok {
				want = []string{"bad_request"}
			}
			all = append(all, conformance{fmt.Sprintf("%s.%d", section, i+1), "bytes " + s, []part{text(unhex(s))}, 0, want})
		}
	}
	add("6.5", true, greek, greek+greek)
	for i := 1; i <= len(greek)/2; i++ { // every beginning of it
		prefix := greek[:2*i]
		ends := slices.Contains([]int{2, 5, 7, 9, 11}, i)
		all = append(all, conformance{
			fmt.Sprintf("6.6.%d", i), "bytes " + prefix,
			[]part{text(unhex(prefix))},
			0,
			map[bool][]string{true: {"bad_request"}, false: notUTF8}[ends],
		})
	}
	add("6.7", true, "00", "c280", "e0a080", "f0908080")
	add("6.8", false, "f888808080", "fc8480808080")
	add("6.9", true, "7f", "dfbf", "efbfbf", "f48fbfbf")
	add("6.10", false, "f7bfbfbf", "fbbfbfbfbf", "fdbfbfbfbfbf")
	add("6.11", true, "ed9fbf", "ee8080", "efbfbd", "f48fbfbf")
	add("6.11 i", false, "f4908080")
	add("6.12", false, "80", "bf", "80bf", "80bf80", "80bf80bf", "80bf80bf80bf80")
	add("6.13", false, "c020c120", "e020e120", "f020f120", "f820f920", "fc20")
	add("6.14", false, "c0", "e080", "f08080", "f8808080", "fc80808080", "df", "efbf", "f7bfbf", "fbbfbfbf", "fdbfbfbfbf")
	add("6.15", false, "c0e080f08080f8808080fc80808080dfefbff7bfbffbbfbfbffdbfbfbfbf")
	add("6.16", false, "fe", "ff", "fefeffff")
	add("6.17", false, "c0af", "e080af", "f08080af", "f8808080af", "fc80808080af")
	add("6.18", false, "c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf")
	add("6.19", false, "c080", "e08080", "f0808080", "f880808080", "fc8080808080")
	add("6.20", false, "eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf")
	add("6.21", false, "eda080edb080", "eda080edbfbf", "edadbfedb080", "edadbfedbfbf", "edae80edb080", "edae80edbfbf", "edafbfedb080", "edafbfedbfbf")
	add("6.22", true, "efbfbe", "efbfbf", "f09fbfbe", "f09fbfbf", "f48fbfbe", "f48fbfbf")
	add("6.23", true, "efbfb9", "efbfba", "efbfbb", "efbfbc", "efbfbd")
	return all
}

func unhex(s string) string {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err) // the table's mistake
	}
	return string(b)
}

func closes() []conformance {
	all := []conformance{
		{"7.1.1", "a message, then close", []part{text(ping), closeCode(1000, "")}, 0, cat([]string{"ok"}, closed(1000))},
		{"7.1.2", "close twice", []part{closeCode(1000, ""), closeCode(1000, "")}, 0, closed(1000)},
		{"7.1.3", "a ping after close", []part{closeCode(1000, ""), pingOf("x")}, 0, closed(1000)},
		{"7.1.4", "text after close", []part{closeCode(1000, ""), text(ping)}, 0, closed(1000)},
		{"7.1.5", "close between fragments", []part{begun(ping[:5]), closeCode(1000, ""), continued(ping[5:], false)}, 0, closed(1000)},
		{"7.1.6", "256 KiB, then close", []part{text(noise(256 << 10)), closeCode(1000, "")}, 0, tooBig},
		{"7.3.1", "close without a code", []part{closeOf("")}, 0, closed(1000)},
		{"7.3.2", "close with one byte", []part{closeOf("a")}, 0, protocolError},
		{"7.3.3", "close with a code", []part{closeCode(1000, "")}, 0, closed(1000)},
		{"7.3.4", "close with a reason", []part{closeCode(1000, "Hello World!")}, 0, closed(1000)},
		{"7.3.5", "close with the longest reason", []part{closeCode(1000, noise(123))}, 0, closed(1000)},
		{"7.3.6", "close with a reason too long", []part{closeCode(1000, noise(124))}, 0, protocolError},
		{"7.3.7", "close in fragments", []part{{op: ws.OpClose, more: true, payload: "\x03\xe8"}}, 0, protocolError},
		{"7.5.1", "a reason that is no UTF-8", []part{closeCode(1000, unhex("cebae1bdb9cf83cebcceb5eda080656469746564"))}, 0, notUTF8},
		{"7.5.2", "a reason that ends within a rune", []part{closeCode(1000, unhex("ce"))}, 0, notUTF8},
	}
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		all = append(all, conformance{fmt.Sprintf("7.7.%d", i+1), fmt.Sprintf("close %d", code), []part{closeCode(code, "")}, 0, closed(code)})
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		all = append(all, conformance{fmt.Sprintf("7.9.%d", i+1), fmt.Sprintf("close %d, which is no code", code), []part{closeCode(code, "")}, 0, protocolError})
	}
	return all
}

func bounds() []conformance {
	head := func(length ...byte) []part { return []part{{op: ws.OpText, length: length}} }
	return []conformance{
		{"9.1.1", "4096 bytes", []part{text(valid(4096))}, 0, []string{"ok"}},
		{"9.1.2", "4097 bytes", []part{text(valid(4097))}, 0, tooBig},
		{"9.1.3", "64 KiB", []part{text(noise(64 << 10))}, 0, tooBig},
		{"9.1.4", "4097 bytes, none of them sent", head(126, 0x10, 0x01), 0, tooBig},
		{"9.1.5", "64 KiB, none of them sent", head(127, 0, 0, 0, 0, 0, 1, 0, 0), 0, tooBig},
		{"9.1.6", "4 GiB, none of them sent", head(127, 0, 0, 0, 1, 0, 0, 0, 0), 0, tooBig},
		{"9.1.7", "2^63-1 bytes, none of them sent", head(127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 0, tooBig},
		{"9.1.8", "2^63 bytes", head(127, 0x80, 0, 0, 0, 0, 0, 0, 0), 0, protocolError},
		{"9.1.9", "2^64-1 bytes", head(127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 0, protocolError},
		{"9.1.10", "125 bytes in a length of 16 bits", head(126, 0, 125), 0, protocolError},
		{"9.1.11", "125 bytes in a length of 64 bits", head(127, 0, 0, 0, 0, 0, 0, 0, 125), 0, protocolError},
		{"9.1.12", "65535 bytes in a length of 64 bits", head(127, 0, 0, 0, 0, 0, 0, 0xff, 0xff), 0, protocolError},
		{"9.1.13", "64 KiB in a length byte by byte", head(127, 0, 0, 0, 0, 0, 1, 0, 0), 1, tooBig},
		{"9.3.1", "4096 bytes in fragments of 64", fragments(valid(4096), 64), 0, []string{"ok"}},
		{"9.3.2", "4096 bytes in fragments of 256", fragments(valid(4096), 256), 0, []string{"ok"}},
		{"9.3.3", "4097 bytes in fragments of 64", fragments(valid(4097), 64), 0, tooBig},
		{"9.3.4", "4097 bytes in two fragments, the last not sent", []part{begun(valid(4096)), {op: ws.OpContinuation, length: []byte{1}}}, 0, tooBig},
		{"9.3.5", "1024 fragments", fragments(valid(1024), 1), 0, []string{"ok"}},
		{"9.3.6", "1025 fragments", fragments(valid(1025), 1), 0, tooBig},
		{"9.3.7", "a million empty fragments", cat([]part{begun("")}, repeat(3000, continued("", true))), 0, tooBig},
		{"9.5.1", "4096 bytes in segments of 64", []part{text(valid(4096))}, 64, []string{"ok"}},
		{"9.5.2", "4096 bytes in segments of 1024", []part{text(valid(4096))}, 1024, []string{"ok"}},
		{"9.7.1", "200 messages", repeat(200, text(ping)), 0, repeat(200, "ok")},
		{"9.7.2", "200 messages in segments of 100", repeat(200, text(ping)), 100, repeat(200, "ok")},
	}
}

// TestConformance plays every case on a connection of its own. One that does not end it is
// followed by a command, which is answered.
func TestConformance(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	all := conformances()
	if len(all) < 100 {
		t.Fatalf("%d cases", len(all))
	}
	seen := map[string]bool{}
	for _, tt := range all {
		if seen[tt.id] {
			t.Fatalf("case %s stands there twice", tt.id)
		}
		seen[tt.id] = true
	}
	for part := range slices.Chunk(all, 8) { // as many connections at a time
		t.Run(part[0].id, func(t *testing.T) {
			t.Parallel()
			for _, tt := range part {
				tt.play(t, messagesTo(t, h.edge))
			}
		})
	}
}

func (tt conformance) play(t *testing.T, c *wsClient) {
	t.Helper()
	var data []byte
	for _, p := range tt.send {
		data = append(data, p.bytes()...)
	}
	ends := len(tt.want) > 0 && tt.want[len(tt.want)-1] == "end"
	if !ends {
		data = append(data, text(`{"id":"z","type":"ping"}`).bytes()...)
	}
	size := len(data)
	if tt.chop > 0 {
		size = tt.chop
	}
	for segment := range slices.Chunk(data, size) {
		if err := c.nc.SetWriteDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.nc.Write(segment); err != nil {
			break // refused before all was sent
		}
	}
	if got := c.until(); !slices.Equal(got, tt.want) {
		t.Errorf("%s, %s: %.300q, want %.300q", tt.id, tt.what, got, tt.want)
	}
	_ = c.nc.Close() // it may be reset
}
