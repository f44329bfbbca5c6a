package game21

import (
	"encoding/json"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// TestRational holds the arithmetic against math/big.
func TestRational(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) (Rational, *big.Rat) {
			num := rapid.Int64Range(-20_000, 20_000).Draw(t, name+" num")
			den := rapid.Int64Range(1, 20_000).Draw(t, name+" den")
			if rapid.Bool().Draw(t, name+" sign of den") {
				return fraction(-num, -den), big.NewRat(num, den)
			}
			return fraction(num, den), big.NewRat(num, den)
		}
		a, bigA := draw("a")
		b, bigB := draw("b")
		check := func(op string, got Rational, want *big.Rat) {
			if got.String() != want.RatString() {
				t.Fatalf("%v %s %v = %v, want %s", a, op, b, got, want.RatString())
			}
		}
		check("+", a.add(b), new(big.Rat).Add(bigA, bigB))
		check("-", a.sub(b), new(big.Rat).Sub(bigA, bigB))
		check("*", a.mul(b), new(big.Rat).Mul(bigA, bigB))
		if q, ok := a.quo(b); ok {
			check("/", q, new(big.Rat).Quo(bigA, bigB))
		} else if bigB.Sign() != 0 {
			t.Fatalf("%v / %v is refused", a, b)
		}
		if got, want := a.Cmp(b), bigA.Cmp(bigB); got != want || (a == b) != (want == 0) {
			t.Fatalf("Cmp(%v, %v) = %d, == is %v; want %d", a, b, got, a == b, want)
		}
		if a.Void() != (bigA.Cmp(big.NewRat(21, 1)) > 0) {
			t.Fatalf("%v: void is %v", a, a.Void())
		}
	})
}

func TestRationalText(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"0", "20", "-3", "41/2", "-1/3", "21", "1000000", "1/1000000"} {
		var r, again Rational
		if err := r.UnmarshalText([]byte(s)); err != nil || r.String() != s {
			t.Errorf("%q is read as %v, error %v", s, r, err)
		}
		encoded, err := json.Marshal(r)
		if err != nil || string(encoded) != `"`+s+`"` {
			t.Errorf("%v in JSON is %s, error %v", r, encoded, err)
		}
		if err := json.Unmarshal(encoded, &again); err != nil || again != r {
			t.Errorf("%s is read as %v, error %v", encoded, again, err)
		}
	}
	for _, s := range []string{
		"", "/", "1/", "/2", "4/2", "20/1", "1/0", "1/-2", "+3", "-0", "007", " 1", "1 /2", "1/2/3", "0.5", "1e3", "0x15",
		"1000001", "1/1000001", "-9223372036854775808", "99999999999999999999",
	} {
		r := whole(7)
		if err := r.UnmarshalText([]byte(s)); err == nil || r != whole(7) {
			t.Errorf("%q is read as %v, error %v; want it refused and nothing changed", s, r, err)
		}
	}
	if zero := (Rational{}); zero != whole(0) || zero.String() != "0" || zero.add(whole(3)) != whole(3) {
		t.Errorf("the zero Rational is %v, want 0", zero)
	}
}
