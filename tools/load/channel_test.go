package load

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// feed is a channel with clients that are told what a test wants.
type feed struct {
	t  *testing.T
	ch *channel
}

func newFeed(t *testing.T, clients int) *feed {
	t.Helper()
	f := &feed{t: t, ch: newChannel(Bare, newMarker(7))}
	for i := range clients {
		f.ch.enter(i)
	}
	f.ch.settle()
	return f
}

// say lets senders 0 and 1 in turn say so many lines.
func (f *feed) say(lines int) {
	for range lines {
		f.ch.say(int32(len(f.ch.sent)%2), f.ch.now)
	}
}

// tell tells a client these lines, cut after so many bytes each time.
func (f *feed) tell(client, cut int, ids ...int64) {
	f.t.Helper()
	var data []byte
	for _, id := range ids {
		data = Bare.say(data, f.ch.marker, id)
	}
	var kept []byte
	for len(data) > 0 {
		n := min(cut, len(data))
		kept = append(kept, data[:n]...)
		data = data[n:]
		taken, err := f.ch.take(client, kept, func(kind, []byte) {})
		if err != nil {
			f.t.Fatal(err)
		}
		kept = kept[taken:]
	}
	if len(kept) > 0 {
		f.t.Fatalf("left over: %q", kept)
	}
}

func TestExact(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		said int
		told [][]int64 // by client
		want Faults
	}{
		{name: "all in order", said: 3, told: [][]int64{{0, 1, 2}, {0, 1, 2}}},
		{name: "another order of two senders, the same for all", said: 3, told: [][]int64{{1, 0, 2}, {1, 0, 2}}},
		{name: "another order for one", said: 3, told: [][]int64{{0, 1, 2}, {1, 0, 2}}, want: Faults{Reordered: 1}},
		{name: "one sender's lines turned", said: 4, told: [][]int64{{2, 1, 0, 3}, {2, 1, 0, 3}}, want: Faults{Reordered: 1}},
		{name: "one lost for one", said: 3, told: [][]int64{{0, 1, 2}, {0, 2}}, want: Faults{Lost: 1}},
		{name: "the last lost for one", said: 3, told: [][]int64{{0, 1, 2}, {0, 1}}, want: Faults{Lost: 1}},
		{name: "one lost for all", said: 3, told: [][]int64{{0, 2}, {0, 2}}, want: Faults{Lost: 1}},
		{name: "one lost for the first, whose order is the reference", said: 3, told: [][]int64{{0, 2}, {0, 1, 2}}, want: Faults{Lost: 1, Reordered: 1}},
		{name: "one doubled at once", said: 3, told: [][]int64{{0, 1, 2}, {0, 1, 1, 2}}, want: Faults{Doubled: 1}},
		{name: "one doubled later", said: 3, told: [][]int64{{0, 1, 2}, {0, 1, 2, 0}}, want: Faults{Doubled: 1}},
		{name: "one doubled for the first", said: 3, told: [][]int64{{0, 0, 1, 2}, {0, 1, 2}}, want: Faults{Doubled: 1}},
		{name: "one doubled for all", said: 3, told: [][]int64{{0, 1, 0, 2}, {0, 1, 0, 2}}, want: Faults{Doubled: 2}},
		{name: "one of nobody", said: 1, told: [][]int64{{0, 5}, {0, 5}}, want: Faults{Doubled: 1}},
	}
	for _, tt := range tests {
		for _, cut := range []int{1, 64, 65, 66, 1 << 20} {
			t.Run(fmt.Sprintf("%s, %d bytes at once", tt.name, cut), func(t *testing.T) {
				t.Parallel()
				f := newFeed(t, len(tt.told))
				f.say(tt.said)
				for client, ids := range tt.told {
					f.tell(client, cut, ids...)
				}
				f.ch.missing()
				got := f.ch.faults
				said := strings.Join(got.Said, "\n")
				got.Said = nil
				if fmt.Sprint(got) != fmt.Sprint(tt.want) {
					t.Errorf("got %+v, want %+v:\n%s", got, tt.want, said)
				}
			})
		}
	}
}

