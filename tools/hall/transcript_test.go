package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gamehall/services/game21"
)

// lineWait bounds the wait for one line; a round of the game's transcript lasts 4 s.
const lineWait = 30 * time.Second

// TestTranscripts plays what stands in edge/testdata against a whole hall, each on one of its
// own, through every door: as lines, as frames and as WebSocket messages.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../edge/testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			if testing.Short() && filepath.Base(file) == "game.txt" {
				t.Skip("its rounds last seconds by the clock: with the race detector, which is slow, they may be over too soon")
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			// At one time, whatever -parallel says: they mostly wait for rounds of the game.
			var all sync.WaitGroup
			defer all.Wait()
			for door, dial := range talkers {
				all.Go(func() { t.Run(door, func(t *testing.T) { play(t, string(text), dial) }) })
			}
		})
	}
}

// talker is a person's client: what is typed is sent, and what is shown read.
type talker interface {
	send(line string)
	// line gives the next line without its time; it is empty when the hall has closed the
	// connection.
	line() string
	// close leaves the hall by closing the connection.
	close()
	over() bool
}

// talkers are the doors that a person may come in by.
var talkers = map[string]func(testing.TB, hallAt) talker{
	"lines": func(t testing.TB, h hallAt) talker { t.Helper(); return dialTerminal(t, h.tcp) },
	"frames": func(t testing.TB, h hallAt) talker {
		t.Helper()
		return &translator{t: t, p: dialFrames(t, h.tcp)}
	},
	"websocket": func(t testing.TB, h hallAt) talker {
		t.Helper()
		return &translator{t: t, p: dialSocket(t, h.http)}
	},
}

// play plays one transcript, with every client at one door.
func play(t *testing.T, text string, dial func(testing.TB, hallAt) talker) {
	t.Helper()
	lines := strings.Split(text, "\n")
	var flags []string
	if rest, ok := strings.CutPrefix(lines[0], "# flags: "); ok {
		flags = strings.Fields(rest)
	}
	p := &player{t: t, hall: openDoors(t, flags...), dial: dial, clients: map[string]talker{}}
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		p.at = i + 1
		who, what, ok := strings.Cut(line, ":")
		if !ok || len(who) < 2 {
			t.Fatalf("line %d: %q is none of C, S, A and X", p.at, line)
		}
		what = strings.TrimPrefix(what, " ")
		switch who[0] {
		case 'C':
			p.client(who[1:]).send(p.expressions(what))
		case 'S':
			p.want(p.client(who[1:]), what)
		case 'A':
			patterns := []string{what}
			for i+1 < len(lines) && strings.HasPrefix(lines[i+1], who+": ") {
				i++
				patterns = append(patterns, strings.TrimPrefix(lines[i], who+": "))
			}
			p.wantAll(p.client(who[1:]), patterns)
		case 'X':
			p.client(who[1:]).close()
		default:
			t.Fatalf("line %d: %q is none of C, S, A and X", p.at, line)
		}
	}
	// Nothing was told to anybody that the transcript does not have.
	for name, c := range p.clients {
		if c.over() {
			continue
		}
		c.send("/PING")
		if got := c.line(); got != "system: pong" && got != "" {
			t.Errorf("client %s was told more: %q", name, got)
		}
	}
}

// player is a transcript being played.
type player struct {
	t       *testing.T
	hall    hallAt
	dial    func(testing.TB, hallAt) talker
	at      int // line of the transcript
	clients map[string]talker
	hand    game21.Numbers
	found   game21.Numbers   // the hand that all is of
	all     []game21.Verdict // its answers, by value
}

func (p *player) client(name string) talker {
	p.t.Helper()
	c := p.clients[name]
	if c == nil {
		c = p.dial(p.t, p.hall)
		p.clients[name] = c
	}
	return c
}

// want reads c's next line and compares it with a pattern.
func (p *player) want(c talker, pattern string) {
	p.t.Helper()
	if got := c.line(); !p.fits(got, pattern) {
		p.t.Fatalf("line %d: got %q, want %q", p.at, got, pattern)
	}
}

