package game21

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func ExampleBest() {
	fmt.Println(Best(Numbers{1, 2, 3, 7}))
	fmt.Println(Best(Numbers{1, 1, 1, 1}))
	// Output:
	// {(3+7)*2+1 21}
	// {1+1+1+1 4}
}

// TestBest holds the solver against the oracle, over all hands.
func TestBest(t *testing.T) {
	t.Parallel()
	solvable := 0
	for _, n := range allHands() {
		var want ratio
		for v := range values(n) {
			if v.p <= 21*v.q && (want.q == 0 || v.p*want.q > want.p*v.q) {
				want = v
			}
		}
		makes21 := want == ratio{21, 1}
		if makes21 {
			solvable++
		}
		if got := Makes21(n); got != makes21 {
			t.Errorf("%v: makes 21 is %v, but the best is %v", n, got, want)
		}
		best := Best(n)
		if best.Value != want.String() {
			t.Errorf("%v: best is %v, want %v", n, best, want)
		}
		v, err := Judge(best.Expression, n)
		if err != nil || v.Value.String() != best.Value || v.Expression != best.Expression || v.Void() {
			t.Errorf("%v: %v is judged %v, error %v", n, best, v, err)
		}
	}
	if solvable != 509 {
		t.Errorf("%d hands can make 21, want 509", solvable)
	}
}

func TestBestIgnoresOrder(t *testing.T) {
	t.Parallel()
	for _, n := range allHands() {
		want := Best(n)
		rand.New(rand.NewPCG(21, uint64(n[0]))).Shuffle(len(n), func(i, j int) { n[i], n[j] = n[j], n[i] })
		if got := Best(n); got != want {
			t.Errorf("%v: %v, in another order %v", n, got, want)
		}
	}
}

// TestBestIsShort tries all expressions with fewer parentheses than the
// solution has: none has its value.
func TestBestIsShort(t *testing.T) {
	t.Parallel()
	layouts := []struct {
		pairs int
		text  string // abcd are the numbers, xyz the operators
	}{
		{0, "axbyczd"},
		{1, "(axb)yczd"},
		{1, "ax(byc)zd"},
		{1, "axby(czd)"},
		{1, "(axbyc)zd"},
		{1, "ax(byczd)"},
	}
	const ops = "+-*/"
	shown := map[int]int{}
	for _, n := range allHands() {
		best := Best(n)
		pairs := strings.Count(best.Expression, "(")
		shown[pairs]++
		for _, l := range layouts {
			if l.pairs >= pairs {
				continue
			}
			for _, o := range orders(n) {
				for i := range 64 {
					expr := strings.NewReplacer(
						"a", fmt.Sprint(o[0]), "b", fmt.Sprint(o[1]), "c", fmt.Sprint(o[2]), "d", fmt.Sprint(o[3]),
						"x", ops[i&3:i&3+1], "y", ops[i>>2&3:i>>2&3+1], "z", ops[i>>4&3:i>>4&3+1],
					).Replace(l.text)
					if v, err := Judge(expr, n); err == nil && v.Value.String() == best.Value {
						t.Errorf("%v: %v, but %s is shorter", n, best, expr)
					}
				}
			}
		}
	}
	if shown[0] == 0 || shown[1] == 0 || shown[2] == 0 || len(shown) != 3 {
		t.Errorf("solutions by pairs of parentheses: %v; want some with 0, 1 and 2", shown)
	}
}

func BenchmarkBest(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Best(Numbers{1, 2, 3, 7})
	}
}

// BenchmarkBestEqual is the hand in which most expressions tie.
func BenchmarkBestEqual(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Best(Numbers{1, 1, 1, 1})
	}
}
