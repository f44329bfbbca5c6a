package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gamehall/services/game21"
	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/wire"
)

const protocolFile = "../../edge/PROTOCOL.md"

// block is a fenced block of the document.
type block struct {
	kind  string
	at    int // its first line
	lines []string
}

func blocks(t *testing.T) (all []block, text string) {
	t.Helper()
	data, err := os.ReadFile(protocolFile)
	if err != nil {
		t.Fatal(err)
	}
	var open *block
	for i, line := range strings.Split(string(data), "\n") {
		fence, is := strings.CutPrefix(line, "```")
		switch {
		case is && open == nil:
			open = &block{kind: fence, at: i + 2}
		case is:
			all = append(all, *open)
			open = nil
		case open != nil:
			open.lines = append(open.lines, line)
		}
	}
	return all, string(data)
}

// TestProtocol plays the document's examples, in their order, through both doors of programs.
func TestProtocol(t *testing.T) {
	t.Parallel()
	all, _ := blocks(t)
	flags := map[string][]string{
		"hall":      {"--game21-first", "1h"},
		"hall game": {"--game21-first", "4s", "--game21-duration", "1m", "--game21-period", "1h", "--game21-solvable"},
	}
	for kind, args := range flags {
		for door, dial := range doors {
			t.Run(kind+" by "+door, func(t *testing.T) {
				t.Parallel()
				r := &reading{t: t, hall: openDoors(t, args...), dial: dial, clients: map[string]*program{}, known: map[string]any{}}
				played := 0
				for _, b := range all {
					if b.kind == kind {
						r.play(b)
						played++
					}
				}
				if played < 4 {
					t.Errorf("%d blocks were played", played)
				}
			})
		}
	}
}

// reading is the document, being played.
type reading struct {
	t       *testing.T
	hall    hallAt
	dial    func(testing.TB, hallAt) *program
	clients map[string]*program
	known   map[string]any // what placeholders stand for
}

// step is a line of an example.
var step = regexp.MustCompile(`^(?:([a-z]+) )?(→|←|×) ?(.*)$`)

// expected is what a client is to be told, and where that stands.
type expected struct {
	line    int
	pattern string
}

// play plays a block. What is told between two lines that are sent may come in any order.
func (r *reading) play(b block) {
	r.t.Helper()
	due := map[string][]expected{}
	for i, line := range b.lines {
		m := step.FindStringSubmatch(line)
		if m == nil {
			r.t.Fatalf("line %d: %q is no step", b.at+i, line)
		}
		who, what := m[1], m[3]
		if m[2] == "←" {
			due[who] = append(due[who], expected{b.at + i, what})
			continue
		}
		r.hear(due)
		clear(due)
		c := r.client(who)
		if m[2] == "×" {
			c.lose()
			delete(r.clients, who)
			continue
		}
		if !c.send([]byte(r.filled(what, b.at+i))) {
			r.t.Fatalf("line %d: the connection has ended", b.at+i)
		}
	}
	r.hear(due)
	r.quiet(b)
}

func (r *reading) client(who string) *program {
	r.t.Helper()
	if r.clients[who] == nil {
		r.clients[who] = r.dial(r.t, r.hall)
	}
	return r.clients[who]
}

// hear reads what every client is due.
func (r *reading) hear(due map[string][]expected) {
	r.t.Helper()
	for who, left := range due {
		for len(left) > 0 {
			object, ok := r.client(who).next()
			if !ok {
				r.t.Fatalf("line %d: the connection ended", left[0].line)
			}
			i := slices.IndexFunc(left, func(e expected) bool { return r.fits(object, e) })
			if i < 0 {
				r.t.Fatalf("line %d: %s was told\n%s\nwhich is none of\n%+v\nwith %v", left[0].line, orMe(who), object, left, r.known)
			}
			left = slices.Delete(left, i, i+1)
		}
	}
}

func orMe(who string) string {
	if who == "" {
		return "the client"
	}
	return who
}

// quiet asserts that no client was told more than stands there. One that was closed is gone.
func (r *reading) quiet(b block) {
	r.t.Helper()
	for _, who := range slices.Collect(maps.Keys(r.clients)) {
		c := r.clients[who]
		if c.send([]byte(`{"id":"quiet","type":"ping"}`)) {
			object, ok := c.next()
			if ok && string(object) == `{"type":"reply","re":"quiet","ok":true}` {
				continue
			}
			if ok {
				r.t.Errorf("the block of line %d: %s was told more: %s", b.at, orMe(who), object)
			}
		}
		delete(r.clients, who)
	}
}

var placeholder = regexp.MustCompile(`<([a-z0-9 ]+)>`)

// filled is an example with what its placeholders stand for.
func (r *reading) filled(text string, line int) string {
	r.t.Helper()
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		v, ok := r.value(p[1 : len(p)-1])
		if !ok {
			r.t.Fatalf("line %d: nobody knows %s yet", line, p)
		}
		data, err := json.Marshal(v)
		if err != nil {
			r.t.Fatal(err)
		}
		return string(data)
	})
}

// value is what a name stands for: what was heard first, or an answer to the round.
func (r *reading) value(name string) (any, bool) {
	if v, ok := r.known[name]; ok {
		return v, true
	}
	var hand game21.Numbers
	for i, n := range []string{"a", "b", "c", "d"} {
		number, ok := r.known[n].(json.Number)
		if !ok {
			return nil, false
		}
		v, err := number.Int64()
		if err != nil {
			return nil, false
		}
		hand[i] = int(v)
	}
	all := everyAnswer(hand)
	switch name {
	case "low":
		return all[0].Expression, true
	case "value of low":
		return all[0].Value.String(), true
	case "21":
		i := slices.IndexFunc(all, func(v game21.Verdict) bool { return v.Value.Is21() })
		return all[i].Expression, true
	}
	return nil, false
}