// wantAll reads as many lines as there are patterns, which may come in any order: a reply
// and an event that follows from the same command.
func (p *player) wantAll(c talker, patterns []string) {
	p.t.Helper()
	for left := patterns; len(left) > 0; {
		got := c.line()
		i := slices.IndexFunc(left, func(pattern string) bool { return p.fits(got, pattern) })
		if i < 0 {
			p.t.Fatalf("line %d: got %q, want one of %q", p.at, got, left)
		}
		left = slices.Delete(slices.Clone(left), i, i+1)
	}
}

// fits compares a line with a pattern, and remembers the numbers of a round.
func (p *player) fits(got, pattern string) bool {
	p.t.Helper()
	quoted := regexp.QuoteMeta(p.expressions(pattern))
	for _, word := range []string{"low", "high", "over"} {
		if strings.Contains(quoted, "<"+word+">") {
			quoted = strings.ReplaceAll(quoted, "<"+word+">", regexp.QuoteMeta(p.value(word)))
		}
	}
	for word, re := range map[string]string{
		"n": `\d+`, "any": `.*`, "time": `\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`, "numbers": `(\d+) (\d+) (\d+) (\d+)`,
	} {
		quoted = strings.ReplaceAll(quoted, "<"+word+">", re)
	}
	match := regexp.MustCompile("^" + quoted + "$").FindStringSubmatch(got)
	if match != nil && strings.Contains(pattern, "<numbers>") {
		for i := range p.hand {
			p.hand[i], _ = strconv.Atoi(match[i+1])
		}
	}
	return match != nil
}

// answer is an expression of the hand for each word of the transcripts.
func (p *player) answer(word string) (game21.Verdict, bool) {
	if p.hand == (game21.Numbers{}) {
		return game21.Verdict{}, false
	}
	if p.found != p.hand { // looked for once a hand: a round lasts 4 s
		p.found, p.all = p.hand, everyAnswer(p.hand)
	}
	all := p.all
	i := -1
	switch word {
	case "21":
		i = slices.IndexFunc(all, func(v game21.Verdict) bool { return v.Value.Is21() })
	case "over":
		i = slices.IndexFunc(all, func(v game21.Verdict) bool { return v.Value.Void() })
	case "low":
		i = 0
	case "high":
		for k, v := range all {
			if !v.Value.Void() && !v.Value.Is21() {
				i = k
			}
		}
	}
	if i < 0 {
		p.t.Fatalf("line %d: the numbers %v have no answer for {%s}", p.at, p.hand, word)
	}
	return all[i], true
}

func (p *player) value(word string) string {
	if v, ok := p.answer(word); ok {
		return v.Value.String()
	}
	return ""
}

func (p *player) expressions(text string) string {
	for _, word := range []string{"21", "over", "low", "high"} {
		if !strings.Contains(text, "{"+word+"}") {
			continue
		}
		if v, ok := p.answer(word); ok {
			text = strings.ReplaceAll(text, "{"+word+"}", v.Expression)
		}
	}
	return text
}

// everyAnswer gives expressions of the hand, by value: every order of the numbers, every
// operator, every way to set parentheses.
func everyAnswer(hand game21.Numbers) []game21.Verdict {
	var all []game21.Verdict
	var orders func(done []int, left []int)
	orders = func(n, left []int) {
		if len(left) > 0 {
			for i := range left {
				orders(append(slices.Clone(n), left[i]), slices.Delete(slices.Clone(left), i, i+1))
			}
			return
		}
		for ops := range 64 {
			o := func(i int) byte { return "+-*/"[ops>>(2*i)&3] }
			for _, form := range []string{
				"((%d%c%d)%c%d)%c%d", "(%d%c(%d%c%d))%c%d", "(%d%c%d)%c(%d%c%d)", "%d%c((%d%c%d)%c%d)", "%d%c(%d%c(%d%c%d))",
			} {
				if v, err := game21.Judge(fmt.Sprintf(form, n[0], o(0), n[1], o(1), n[2], o(2), n[3]), hand); err == nil {
					all = append(all, v)
				}
			}
		}
	}
	orders(nil, hand[:])
	slices.SortStableFunc(all, func(a, b game21.Verdict) int { return a.Value.Cmp(b.Value) })
	return all
}

