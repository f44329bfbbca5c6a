package load

import (
	"bytes"
	"fmt"
	"time"
)

// channel is what the clients of a run are told in common: a reference of it, made by whoever
// hears a line first, and for each client how far it is. It finds what is lost, doubled, or told
// to one in another order than to the others.
type channel struct {
	dialect Dialect
	marker  marker

	// The reference. Lines that everybody has are dropped from its front.
	told  []byte
	lines []line
	first int // the index of lines[0]
	from  int // the offset of told[0]

	// The clients.
	at    []int   // by client: the index of its next line, or one of those below
	start []int   // by client: the index of the first line that it was told
	count []int32 // how many clients are at an index, from first on, the end's too
	least int     // no client is behind it
	holes map[hole]struct{}

	// What the run's senders said.
	sent     []sentLine
	complete int // so many of them everybody has
	ours     int // so many of them are in the reference
	lastOf   map[int32]int64
	joins    map[string]int // by user: the index of its joining

	now      time.Duration // of what is taken, since the run's begin
	latency  histogram
	timed    int           // only clients below this one are in latency; 0 is all
	ourTold  uint64        // deliveries of the run's lines
	lastTold time.Duration // when somebody was told a line of it
	everyone uint64        // deliveries of all lines
	faults   Faults
}

// What a client is at besides an index.
const (
	outside = -1 // not in the channel
	fresh   = -2 // in it, and was told nothing yet
)

// line is one of the reference.
type line struct {
	end int // its offset in all that was told
	id  int64
	due time.Duration
}

// sentLine is a line that a sender said.
type sentLine struct {
	sender int32
	told   bool
	due    time.Duration
}

// hole is a line that a client was not told where others were.
type hole struct{ client, index int }

// Faults are what a server did wrong.
type Faults struct {
	Lost      int      `json:"lost"`
	Doubled   int      `json:"doubled"`
	Reordered int      `json:"reordered"`
	Closed    int      `json:"closed"`  // connections that the server ended
	Refused   int      `json:"refused"` // commands
	Said      []string `json:"said,omitempty"`
}

// saidMost bounds what is kept of each run's faults in words.
const saidMost = 8

// add notes in words what was wrong.
func (f *Faults) add(format string, args ...any) {
	if len(f.Said) < saidMost {
		f.Said = append(f.Said, fmt.Sprintf(format, args...))
	}
}

// Err is the faults as an error, nil if there are none.
func (f *Faults) Err() error {
	if f.Lost+f.Doubled+f.Reordered+f.Closed+f.Refused == 0 {
		return nil
	}
	text := fmt.Sprintf("not exact: %d lost, %d doubled, %d reordered, %d refused, %d connections closed",
		f.Lost, f.Doubled, f.Reordered, f.Refused, f.Closed)
	for _, s := range f.Said {
		text += "\n  " + s
	}
	return fmt.Errorf("%s", text)
}

func newChannel(d Dialect, m marker) *channel {
	return &channel{
		dialect: d, marker: m,
		count: make([]int32, 1), holes: map[hole]struct{}{}, lastOf: map[int32]int64{}, joins: map[string]int{},
	}
}

// begin starts another run with the same clients: its lines are numbered from 0 again, under
// another marker.
func (ch *channel) begin(m marker) {
	ch.marker = m
	ch.sent, ch.complete, ch.ours = ch.sent[:0], 0, 0
	ch.lastOf = map[int32]int64{}
	ch.latency, ch.ourTold, ch.everyone = histogram{}, 0, 0
	for i := range ch.lines {
		ch.lines[i].id = -1
	}
}

// enter adds a client, or one that was outside comes in: it is told all from now on.
func (ch *channel) enter(client int) {
	for len(ch.at) <= client {
		ch.at, ch.start = append(ch.at, outside), append(ch.start, -1)
	}
	ch.leave(client)
	ch.at[client], ch.start[client] = fresh, -1
}

// isFresh tells whether a client came in and was told nothing that is placed.
func (ch *channel) isFresh(client int) bool { return client < len(ch.at) && ch.at[client] == fresh }

// settle puts clients that were told nothing yet at the reference's end: from here on they must
// be told everything.
func (ch *channel) settle() {
	for client, at := range ch.at {
		if at == fresh {
			ch.place(client, ch.end())
		}
	}
}

// leave takes a client out.
func (ch *channel) leave(client int) {
	if client < len(ch.at) && ch.at[client] >= 0 {
		ch.uncount(ch.at[client])
	}
	if client < len(ch.at) {
		ch.at[client] = outside
	}
}

// say notes that a sender says the next line, due at this time, and gives its number.
func (ch *channel) say(sender int32, due time.Duration) int64 {
	ch.sent = append(ch.sent, sentLine{sender: sender, due: due})
	return int64(len(ch.sent) - 1)
}

// inFlight is how many of the run's lines not everybody has.
func (ch *channel) inFlight() int { return len(ch.sent) - ch.complete }

