package game21

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"testing"
	"testing/iotest"
)

// seeded gives the same good random bytes at every run, so that no test of
// chance fails by chance.
func seeded() io.Reader {
	return mathrand.NewChaCha8([32]byte([]byte("four numbers from one to ten ...")))
}

// chiSquare measures how far counts are from equal. seen must sum to total.
func chiSquare(counts []int, total int) float64 {
	want := float64(total) / float64(len(counts))
	var sum float64
	for _, c := range counts {
		sum += (float64(c) - want) * (float64(c) - want) / want
	}
	return sum
}

// Fair numbers exceed these once in a thousand seeds.
const (
	chiSquare9  = 27.88  // ten bins
	chiSquare99 = 148.23 // a hundred bins
)

func TestDealIsFair(t *testing.T) {
	t.Parallel()
	const draws = 1_000_000
	r := seeded()
	numbers := make([]int, 10)
	var places [4][10]int
	var pairs [3][100]int // neighbours must not depend on each other
	for range draws / 4 {
		n, err := Deal(r, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Validate(); err != nil {
			t.Fatal(err)
		}
		for i, v := range n {
			numbers[v-1]++
			places[i][v-1]++
			if i > 0 {
				pairs[i-1][(n[i-1]-1)*10+v-1]++
			}
		}
	}
	if x := chiSquare(numbers, draws); x > chiSquare9 {
		t.Errorf("numbers: χ² is %.1f: %v", x, numbers)
	}
	for i, p := range places {
		if x := chiSquare(p[:], draws/4); x > chiSquare9 {
			t.Errorf("place %d: χ² is %.1f: %v", i, x, p)
		}
	}
	for i, p := range pairs {
		if x := chiSquare(p[:], draws/4); x > chiSquare99 {
			t.Errorf("places %d and %d: χ² is %.1f", i, i+1, x)
		}
	}

	// The measure must be able to tell: a remainder without rejection.
	biased := make([]int, 10)
	var raw [draws]byte
	if _, err := io.ReadFull(r, raw[:]); err != nil {
		t.Fatal(err)
	}
	for _, b := range raw {
		biased[b%10]++
	}
	if x := chiSquare(biased, draws); x <= chiSquare9 {
		t.Errorf("χ² of biased numbers is %.1f, as if they were fair", x)
	}
}

func TestDealSolvable(t *testing.T) {
	t.Parallel()
	every, solvable := seeded(), seeded()
	hopeless := 0
	// The same bytes: the one is to be the other without the hopeless hands.
	for range 500 {
		want, err := Deal(every, false)
		if err != nil {
			t.Fatal(err)
		}
		if !Makes21(want) {
			hopeless++
			continue
		}
		if got, err := Deal(solvable, true); err != nil || got != want {
			t.Fatalf("got %v, error %v, want %v", got, err, want)
		}
	}
	if hopeless == 0 {
		t.Error("no hand of 500 was hopeless, nothing was tried")
	}
}

func TestDealRejects(t *testing.T) {
	t.Parallel()
	raw := append([]byte{250, 0, 0, 0, 1, 2, 255, 3}, 249, 0, 10, 9)
	n, err := Deal(bytes.NewReader(raw), false)
	if err != nil || n != (Numbers{10, 1, 1, 10}) {
		t.Errorf("got %v, error %v, want 10 1 1 10, after two hands with unfair bytes", n, err)
	}
}

func TestDealFromCryptoRand(t *testing.T) {
	t.Parallel()
	n, err := Deal(rand.Reader, true)
	if err != nil || n.Validate() != nil || !Makes21(n) {
		t.Errorf("dealt %v, error %v", n, err)
	}
}

// same is a broken source: the same byte for ever.
type same byte

func (s same) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(s)
	}
	return len(p), nil
}

func TestDealFromABrokenSource(t *testing.T) {
	t.Parallel()
	broken := errors.New("no entropy")
	if n, err := Deal(iotest.ErrReader(broken), false); !errors.Is(err, broken) {
		t.Errorf("dealt %v, error %v, want that of the source", n, err)
	}
	if n, err := Deal(bytes.NewReader([]byte{1, 2, 3}), false); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("dealt %v from three bytes, error %v", n, err)
	}
	if n, err := Deal(same(255), false); err == nil {
		t.Errorf("dealt %v from unfair bytes", n)
	}
	if n, err := Deal(same(0), true); err == nil {
		t.Errorf("dealt %v, which cannot make 21", n)
	}
	if n, err := Deal(same(0), false); err != nil || n != (Numbers{1, 1, 1, 1}) {
		t.Errorf("dealt %v, error %v, want 1 1 1 1", n, err)
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	if got := (Numbers{2, 3, 5, 10}).String(); got != "2 3 5 10" {
		t.Errorf("got %q, want %q", got, "2 3 5 10")
	}
	for _, n := range []Numbers{{0, 1, 2, 3}, {1, 2, 3, 11}, {1, -2, 3, 4}, {}} {
		if n.Validate() == nil {
			t.Errorf("%v is taken for a hand", n)
		}
	}
}
