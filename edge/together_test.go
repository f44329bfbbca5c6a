package edge_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/gobwas/ws"

	"gamehall/edge"
	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
)

// said counts the lines of each request.
type said struct {
	mu       sync.Mutex
	requests map[string]int
}

func (s *said) note(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.requests == nil {
		s.requests = map[string]int{}
	}
	s.requests[bus.Command(ctx)]++
}

func (s *said) sizes() (requests, lines int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.requests {
		requests, lines = requests+1, lines+n
	}
	return requests, lines
}

// Lines that come at once go to chat in one request, in their order; what is no line, or one that
// is refused, stands where it stood.
func TestLinesTogether(t *testing.T) {
	t.Parallel()
	n, s := &neighbours{}, &said{}
	n.onSay = func(ctx context.Context, _ string) error {
		s.note(ctx)
		return nil
	}
	h := startWith(t, n, nil)
	ann := h.signIn(t, "ann")
	var all strings.Builder
	for i := range 10 {
		fmt.Fprintf(&all, "line %d\n", i)
	}
	ann.write(all.String() + "/PING\nmore\neven more\na\x1b[2Jb\nlast\n")
	// The lines are told by the hub, answers and refusals by the reader: between those the order
	// of the two is not promised.
	var lines, rest []string
	for range 15 {
		got := ann.line()
		if strings.HasPrefix(got, "ann: ") {
			lines = append(lines, strings.TrimPrefix(got, "ann: "))
		} else {
			rest = append(rest, got)
		}
	}
	want := strings.ReplaceAll(strings.TrimSpace(all.String()), "\n", ",") + ",more,even more,last"
	if got := strings.Join(lines, ","); got != want {
		t.Errorf("the lines %s, want %s", got, want)
	}
	if len(rest) != 2 || rest[0] != "system: pong" || !strings.Contains(rest[1], "control character") {
		t.Errorf("answers %q", rest)
	}
	if requests, lines := s.sizes(); requests > 5 || lines != 13 {
		t.Errorf("%d lines came in %d requests", lines, requests)
	}
}

// What clients have said is on its way until it is stored or refused.
func TestLinesOnTheirWay(t *testing.T) {
	t.Parallel()
	n := &neighbours{}
	coming := make(chan uint64, 2)
	var e *edge.Edge
	n.onSay = func(_ context.Context, text string) error {
		coming <- e.Coming()
		if text == "no" {
			return fault.New(fault.Internal, "made up")
		}
		return nil
	}
	h := startWith(t, n, nil)
	e = h.edge
	ann := h.signIn(t, "ann")
	for _, text := range []string{"hi", "no"} {
		ann.send(text)
		if got := <-coming; got != 1 {
			t.Errorf("%d lines are on their way while chat stores %q", got, text)
		}
		natstest.Eventually(t, "it has ended", func() bool { return e.Coming() == 0 })
	}
}

// Each of them has its own answer, with its own sequence; one with a key is a request of its own.
func TestFramesTogether(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{"frames", "messages"} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			n, s := &neighbours{}, &said{}
			n.onSay = func(ctx context.Context, text string) error {
				s.note(ctx)
				if text == "three" {
					return fault.New(fault.NotInRoom, "made up")
				}
				return nil
			}
			h := startWith(t, n, nil)
			saying := []string{
				`{"id":"a","type":"say","text":"one"}`, `{"id":"b","type":"say","text":"two"}`,
				`{"id":"c","type":"say","text":"three","key":"k"}`,
				`{"id":"d","type":"say","text":"four"}`, `{"id":"e","type":"say","text":"five"}`, `{"id":"f","type":"ping"}`,
			}
			signIn := `{"id":"0","type":"signin","username":"ann","password":"123"}`
			var c door
			var all []byte
			if dialect == "frames" {
				f := framesTo(t, h.edge)
				f.send(signIn)
				f.next()
				for _, object := range saying {
					all = append(all, framed(object)...)
				}
				f.write(all)
				c = f
			} else {
				m := messagesTo(t, h.edge)
				m.send(signIn)
				m.next()
				for _, object := range saying {
					all = append(all, part{op: ws.OpText, payload: object}.bytes()...)
				}
				m.write(all)
				c = m
			}
			var answers []string
			last := uint64(0)
			for len(answers) < len(saying) {
				var got struct {
					Type string `json:"type"`
					Re   string `json:"re"`
					Data struct {
						Seq uint64 `json:"seq"`
					} `json:"data"`
					Error struct {
						Code string `json:"code"`
					} `json:"error"`
				}
				if err := json.Unmarshal([]byte(c.next()), &got); err != nil {
					t.Fatal(err)
				}
				if got.Type != "reply" {
					continue
				}
				if got.Data.Seq != 0 && got.Data.Seq <= last {
					t.Errorf("%s has the sequence %d, the one before it %d", got.Re, got.Data.Seq, last)
				}
				last = max(last, got.Data.Seq)
				answers = append(answers, fmt.Sprint(got.Re, got.Data.Seq != 0, got.Error.Code))
			}
			want := []string{"atrue", "btrue", "cfalsenot_in_room", "dtrue", "etrue", "ffalse"}
			if !slices.Equal(answers, want) {
				t.Errorf("answers %q, want %q", answers, want)
			}
			if requests, lines := s.sizes(); requests < 3 || lines != 5 {
				t.Errorf("%d lines came in %d requests", lines, requests)
			}
		})
	}
}

// A copy of chat of before, which refuses what it does not know, and one that tells of fewer lines
// than it was asked for: each line is stored once, in the order typed.
func TestTogetherAtOthers(t *testing.T) {
	t.Parallel()
	for _, others := range []string{"refuses", "tells one"} {
		t.Run(others, func(t *testing.T) {
			t.Parallel()
			h := startWith(t, &neighbours{more: others}, nil)
			ann := h.signIn(t, "ann")
			ann.write("one\ntwo\nthree\nfour\n/PING\n")
			var lines []string
			for got := ""; got != "system: pong"; {
				if got = ann.line(); got != "system: pong" {
					lines = append(lines, got)
				}
			}
			for len(lines) < 4 {
				lines = append(lines, ann.line())
			}
			if want := []string{"ann: one", "ann: two", "ann: three", "ann: four"}; !slices.Equal(lines, want) {
				t.Errorf("told %q, want %q", lines, want)
			}
			ann.quiet()
		})
	}
}