// A line is complete when the last client has it, and its latency is from when it was due.
func TestWindow(t *testing.T) {
	t.Parallel()
	f := newFeed(t, 3)
	f.ch.now = time.Second
	f.say(4)
	f.ch.now = 3 * time.Second
	f.tell(0, 1000, 0, 1, 2, 3)
	f.tell(1, 1000, 0, 1, 2)
	if got := f.ch.inFlight(); got != 4 {
		t.Errorf("in flight while one was told nothing: %d", got)
	}
	f.tell(2, 1000, 0, 1)
	if got := f.ch.inFlight(); got != 2 {
		t.Errorf("in flight: %d, want 2", got)
	}
	f.ch.leave(2)
	if got := f.ch.inFlight(); got != 1 {
		t.Errorf("in flight once the slowest left: %d, want 1", got)
	}
	if got := f.ch.latency.quantile(0.5); (got-2*time.Second).Abs() > time.Second/10 || f.ch.latency.n != 9 {
		t.Errorf("latency of %d: %s, want 9 of 2s", f.ch.latency.n, got)
	}
	f.tell(1, 1000, 3)
	f.ch.missing()
	if err := f.ch.faults.Err(); err != nil || f.ch.inFlight() != 0 {
		t.Errorf("in the end %d in flight, %v", f.ch.inFlight(), err)
	}
}

// The reference does not grow with the run, and lines are judged all the same.
func TestLongRun(t *testing.T) {
	t.Parallel()
	f := newFeed(t, 2)
	for round := range 5 {
		var ids []int64
		for i := range keptMost {
			ids = append(ids, int64(round*keptMost+i))
		}
		f.say(keptMost)
		f.tell(0, 1<<20, ids...)
		f.tell(1, 1<<20, ids...)
	}
	if n := len(f.ch.lines); n > 3*keptMost {
		t.Errorf("%d lines are kept", n)
	}
	f.ch.missing()
	if err := f.ch.faults.Err(); err != nil {
		t.Error(err)
	}
	f.tell(1, 1<<20, 0)
	if f.ch.faults.Doubled != 1 {
		t.Errorf("a line told again after %d others: %+v", len(f.ch.sent), f.ch.faults)
	}
}

// A hall's client is told all from behind its own joining on. Whoever is told a line first, the
// order is that of who was there before.
func TestArrivals(t *testing.T) {
	t.Parallel()
	const at = "2026-11-20 15:24:24 system: "
	join := func(names ...string) string {
		text := ""
		for _, name := range names {
			text += at + name + " joined the hall\n"
		}
		return text
	}
	tests := []struct {
		name        string
		second      string // what the second and the third client are told
		third       string
		lost, twice int
	}{
		{name: "exact", second: join("cat", "dan"), third: join("dan")},
		{name: "too late", second: join("dan"), third: join("dan"), lost: 1},
		{name: "too early", second: join("cat", "dan"), third: join("cat", "dan"), twice: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ch := newChannel(Lines, newMarker(1))
			private := func(kind, []byte) {}
			ch.enter(0)
			ch.settle() // ann, the first
			ch.enter(1)
			ch.enter(2)
			// bob and cat read before ann does: what they are told must wait for her.
			for client, text := range []string{1: tt.second, 2: tt.third} {
				if n, err := ch.take(client, []byte(text), private); client > 0 && (n != 0 || err != nil) {
					t.Fatalf("client %d: %d bytes are taken (error: %v)", client, n, err)
				}
			}
			for client, text := range []string{join("bob", "cat", "dan"), tt.second, tt.third} {
				if n, err := ch.take(client, []byte(text), private); n != len(text) || err != nil {
					t.Fatalf("client %d: %d bytes of %d are taken (error: %v)", client, n, len(text), err)
				}
			}
			ch.arrived([]string{"ann", "bob", "cat"})
			ch.missing()
			if ch.faults.Lost != tt.lost || ch.faults.Doubled != tt.twice || ch.faults.Reordered != 0 {
				t.Errorf("got %+v, want %d lost, %d doubled", ch.faults, tt.lost, tt.twice)
			}
		})
	}
}