// terminal is a player's, such as nc.
type terminal struct {
	t      testing.TB
	nc     net.Conn
	in     *bufio.Reader
	closed bool
}

func dialTerminal(t testing.TB, addr string) *terminal {
	t.Helper()
	nc, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return &terminal{t: t, nc: nc, in: bufio.NewReader(nc)}
}

func (c *terminal) send(line string) {
	c.t.Helper()
	if _, err := c.nc.Write([]byte(line + "\n")); err != nil {
		c.t.Fatalf("type %q: %v", line, err)
	}
}

// line reads a line without its time; it is empty when the hall has closed the connection.
func (c *terminal) line() string {
	c.t.Helper()
	if err := c.nc.SetReadDeadline(time.Now().Add(lineWait)); err != nil {
		c.t.Fatal(err)
	}
	line, err := c.in.ReadString('\n')
	if err != nil && line == "" && !os.IsTimeout(err) {
		c.close()
		return ""
	}
	const stamp = "2006-01-02 15:04:05 "
	if err != nil || len(line) < len(stamp) {
		c.t.Fatalf("read %q: %v", line, err)
	}
	if _, err := time.Parse(stamp, line[:len(stamp)]); err != nil {
		c.t.Fatalf("line %q does not begin with its time: %v", line, err)
	}
	return strings.TrimSuffix(line[len(stamp):], "\n")
}

func (c *terminal) over() bool { return c.closed }

// close vanishes, as a terminal does that is closed.
func (c *terminal) close() {
	c.closed = true
	if err := c.nc.Close(); err != nil {
		c.t.Errorf("close: %v", err)
	}
}

// openHall is openDoors for terminals alone.
func openHall(t testing.TB, flags ...string) string {
	t.Helper()
	return openDoors(t, flags...).tcp
}

// hallAt is where a hall is reached.
type hallAt struct{ tcp, http, web, nats string }

// openDoors opens a whole hall in this process, on free ports and a folder of its own. It
// stops, cleanly, with the test.
func openDoors(t testing.TB, flags ...string) hallAt {
	t.Helper()
	args := append([]string{
		"up", "--data", t.TempDir(), "--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0",
		"--nats-listen", "127.0.0.1:0", "--log-level", "error", "--rate", "0",
	}, flags...)
	var stderr bytes.Buffer
	cmd, err := parse(args, &stderr, &stderr)
	if err != nil {
		t.Fatalf("hall %v: %v", args, err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	told := &firstWords{done: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- cmd.run(ctx, told, &stderr) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("stop the hall: %v", err)
		}
		if stderr.Len() > 0 {
			t.Logf("the hall logged:\n%s", stderr.String())
		}
	})
	select {
	case <-told.done:
	case err := <-ended:
		ended <- err
		t.Fatalf("hall %v: %v", args, err)
	case <-time.After(lineWait):
		t.Fatal("the hall does not open")
	}
	where := regexp.MustCompile(`(?s)(?:nc (\S+) (\d+) .*|tls://(\S+))\s.* (https?://(\S+)).* (nats://\S+)`)
	match := where.FindStringSubmatch(told.text.String())
	if match == nil {
		t.Fatalf("the hall does not say how to connect: %q", told.text.String())
	}
	at := hallAt{tcp: match[3], web: match[4], http: match[5], nats: match[6]}
	if at.tcp == "" {
		at.tcp = net.JoinHostPort(match[1], match[2])
	}
	return at
}

// firstWords keeps what the hall says when it opens.
type firstWords struct {
	once sync.Once
	text bytes.Buffer
	done chan struct{}
}

func (f *firstWords) Write(p []byte) (int, error) {
	n, err := f.text.Write(p)
	f.once.Do(func() { close(f.done) })
	return n, err
}
