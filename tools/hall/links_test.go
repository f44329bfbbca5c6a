package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gamehall/shared/event"
	"gamehall/shared/natstest"
	"gamehall/shared/streams"
	"gamehall/tools/check/proxy"
)

// link gives a way to addr that may break.
func link(t *testing.T, addr string) *proxy.Link {
	t.Helper()
	l, err := proxy.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // it is gone in any case
	return l
}

// TestFlapping: the link of a client breaks again and again, in every way. It comes back each
// time as the same session, misses nothing, and the hall is told of it once.
func TestFlapping(t *testing.T) {
	t.Parallel()
	h := openTwoEdges(t)
	links := []*proxy.Link{link(t, h.at[0].tcp), link(t, h.at[1].tcp)}
	v := travel(t, dialFrames(t, links[0].Addr()), "netease1")
	const rounds, each = 12, 5
	for i := range rounds {
		l := links[i%2]
		switch i % 3 {
		case 0:
			l.Cut()
		case 1:
			l.Reset()
		case 2: // nobody is told: the edge takes the connection for a good one
			l.Set(proxy.Held)
		}
		h.tell(t, streams.LobbyChannel, "", i*each, (i+1)*each)
		v.resume(dialFrames(t, links[(i+1)%2].Addr()), v.sinceJSON())
		l.Heal()
		v.until((i+1)*each, "lobby")
	}
	v.inOrder(rounds*each, "lobby")
	var told []string
	err := streams.Range(natstest.Context(t), h.js, streams.Subject(streams.LobbyChannel), 0, 1<<60, func(m streams.Msg) bool {
		if e, err := m.Decode("", 0); err == nil && e.Kind != event.Chat {
			told = append(told, e.Kind+" "+e.User)
		}
		return true
	})
	if want := []string{"joined netease1"}; err != nil || !slices.Equal(told, want) {
		t.Errorf("the hall was told %q, %v, want %q", told, err, want)
	}
	if got := v.asks(`{"id":"w","type":"who"}`); !got.OK {
		t.Errorf("who: %+v", got)
	}
}

// TestSlowLink: over 200 ms and 1 Mbit/s the hall is slow and nothing else: heartbeats are
// answered while much is said, and all of it arrives.
func TestSlowLink(t *testing.T) {
	t.Parallel()
	h := openTwoEdges(t)
	l := link(t, h.at[0].tcp)
	far := proxy.Direction{Delay: 100 * time.Millisecond, Rate: 1_000_000 / 8}
	l.Set(proxy.State{Up: far, Down: far})
	v := travel(t, dialFrames(t, l.Addr()), "netease1")
	const many = 1000
	var telling sync.WaitGroup
	telling.Go(func() { h.tell(t, streams.LobbyChannel, "", 0, many) })
	pings := 0
	for len(v.heard["lobby"]) < many {
		begun := time.Now()
		reply, before := v.ask(fmt.Sprintf(`{"id":"p%d","type":"ping"}`, pings))
		if !reply.OK {
			t.Fatalf("a heartbeat: %+v", reply)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("a heartbeat took %v", took)
		}
		pings++
		for _, s := range before {
			v.take(s)
		}
	}
	telling.Wait()
	v.inOrder(many, "lobby")
	t.Logf("%d heartbeats were answered meanwhile", pings)
}

// TestSliced: a transcript goes as ever when each byte, in both directions, comes in a segment of
// its own.
func TestSliced(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../edge/testdata/rooms.txt")
	if err != nil {
		t.Fatal(err)
	}
	sliced := proxy.State{Up: proxy.Direction{Slice: 1}, Down: proxy.Direction{Slice: 1}}
	for door, dial := range talkers {
		t.Run(door, func(t *testing.T) {
			t.Parallel()
			play(t, string(text), func(_ testing.TB, h hallAt) talker {
				tcp, http := link(t, h.tcp), link(t, h.http)
				tcp.Set(sliced)
				http.Set(sliced)
				return dial(t, hallAt{tcp: tcp.Addr(), http: http.Addr()})
			})
		})
	}
}

// TestManyFiles: an edge that may open few files takes no more people than those are enough for,
// serves whom it has, and takes others when some have left.
func TestManyFiles(t *testing.T) {
	t.Parallel()
	h := openCopies(t)
	h.services().serving()
	begun := exec.Command("sh", "-c", `ulimit -n 64 && exec hall run edge --nats "$0" --tcp 127.0.0.1:0 --http 127.0.0.1:0 --trusted-net 127.0.0.0/8`, h.url)
	edge := begin(t, begun).serving()
	ann := edge.signIn("netease1", "123")
	crowd := make([]*visitor, 100)
	for i := range crowd {
		crowd[i] = edge.connect() // the kernel takes them all
	}
	ann.says("room enough?")
	ann.hears("netease1: room enough?")
	edge.await(edge.log, regexp.MustCompile(`accept4?: too many open files`))
	for _, c := range crowd {
		_ = c.conn.Close()
	}
	natstest.Eventually(t, "another one is taken", func() bool {
		bob := dialTerminal(t, edge.tcp)
		bob.send("/SIGNIN netease2 123")
		return strings.HasPrefix(bob.line(), "system: welcome")
	})
	ann.hears("system: netease2 joined the hall")
	edge.stops(syscall.SIGTERM)
}