// end is the index of the line after the last.
func (ch *channel) end() int { return ch.first + len(ch.lines) }

// offset is where the line with this index begins in told.
func (ch *channel) offset(index int) int {
	if index == ch.first {
		return 0
	}
	return ch.lines[index-ch.first-1].end - ch.from
}

// take reads what a client was told and gives how much of it was taken; the rest is not whole, or
// waits for others to be told of it first. What is not the channel's goes to private.
func (ch *channel) take(client int, data []byte, private func(kind, []byte)) (int, error) {
	taken := 0
	for {
		taken += ch.compare(client, data[taken:])
		size, body, err := ch.dialect.cut(data[taken:])
		if err != nil {
			return taken, fmt.Errorf("%w: %.60q", err, data[taken:])
		}
		if size == 0 {
			return taken, nil
		}
		k := ch.dialect.classify(ch.marker, body)
		switch {
		case k.shared() && client < len(ch.at) && ch.at[client] == fresh && !ch.begins(client, k, data[taken:taken+size], body):
			return taken, nil
		case k.shared() && client < len(ch.at) && ch.at[client] != outside:
			ch.hear(client, k, data[taken:taken+size], body)
		case !k.shared():
			private(k, body)
		}
		taken += size
	}
}

// compare takes as many whole lines as are the reference's next ones.
func (ch *channel) compare(client int, data []byte) int {
	if client >= len(ch.at) || ch.at[client] < 0 {
		return 0
	}
	at := ch.at[client]
	begin := ch.offset(at)
	n := min(len(data), len(ch.told)-begin)
	if n == 0 || !bytes.Equal(data[:n], ch.told[begin:begin+n]) {
		return 0
	}
	to := at
	for to < ch.end() && ch.offset(to+1)-begin <= n {
		to++
	}
	if to == at {
		return 0
	}
	size := ch.offset(to) - begin
	ch.move(client, to)
	return size
}

// move takes a client on to another line, having been told all before it.
func (ch *channel) move(client, to int) {
	at := ch.at[client]
	for i := at; i < to; i++ {
		if l := &ch.lines[i-ch.first]; l.id >= 0 {
			if ch.timed == 0 || client < ch.timed {
				ch.latency.add(ch.now - l.due)
			}
			ch.ourTold++
		}
	}
	ch.everyone += uint64(to - at)
	ch.lastTold = ch.now
	ch.place(client, to)
}

// place puts a client at a line.
func (ch *channel) place(client, to int) {
	from := ch.at[client]
	ch.at[client] = to
	ch.count[to-ch.first]++
	if ch.start[client] < 0 {
		ch.start[client] = to
	}
	if from >= 0 {
		ch.uncount(from)
	} else {
		for ; ch.least > to; ch.least-- { // everybody has a line, until another one comes in before it
			if ch.lines[ch.least-1-ch.first].id >= 0 {
				ch.complete--
			}
		}
	}
}

// uncount takes a client from an index, and moves on to where the last one is.
func (ch *channel) uncount(index int) {
	ch.count[index-ch.first]--
	for ch.least < ch.end() && ch.count[ch.least-ch.first] == 0 {
		if ch.lines[ch.least-ch.first].id >= 0 {
			ch.complete++
		}
		ch.least++
	}
	ch.drop()
}

// keptMost is how many lines that everybody has are kept.
const keptMost = 1 << 15

// drop forgets lines that everybody has. Half of them stay, so that a line which comes again is
// known.
func (ch *channel) drop() {
	if ch.least-ch.first < 2*keptMost {
		return
	}
	n := ch.least - ch.first - keptMost
	cut := ch.offset(ch.first + n)
	ch.told = append(ch.told[:0], ch.told[cut:]...)
	ch.lines = append(ch.lines[:0], ch.lines[n:]...)
	ch.count = append(ch.count[:0], ch.count[n:]...)
	ch.first, ch.from = ch.first+n, ch.from+cut
}

// hear takes one line that a client was told, and that is not the reference's next one for it as
// far as was seen.
func (ch *channel) hear(client int, k kind, message, body []byte) {
	at := ch.at[client]
	if at < ch.end() {
		index := ch.find(message, at)
		if index < 0 && at > ch.first {
			if earlier := ch.find(message, ch.first); earlier >= 0 {
				ch.again(client, earlier, body)
				return
			}
		}
		if index < 0 {
			index = ch.end() // it is ahead of everybody, and missed what they were told
		}
		for i := at; i < index; i++ {
			ch.holes[hole{client, i}] = struct{}{}
		}
		if index > at {
			ch.faults.Lost += index - at
			ch.faults.add("client %d was not told %d lines before %.120q", client, index-at, body)
			ch.place(client, index)
		}
		at = index
	}
	if at == ch.end() {
		if earlier := ch.recent(message); earlier >= 0 {
			ch.again(client, earlier, body)
			return
		}
		ch.extend(k, message, body)
	}
	ch.move(client, at+1)
}

