package bus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"gamehall/shared/fault"
)

func claimOf(id, session string) claim {
	return claim{command{subject: "hall.test.echo", user: "ann", id: id}.key(), session}
}

// same tells whether msg says what want does.
func same(msg, want *nats.Msg) bool {
	return msg != nil && bytes.Equal(msg.Data, want.Data) && reflect.DeepEqual(msg.Header, want.Header)
}

// carryOut takes, begins and ends a command.
func carryOut(t *testing.T, a *answers, c claim, now time.Time, msg *nats.Msg) {
	t.Helper()
	if _, fresh := a.take(c, now); !fresh {
		t.Fatalf("%v is not fresh", c)
	}
	_, mine := a.begin(c, now)
	if mine == nil {
		t.Fatalf("%v was begun before", c)
	}
	a.end(mine, msg, time.Time{})
	a.leave(c)
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	now := time.Now()
	first := &nats.Msg{Data: []byte("first")}

	t.Run("the same session gets the answer at once", func(t *testing.T) {
		t.Parallel()
		var a answers
		carryOut(t, &a, claimOf("1", "s"), now, first)
		if msg, fresh := a.take(claimOf("1", "s"), now); fresh || !same(msg, first) {
			t.Errorf("got %v, fresh %v", msg, fresh)
		}
	})
	t.Run("another session of the user gets it once it is known", func(t *testing.T) {
		t.Parallel()
		var a answers
		carryOut(t, &a, claimOf("1", "s"), now, first)
		other := claimOf("1", "resumed")
		if msg, fresh := a.take(other, now); !fresh {
			t.Fatalf("got %v before anybody looked who it is", msg)
		}
		if msg, mine := a.begin(other, now); mine != nil || !same(msg, first) {
			t.Errorf("got %v, want the first answer", msg)
		}
	})
	t.Run("under way", func(t *testing.T) {
		t.Parallel()
		var a answers
		c := claimOf("1", "s")
		a.take(c, now)
		if msg, fresh := a.take(c, now); fresh || msg != nil {
			t.Errorf("queued: got %v, fresh %v", msg, fresh)
		}
		if _, fresh := a.take(claimOf("1", "forged"), now); !fresh {
			t.Error("what another session sends keeps the user's own from being heard")
		}
		_, mine := a.begin(c, now)
		if msg, fresh := a.take(c, now); fresh || msg != nil {
			t.Errorf("begun: got %v, fresh %v", msg, fresh)
		}
		a.end(mine, first, time.Time{})
		if msg, fresh := a.take(c, now); fresh || !same(msg, first) {
			t.Errorf("ended and not left: got %v, fresh %v", msg, fresh)
		}
	})
	t.Run("forgotten", func(t *testing.T) {
		t.Parallel()
		var a answers
		carryOut(t, &a, claimOf("1", "s"), now, nil)
		carryOut(t, &a, claimOf("1", "s"), now, first) // fresh again
		if msg, _ := a.take(claimOf("1", "s"), now); !same(msg, first) {
			t.Errorf("got %v", msg)
		}
	})
	t.Run("too old", func(t *testing.T) {
		t.Parallel()
		var a answers
		carryOut(t, &a, claimOf("1", "s"), now, first)
		if _, fresh := a.take(claimOf("1", "s"), now.Add(AnswersKept)); fresh {
			t.Error("forgotten at the last moment")
		}
		if _, fresh := a.take(claimOf("1", "s"), now.Add(AnswersKept+1)); !fresh {
			t.Error("not forgotten")
		}
	})
	t.Run("too many", func(t *testing.T) {
		t.Parallel()
		a := answers{most: 10}
		slow := claimOf("slow", "s")
		a.take(slow, now)
		_, mine := a.begin(slow, now)
		for i := range 1000 {
			carryOut(t, &a, claimOf(fmt.Sprint(i), "s"), now, first)
			if len(a.kept) > 12 || len(a.old) > 12 {
				t.Fatalf("%d are kept, %d in order, want at most 12", len(a.kept), len(a.old))
			}
		}
		if _, again := a.begin(slow, now); again != nil {
			t.Error("one that is under way was forgotten")
		}
		a.end(mine, first, time.Time{})
		if msg, _ := a.take(claimOf("999", "s"), now); !same(msg, first) {
			t.Error("the newest one was forgotten")
		}
		if _, fresh := a.take(claimOf("5", "s"), now); !fresh {
			t.Error("an old one was not forgotten")
		}
	})
}

