package game21

import (
	"math"
	"strconv"
	"testing"
)

// ratio is the tests' own fraction: it shares no code with Rational.
type ratio struct{ p, q int }

func (r ratio) reduced() ratio {
	var gcd func(a, b int) int
	gcd = func(a, b int) int {
		if a == 0 {
			return b
		}
		return gcd(b%a, a)
	}
	d := gcd(max(r.p, -r.p), r.q)
	return ratio{r.p / d, r.q / d}
}

func (r ratio) String() string {
	if r = r.reduced(); r.q == 1 {
		return strconv.Itoa(r.p)
	}
	return strconv.Itoa(r.p) + "/" + strconv.Itoa(r.q)
}

func (r ratio) float() float64 { return float64(r.p) / float64(r.q) }

// oracle is a op b, by the schoolbook; ok is false for a division by zero.
func oracle(op byte, a, b ratio) (r ratio, ok bool) {
	switch op {
	case '+':
		r = ratio{a.p*b.q + b.p*a.q, a.q * b.q}
	case '-':
		r = ratio{a.p*b.q - b.p*a.q, a.q * b.q}
	case '*':
		r = ratio{a.p * b.p, a.q * b.q}
	default:
		r = ratio{a.p * b.q, a.q * b.p}
	}
	if r.q < 0 {
		r = ratio{-r.p, -r.q}
	}
	return r, r.q != 0
}

// allHands are the 715 hands, order aside.
func allHands() []Numbers {
	var hands []Numbers
	for a := 1; a <= 10; a++ {
		for b := a; b <= 10; b++ {
			for c := b; c <= 10; c++ {
				for d := c; d <= 10; d++ {
					hands = append(hands, Numbers{a, b, c, d})
				}
			}
		}
	}
	return hands
}

// values gives all that n can make, by subsets: what each subset of the numbers
// can make is every pair of values of two halves of it.
func values(n Numbers) map[ratio]bool {
	var made [16]map[ratio]bool
	for i, v := range n {
		made[1<<i] = map[ratio]bool{{v, 1}: true}
	}
	for set := 1; set < 16; set++ {
		if made[set] == nil {
			made[set] = map[ratio]bool{}
		}
		for half := (set - 1) & set; half > 0; half = (half - 1) & set {
			for a := range made[half] {
				for b := range made[set^half] {
					for _, op := range []byte("+-*/") {
						if v, ok := oracle(op, a, b); ok {
							made[set][v.reduced()] = true
						}
					}
				}
			}
		}
	}
	return made[15]
}

// written is an expression with the values that it has: the exact one, and the
// one that float64 makes of it.
type written struct {
	text  string
	exact ratio
	float float64
	ok    bool // does not divide by zero
}

func writtenJoin(op byte, a, b written) written {
	w := written{text: "(" + a.text + string(op) + b.text + ")"}
	if !a.ok || !b.ok {
		return w
	}
	w.exact, w.ok = oracle(op, a.exact, b.exact)
	switch op {
	case '+':
		w.float = a.float + b.float
	case '-':
		w.float = a.float - b.float
	case '*':
		w.float = a.float * b.float
	default:
		w.float = a.float / b.float
	}
	return w
}

// orders are the different orders of n.
func orders(n Numbers) []Numbers {
	seen := map[Numbers]bool{}
	var all []Numbers
	for i := range 256 {
		p := [4]int{i & 3, i >> 2 & 3, i >> 4 & 3, i >> 6 & 3}
		if 1<<p[0]|1<<p[1]|1<<p[2]|1<<p[3] != 15 {
			continue
		}
		o := Numbers{n[p[0]], n[p[1]], n[p[2]], n[p[3]]}
		if !seen[o] {
			seen[o] = true
			all = append(all, o)
		}
	}
	return all
}

// eachExpression calls f with every expression over n: every order of the
// numbers, every choice of operators, all five ways to set parentheses.
func eachExpression(n Numbers, f func(written)) {
	const ops = "+-*/"
	for _, o := range orders(n) {
		var w [4]written
		for i, v := range o {
			w[i] = written{text: strconv.Itoa(v), exact: ratio{v, 1}, float: float64(v), ok: true}
		}
		a, b, c, d := w[0], w[1], w[2], w[3]
		for i := range 64 {
			x, y, z := ops[i&3], ops[i>>2&3], ops[i>>4&3]
			f(writtenJoin(z, writtenJoin(y, writtenJoin(x, a, b), c), d))
			f(writtenJoin(z, writtenJoin(x, a, writtenJoin(y, b, c)), d))
			f(writtenJoin(y, writtenJoin(x, a, b), writtenJoin(z, c, d)))
			f(writtenJoin(x, a, writtenJoin(z, writtenJoin(y, b, c), d)))
			f(writtenJoin(x, a, writtenJoin(y, b, writtenJoin(z, c, d))))
		}
	}
}

// TestOracle keeps the oracle honest by what is known without it.
func TestOracle(t *testing.T) {
	t.Parallel()
	if n := len(allHands()); n != 715 {
		t.Errorf("%d hands, want 715", n)
	}
	if n := len(orders(Numbers{1, 2, 3, 4})); n != 24 {
		t.Errorf("%d orders of four different numbers, want 24", n)
	}
	if n := len(orders(Numbers{5, 7, 7, 5})); n != 6 {
		t.Errorf("%d orders of two pairs, want 6", n)
	}
	v := values(Numbers{1, 1, 1, 1})
	for _, r := range []ratio{{4, 1}, {-2, 1}, {1, 3}, {3, 2}} {
		if !v[r] {
			t.Errorf("1 1 1 1 cannot make %v", r)
		}
	}
	if v[ratio{5, 1}] {
		t.Error("1 1 1 1 makes 5")
	}
	if _, ok := oracle('/', ratio{1, 2}, ratio{0, 3}); ok {
		t.Error("the oracle divides by zero")
	}
	if r := (ratio{-6, 4}); r.String() != "-3/2" || math.Abs(r.float()+1.5) > 1e-9 {
		t.Errorf("-6/4 is %v", r)
	}
}