// begins places a client by the first line that it is told: it came in somewhere, which is judged
// in the end ([channel.arrived]). A line that the reference does not have yet must wait until
// those who are in it have told it, for only they know what stands before it.
func (ch *channel) begins(client int, k kind, message, body []byte) bool {
	index, known := -1, false
	if k == joined {
		index, known = ch.joins[ch.dialect.who(body)]
		known = known && index >= ch.first && bytes.Equal(message, ch.told[ch.offset(index):ch.offset(index+1)])
	}
	if !known {
		index = ch.findLast(message)
	}
	if index < 0 {
		return false
	}
	ch.place(client, index)
	return true
}

// again judges a line that the client should have had, and perhaps had.
func (ch *channel) again(client, index int, body []byte) {
	missed := hole{client, index}
	if _, ok := ch.holes[missed]; ok {
		delete(ch.holes, missed)
		ch.faults.Lost--
		ch.faults.Reordered++
		ch.faults.add("client %d was told in another order than others: %.120q", client, body)
		return
	}
	ch.faults.Doubled++
	ch.faults.add("client %d was told twice: %.120q", client, body)
}

// find gives the index of a message in the reference, from an index on, or -1.
func (ch *channel) find(message []byte, from int) int {
	for i := from; i < ch.end(); i++ {
		if bytes.Equal(message, ch.told[ch.offset(i):ch.offset(i+1)]) {
			return i
		}
	}
	return -1
}

// findLast is find for who is likely near the end.
func (ch *channel) findLast(message []byte) int {
	for i := ch.end() - 1; i >= ch.first; i-- {
		if bytes.Equal(message, ch.told[ch.offset(i):ch.offset(i+1)]) {
			return i
		}
	}
	return -1
}

// recentMost is how far back a line at the reference's end is looked for: a run's own lines are
// known by their number whenever they were told.
const recentMost = 64

// recent finds a message that the reference has already. Equal bytes of others' lines may be told
// twice, so only the run's own count.
func (ch *channel) recent(message []byte) int {
	id := ch.marker.id(message)
	if id < 0 || id >= int64(len(ch.sent)) || !ch.sent[id].told {
		return -1
	}
	for i := ch.end() - 1; i >= max(ch.first, ch.end()-recentMost); i-- {
		if ch.lines[i-ch.first].id == id {
			return i
		}
	}
	return ch.first
}

// extend adds a line to the reference, and gives its index.
func (ch *channel) extend(k kind, message, body []byte) int {
	index := ch.end()
	ch.told = append(ch.told, message...)
	l := line{end: ch.from + len(ch.told), id: -1}
	switch k {
	case joined:
		ch.joins[ch.dialect.who(body)] = index
	case said:
		if id := ch.marker.id(body); id >= int64(len(ch.sent)) {
			ch.faults.add("a line was told that nobody said: %.120q", body)
			ch.faults.Doubled++
		} else if id >= 0 {
			s := &ch.sent[id]
			if last, ok := ch.lastOf[s.sender]; ok && last > id {
				ch.faults.Reordered++
				ch.faults.add("line %d of one sender was told after its line %d", id, last)
			}
			ch.lastOf[s.sender] = id
			s.told = true
			ch.ours++
			l.id, l.due = id, s.due
		}
	}
	ch.lines, ch.count = append(ch.lines, l), append(ch.count, 0)
	return index
}

// missing counts what was said and not told to everybody, and notes it as lost. It is asked at a
// run's end, when nothing comes any more.
func (ch *channel) missing() {
	for id, s := range ch.sent {
		if !s.told {
			ch.faults.Lost++
			ch.faults.add("line %d was said and told to nobody", id)
		}
	}
	for client, at := range ch.at {
		if at >= 0 && at < ch.end() {
			ch.faults.Lost += ch.end() - at
			ch.faults.add("client %d lacks the last %d lines", client, ch.end()-at)
		}
	}
}

// seq is the lobby's sequence of the last line that a client was told, or before, when it was
// told none. Only objects have one.
func (ch *channel) seq(client int, before int64) int64 {
	if client >= len(ch.at) || ch.at[client] <= max(ch.first, ch.start[client]) {
		return before
	}
	at := ch.at[client]
	return number(ch.told[ch.offset(at-1):ch.offset(at)], "seq")
}

// arrived judges who signed in by name: each must have been told all from behind its own joining
// on. Who came before anybody listened is in no reference.
func (ch *channel) arrived(users []string) {
	for client, name := range users {
		own, ok := ch.joins[name]
		switch start := ch.start[client]; {
		case !ok || start < 0:
		case start > own+1:
			ch.faults.Lost += start - own - 1
			ch.faults.add("%s was not told the first %d lines after its joining", name, start-own-1)
		case start < own+1:
			ch.faults.Doubled += own + 1 - start
			ch.faults.add("%s was told %d lines from before its joining", name, own+1-start)
		}
	}
}
