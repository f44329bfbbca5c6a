package edge

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// messageOf gives the n-th message of somebody, of some length: larger than a chunk, too.
func messageOf(t *rapid.T, who string, n int) []byte {
	size := rapid.IntRange(0, 40).Draw(t, "size")
	if rapid.IntRange(0, 19).Draw(t, "large") == 0 {
		size += chunkSize - 40
	}
	return fmt.Appendf(nil, "<%s %d %s>", who, n, bytes.Repeat([]byte{'x'}, size))
}

// A cursor gives the bytes that were appended behind it, in whatever steps it is moved.
func TestCursorGivesWhatWasAppended(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := newLog()
		var all []byte
		type reader struct {
			cur   cursor
			begun int
			got   []byte
		}
		var readers []*reader
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				m := messageOf(t, "log", len(all))
				l.append(m)
				all = append(all, m...)
			},
			"append nothing": func(*rapid.T) { l.append(nil) },
			"read from here": func(*rapid.T) {
				readers = append(readers, &reader{cur: l.here(), begun: len(all)})
			},
			"move": func(t *rapid.T) {
				if len(readers) == 0 {
					t.Skip("nobody reads")
				}
				r := rapid.SampledFrom(readers).Draw(t, "reader")
				to := uint64(rapid.IntRange(0, len(all)+10).Draw(t, "to"))
				for {
					piece, next := r.cur.step(to)
					if piece == nil {
						break
					}
					// Some of it goes out, as a full socket takes it.
					n := rapid.IntRange(0, len(piece)).Draw(t, "sent")
					r.got = append(r.got, piece[:n]...)
					if n < len(piece) {
						r.cur = r.cur.advance(n)
						break
					}
					r.cur = next
				}
			},
			"": func(t *rapid.T) {
				if l.end.Load() != uint64(len(all)) {
					t.Fatalf("the end is %d, %d bytes were appended", l.end.Load(), len(all))
				}
				for _, r := range readers {
					if want := all[r.begun : r.begun+len(r.got)]; !bytes.Equal(r.got, want) {
						t.Fatalf("a reader from %d on got other bytes than were appended", r.begun)
					}
					if r.cur.pos != uint64(r.begun+len(r.got)) {
						t.Fatalf("the cursor is at %d after %d bytes from %d on", r.cur.pos, len(r.got), r.begun)
					}
				}
			},
		})
	})
}

// One appends, many read, nobody locks: each reader gets all bytes in their order.
func TestLogIsReadWhileItGrows(t *testing.T) {
	t.Parallel()
	const readers, messages = 8, 5000
	l := newLog()
	start := l.here()
	var want []byte
	for i := range messages {
		want = fmt.Appendf(want, "message %d\n", i)
	}
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			got, cur := make([]byte, 0, len(want)), start
			for len(got) < len(want) {
				var piece []byte
				piece, cur = cur.step(forever)
				got = append(got, piece...)
			}
			if !bytes.Equal(got, want) {
				t.Error("a reader got other bytes than were appended")
			}
		})
	}
	for i := range messages {
		l.append(fmt.Appendf(nil, "message %d\n", i))
	}
	wg.Wait()
}
