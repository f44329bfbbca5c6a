package edge

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// wholeMessage is one message of messageOf.
var wholeMessage = regexp.MustCompile(`^<(\w+) (\d+) x*>`)

// model is what a socket must get: for each of the session's sources the messages that it is
// to have, in their order, and for those left or pushed what comes before what.
type model struct {
	box  outbox
	logs [slots]*log
	said [slots]int       // messages appended to the log so far
	hear [slots]bool      // the slot is open
	want map[string][]int // by source: the numbers to come, in order
	own  int
	must [][2]string // the first message comes before the second
	got  []byte      // what was sent and not read by check yet
	next map[string]int
	at   map[string]int // when a message came
	last string         // what was last to be sent before anything pushed later
}

func who(slot int) string { return "slot" + strconv.Itoa(slot) }

func (m *model) append(slot int, t *rapid.T) {
	m.said[slot]++
	m.logs[slot].append(messageOf(t, who(slot), m.said[slot]))
	if m.hear[slot] {
		m.want[who(slot)] = append(m.want[who(slot)], m.said[slot])
	}
}

func (m *model) push(t *rapid.T) {
	m.own++
	m.box.push(messageOf(t, "own", m.own))
	m.want["own"] = append(m.want["own"], m.own)
	if m.last != "" {
		m.must = append(m.must, [2]string{m.last, fmt.Sprintf("own %d", m.own)})
	}
}

func (m *model) leave(slot int) {
	m.box.leave(slot, m.logs[slot].end.Load())
	m.hear[slot] = false
	if due := m.want[who(slot)]; len(due) > 0 {
		m.last = fmt.Sprintf("%s %d", who(slot), due[len(due)-1])
	}
}

// send collects a batch and sends some of it: all, some bytes, or none.
func (m *model) send(t *rapid.T, all bool) int {
	size := 0
	pieces := m.box.batch(nil)
	for _, p := range pieces {
		size += len(p)
	}
	n := size
	if !all {
		n = rapid.IntRange(0, size).Draw(t, "sent")
	}
	m.got = append(m.got, bytes.Join(pieces, nil)[:n]...)
	m.box.sent(n)
	return n
}

// check reads what was sent: whole messages (but for the last), those that were to come.
func (m *model) check(t *rapid.T) {
	for {
		found := wholeMessage.FindSubmatch(m.got)
		if found == nil {
			break
		}
		who, n := string(found[1]), string(found[2])
		due := m.want[who]
		if m.next[who] == len(due) || strconv.Itoa(due[m.next[who]]) != n {
			t.Fatalf("got %s %s, want the %d-th of %v", who, n, m.next[who], due)
		}
		m.next[who]++
		m.at[who+" "+n] = len(m.at)
		m.got = m.got[len(found[0]):]
	}
	if bytes.IndexByte(m.got, '>') >= 0 || bytes.LastIndexByte(m.got, '<') > 0 {
		t.Fatalf("a message is torn: %.60q", m.got)
	}
}

// complete checks that nothing is missing, and what was to come before what.
func (m *model) complete(t *rapid.T) {
	m.check(t)
	if len(m.got) > 0 {
		t.Fatalf("the last message has no end: %.60q", m.got)
	}
	for who, due := range m.want {
		if m.next[who] != len(due) {
			t.Fatalf("%s: %d messages of %v came", who, m.next[who], due)
		}
	}
	for _, pair := range m.must {
		if m.at[pair[0]] > m.at[pair[1]] {
			t.Fatalf("%s came after %s", pair[0], pair[1])
		}
	}
}

// Whatever is told, pushed and left while a socket takes what it likes, it gets whole
// messages, each source's in their order and none twice, and the end of what it left before
// what was pushed after that.
func TestOutboxSendsWholeMessagesInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &model{want: map[string][]int{}, next: map[string]int{}, at: map[string]int{}}
		for slot := range slots {
			m.logs[slot] = newLog()
		}
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) { m.append(rapid.IntRange(0, slots-1).Draw(t, "slot"), t) },
			"push":   m.push,
			"push nothing": func(*rapid.T) {
				m.box.push(nil)
			},
			"hear or leave": func(t *rapid.T) {
				slot := rapid.IntRange(0, slots-1).Draw(t, "slot")
				if m.hear[slot] {
					m.leave(slot)
					return
				}
				m.box.hear(slot, m.logs[slot], m.logs[slot].here())
				m.hear[slot] = true
			},
			"send some": func(t *rapid.T) { m.send(t, false) },
			"send all":  func(t *rapid.T) { m.send(t, true) },
			"":          m.check,
		})
		for m.send(t, true) > 0 {
			m.check(t)
		}
		m.complete(t)
		if m.box.queue != nil || m.box.lag() != 0 || m.box.own() != 0 {
			t.Fatalf("nothing waits, and yet %d sources, lag %d, own %d", len(m.box.queue), m.box.lag(), m.box.own())
		}
	})
}

// What waits is counted: all of it, and what is the session's own.
func TestOutboxCountsWhatWaits(t *testing.T) {
	t.Parallel()
	var box outbox
	l := newLog()
	box.hear(slotLobby, l, l.here())
	l.append([]byte("0123456789"))
	box.push([]byte("abc"))
	if box.lag() != 13 || box.own() != 3 {
		t.Errorf("lag %d, own %d; want 13 and 3", box.lag(), box.own())
	}
	box.batch(nil)
	box.sent(5) // the session's own, and two bytes of the channel's
	if box.lag() != 8 || box.own() != 0 {
		t.Errorf("lag %d, own %d; want 8 and 0", box.lag(), box.own())
	}
	box.leave(slotLobby, l.end.Load())
	l.append([]byte("not for us"))
	if box.lag() != 8 {
		t.Errorf("lag %d after the leaving, want 8", box.lag())
	}
}

// A connection that is closed gets the rest of the message that had begun, and then only its
// last words.
func TestSilenceTearsNoMessage(t *testing.T) {
	t.Parallel()
	var box outbox
	l := newLog()
	box.hear(slotLobby, l, l.here())
	l.append([]byte("<one>"))
	l.append([]byte("<two>"))
	box.batch(nil)
	box.sent(3)
	l.append([]byte("<three>"))
	box.silence()
	box.push([]byte("<bye>"))
	var got []byte
	for {
		pieces := box.batch(nil)
		if len(pieces) == 0 {
			break
		}
		data := bytes.Join(pieces, nil)
		got = append(got, data...)
		box.sent(len(data))
	}
	if want := "e><two><bye>"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
