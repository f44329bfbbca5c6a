package edge

import (
	"bytes"
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// Pieces go out in their order, however many they are; a full socket takes what it can and then
// says so, and a closed one is an error and no signal.
func TestWritePieces(t *testing.T) {
	t.Parallel()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	for _, n := range []int{1, 2, batchPieces} {
		var pieces [][]byte
		for i := range n {
			pieces = append(pieces, bytes.Repeat([]byte{byte(i)}, i+1))
		}
		want := bytes.Join(pieces, nil)
		sent, err := writePieces(pair[0], pieces)
		if err != nil || sent != len(want) {
			t.Fatalf("%d of %d bytes in %d pieces: %v", sent, len(want), n, err)
		}
		got := make([]byte, 2*len(want))
		if n, err := unix.Read(pair[1], got); err != nil || !bytes.Equal(got[:n], want) {
			t.Errorf("%d pieces came as %v, want %v (%v)", len(pieces), got[:max(0, n)], want, err)
		}
	}
	large := [][]byte{make([]byte, 1<<16), make([]byte, 1<<16)}
	for err == nil { // the socket itself would wait
		_, err = writePieces(pair[0], large)
	}
	if !errors.Is(err, unix.EAGAIN) {
		t.Errorf("a full socket: %v", err)
	}
	if err := unix.Close(pair[1]); err != nil {
		t.Fatal(err)
	}
	for _, pieces := range [][][]byte{large, large[:1]} {
		if _, err := writePieces(pair[0], pieces); !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("%d pieces to a closed socket: %v", len(pieces), err)
		}
	}
}