// An outcome that a retry may better is kept for a moment, when only the retries can hear it.
func TestOutcomeOfALongCommand(t *testing.T) {
	t.Parallel()
	busy := fault.New(fault.Unavailable, "busy")
	now := time.Now()
	tests := []struct {
		name  string
		err   error
		took  time.Duration
		keep  bool
		after time.Duration // how long after its end it is still had
		had   bool
	}{
		{"success", nil, 0, true, time.Minute, true},
		{"refused", fault.New(fault.BadRequest, "no"), time.Minute, true, time.Minute, true},
		{"busy at once", busy, time.Millisecond, false, 0, false},
		{"busy, long", busy, 2 * attemptFor, true, heardFor / 2, true},
		{"busy, long, later", busy, 2 * attemptFor, true, 2 * heardFor, false},
		{"internal, long", errors.New("x"), 2 * attemptFor, true, heardFor / 2, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			until, keep := keepUntil(tt.err, now.Add(-tt.took), now)
			if keep != tt.keep {
				t.Fatalf("keep %v, want %v", keep, tt.keep)
			}
			if !keep {
				return
			}
			a := &answers{}
			c := claimOf("1", "")
			_, mine := a.begin(c, now)
			a.end(mine, &nats.Msg{}, until)
			if msg, _ := a.take(c, now.Add(tt.after)); (msg != nil) != tt.had {
				t.Errorf("%v later the answer is %v, want it to be there: %v", tt.after, msg, tt.had)
			}
		})
	}
}

// Commands differ when anything of them does, wherever one part ends and the next begins.
func TestCommandKeys(t *testing.T) {
	t.Parallel()
	seen := map[commandKey]command{}
	for _, c := range []command{
		{},
		{subject: "a"},
		{user: "a"},
		{id: "a"},
		{subject: "ab"},
		{subject: "a", user: "b"},
		{subject: "a", id: "b"},
		{user: "ab"},
		{user: "a", id: "b"},
		{subject: "a", body: [32]byte{1}},
		{subject: strings.Repeat("a", 500)},
	} {
		if other, is := seen[c.key()]; is {
			t.Errorf("%v and %v are the same", c, other)
		}
		seen[c.key()] = c
	}
}

// What is remembered of a sign-in is little, whatever became of the request that it answers. It is
// measured alone, not beside other tests.
func TestAnswersAreSmall(t *testing.T) { //nolint:paralleltest // see above
	const n, size, most = 10_000, 170, 400
	held := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var a answers
	now := time.Now()
	before := held()
	for i := range n {
		request := fmt.Sprintf("%d%s", i, strings.Repeat(" and the header that it stands in", 5))
		carryOut(t, &a, claimOf(request[:5], request[5:20]), now, &nats.Msg{Data: make([]byte, size)})
	}
	if each := (held() - before) / n; each > most {
		t.Errorf("%d bytes for an answer of %d, want at most %d", each, size, most)
	}
	runtime.KeepAlive(&a)
}

func BenchmarkAnswers(b *testing.B) {
	var a answers
	now := time.Now()
	msg := &nats.Msg{Data: make([]byte, 30)}
	id := make([]byte, 22)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		binary.LittleEndian.PutUint64(id, uint64(i))
		now = now.Add(40 * time.Microsecond)
		c := claimOf(string(id), "a session's id is as long")
		if _, fresh := a.take(c, now); !fresh {
			b.Fatal("not fresh")
		}
		_, mine := a.begin(c, now)
		a.end(mine, msg, time.Time{})
		a.leave(c)
	}
}