// fits compares an object with an example, member by member, and takes what is new in it.
func (r *reading) fits(object []byte, e expected) bool {
	r.t.Helper()
	var got, want any
	if err := decode(object, &got); err != nil {
		r.t.Fatalf("line %d: %s: %v", e.line, object, err)
	}
	if err := decode([]byte(placeholder.ReplaceAllString(e.pattern, `"\u0001$1"`)), &want); err != nil {
		r.t.Fatalf("line %d: %s: %v", e.line, e.pattern, err)
	}
	learned := map[string]any{}
	if !r.equal(got, want, learned) {
		return false
	}
	maps.Copy(r.known, learned)
	return true
}

func decode(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(v)
}

func (r *reading) equal(got, want any, learned map[string]any) bool {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for name, v := range w {
			if have, ok := g[name]; !ok || !r.equal(have, v, learned) {
				return false
			}
		}
		return true
	case []any:
		g, ok := got.([]any)
		return ok && slices.EqualFunc(g, w, func(a, b any) bool { return r.equal(a, b, learned) })
	case string:
		name, is := strings.CutPrefix(w, "\x01")
		if !is {
			return got == want
		}
		return r.stands(name, got, learned)
	}
	return got == want
}

// stands tells whether got may stand where a placeholder is.
func (r *reading) stands(name string, got any, learned map[string]any) bool {
	text, isText := got.(string)
	_, isNumber := got.(json.Number)
	switch name {
	case "text":
		return isText && text != ""
	case "n":
		return isNumber
	case "time":
		_, err := time.Parse(time.RFC3339Nano, text)
		return err == nil && strings.HasSuffix(text, "Z")
	}
	for _, have := range []map[string]any{learned, r.known} {
		if v, ok := have[name]; ok {
			return v == got
		}
	}
	if v, ok := r.value(name); ok {
		return v == got
	}
	learned[name] = got
	return isText || isNumber
}

// TestProtocolIsWhole: nothing that a client can say or be told is missing in the document.
func TestProtocolIsWhole(t *testing.T) {
	t.Parallel()
	all, text := blocks(t)
	sent, told := map[string]bool{}, map[string]bool{}
	for _, b := range all {
		for _, line := range b.lines {
			switch m := step.FindStringSubmatch(line); {
			case b.kind == "json":
				told[wellFormed(t, b, line)] = true
			case m == nil || !strings.HasPrefix(b.kind, "hall"):
			case m[2] == "→":
				sent[member(m[3], "type")] = true
			case m[2] == "←":
				told[member(m[3], "event")] = true
				if code := member(m[3], "code"); code != "" && !fault.Code(code).Known() {
					t.Errorf("%s is no code", code)
				}
			}
		}
	}
	for _, kind := range wire.Types() {
		if !sent[kind] {
			t.Errorf("no example sends %s", kind)
		}
		if !strings.Contains(text, "\n| `"+kind+"` |") {
			t.Errorf("%s is not among all types", kind)
		}
	}
	for _, kind := range []string{
		event.Chat, event.Joined, event.Left, event.RoomChat, event.RoomJoined, event.RoomLeft, event.Game21Started,
		event.Game21Answered, event.Game21Ended, wire.KindWhisper, wire.KindNotice, wire.KindGap, wire.KindClosing,
	} {
		if !told[kind] {
			t.Errorf("no example tells %s", kind)
		}
		if !regexp.MustCompile("\n\\|[^|]*`" + regexp.QuoteMeta(kind) + "`[^|]*\\|").MatchString(text) {
			t.Errorf("%s is not among all events", kind)
		}
	}
	for _, code := range fault.Codes() {
		if !strings.Contains(text, fmt.Sprintf("\n| %#q |", code)) {
			t.Errorf("%s is not among all errors", code)
		}
	}
	for _, reason := range []wire.Reason{
		wire.Restart, wire.Unavailable, wire.SlowConsumer, wire.SignedInElsewhere, wire.Idle, wire.Heartbeat, wire.Protocol,
	} {
		if !strings.Contains(text, fmt.Sprintf("\n| %#q |", reason)) {
			t.Errorf("%s is not among the reasons", reason)
		}
	}
}

// member gives the member of an example's object.
func member(object, name string) string {
	m := regexp.MustCompile(`"` + name + `":"([^"]+)"`).FindStringSubmatch(object)
	if m == nil {
		return ""
	}
	return m[1]
}

// wellFormed gives the kind of an event that no test can bring about at will, which has to be
// as the edge would write it.
func wellFormed(t *testing.T, b block, line string) string {
	t.Helper()
	m, err := wire.ParseMessage([]byte(line))
	if err != nil || m.Private == nil {
		t.Fatalf("line %d: %s: %+v, %v", b.at, line, m, err)
	}
	at, err := time.Parse(time.RFC3339Nano, member(line, "at"))
	if err != nil {
		t.Fatalf("line %d: %v", b.at, err)
	}
	if written := string(wire.PrivateObject(*m.Private, at)); written != line {
		t.Errorf("line %d: the edge writes\n%s", b.at, written)
	}
	return m.Private.Kind
}
