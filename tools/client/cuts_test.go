package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"gamehall/shared/event"
	"gamehall/shared/wire"
)

// cutter breaks a connection after some bytes.
type cutter struct {
	net.Conn
	mu   sync.Mutex
	left int // negative: for ever
}

func (c *cutter) spend(n int) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left < 0 {
		return n, nil
	}
	n = min(n, c.left)
	c.left -= n
	if n == 0 {
		_ = c.Conn.Close()
		return 0, errors.New("cut")
	}
	return n, nil
}

func (c *cutter) arm(left int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = left
}

func (c *cutter) Write(p []byte) (int, error) {
	n, err := c.spend(len(p))
	if err != nil {
		return 0, err
	}
	if m, err := c.Conn.Write(p[:n]); err != nil || n == len(p) {
		return m, err
	}
	_ = c.Conn.Close()
	return n, errors.New("cut")
}

func (c *cutter) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		return n, err
	}
	return c.spend(n)
}

// TestNothingLostOrDoubled cuts connections anywhere, also within a frame, while two people
// talk: whatever was told to be said is in the log once, and everything in the log was heard
// once, in its order.
func TestNothingLostOrDoubled(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		budgets := rapid.SliceOfN(rapid.IntRange(0, 900), 0, 12).Draw(rt, "cuts")
		mine := rapid.IntRange(1, 15).Draw(rt, "lines of mine")
		pauses := rapid.SliceOfN(rapid.IntRange(0, 700), mine, mine).Draw(rt, "pauses")
		roomy := rapid.Bool().Draw(rt, "in a room")
		var failure error
		synctest.Test(t, func(t *testing.T) { failure = talkOverCuts(t, budgets, pauses, roomy) })
		if failure != nil {
			rt.Fatal(failure)
		}
	})
}

func talkOverCuts(t *testing.T, budgets, pauses []int, roomy bool) error {
	t.Helper()
	hall := newFakeHall()
	defer hall.stop()
	var first *cutter
	dials := 0
	p, leave := sits(t.Context(), func(ctx context.Context) (net.Conn, error) {
		nc, err := hall.dial(ctx)
		c := &cutter{Conn: nc, left: -1}
		if first == nil {
			first = c
		} else if dials < len(budgets) {
			c.left = budgets[dials]
			dials++
		}
		return c, err
	})
	defer leave()
	p.signIn("ann")
	synctest.Wait()
	if len(told[welcome](p)) != 1 {
		return errors.New("no welcome")
	}
	if len(budgets) > 0 {
		first.arm(budgets[0])
	}
	channel, kind, said := "lobby", wire.Say, event.Chat
	if roomy {
		channel, kind, said = "room:Nook", wire.RoomSay, event.RoomChat
		p.session.do(wire.Command{Type: wire.RoomCreate, Room: "Nook"}, nil)
	}
	for i, pause := range pauses {
		p.session.do(wire.Command{Type: kind, Text: fmt.Sprint("mine ", i)}, nil)
		time.Sleep(time.Duration(pause) * time.Millisecond) //nolint:forbidigo // the clock of synctest
		hall.tell(channel, event.Event{Kind: said, Room: strings.TrimPrefix(channel, "room:"), From: "bob", Text: fmt.Sprint("theirs ", i)})
	}
	time.Sleep(10 * time.Minute) //nolint:forbidigo // the clock of synctest
	synctest.Wait()

	if o := told[over](p); len(o) > 0 {
		return fmt.Errorf("the session ended: %v", o)
	}
	for _, a := range told[answer](p) {
		if a.reply.Err != nil {
			return fmt.Errorf("%s %s: %w", a.cmd.Type, a.cmd.Text, a.reply.Err)
		}
	}
	if got, want := len(told[answer](p)), 1+len(pauses); got != want && (!roomy || got != want+1) {
		return fmt.Errorf("%d answers, want %d", got, want)
	}
	from := uint64(0)
	var log []string
	for _, e := range hall.stored() {
		if e.Kind == event.RoomJoined {
			from = e.Seq
		}
		if e.Channel == channel && e.Text != "" && (!roomy || from > 0) {
			log = append(log, e.Text)
		}
	}
	if heard := p.heard(); !slices.Equal(heard, log) {
		return fmt.Errorf("heard %q, the log is %q", heard, log)
	}
	var mine []string
	for _, text := range log {
		if strings.HasPrefix(text, "mine") {
			mine = append(mine, text)
		}
	}
	for i := range pauses {
		if want := fmt.Sprint("mine ", i); i >= len(mine) || mine[i] != want {
			return fmt.Errorf("the log has %q of mine", mine)
		}
	}
	if len(mine) != len(pauses) {
		return fmt.Errorf("the log has %q of mine", mine)
	}
	return nil
}
