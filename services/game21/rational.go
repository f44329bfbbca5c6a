package game21

import (
	"fmt"
	"strconv"
	"strings"
)

// Rational is an exact fraction in lowest terms; the zero Rational is 0. Two of
// them are equal if and only if == says so.
//
// It holds what four numbers from 1 to 10 can make, which is far inside int64.
type Rational struct {
	num int64
	// The denominator less one, so that the zero value is a number.
	denLess1 int64
}

// maxTerm bounds numerator and denominator of a Rational that comes from
// outside, so that comparing two of them cannot overflow. Four numbers from 1
// to 10 stay below 20,000.
const maxTerm = 1_000_000

var twentyOne = whole(21)

func whole(n int) Rational { return Rational{num: int64(n)} }

// fraction reduces num/den. den is not 0.
func fraction(num, den int64) Rational {
	if den < 0 {
		num, den = -num, -den
	}
	a, b := num, den
	if a < 0 {
		a = -a
	}
	for b != 0 {
		a, b = b, a%b
	}
	return Rational{num: num / a, denLess1: den/a - 1}
}

func (r Rational) den() int64 { return r.denLess1 + 1 }

func (r Rational) add(s Rational) Rational {
	return fraction(r.num*s.den()+s.num*r.den(), r.den()*s.den())
}

func (r Rational) sub(s Rational) Rational {
	return fraction(r.num*s.den()-s.num*r.den(), r.den()*s.den())
}

func (r Rational) mul(s Rational) Rational {
	return fraction(r.num*s.num, r.den()*s.den())
}

// quo is r/s; ok is false when s is 0.
func (r Rational) quo(s Rational) (q Rational, ok bool) {
	if s.num == 0 {
		return Rational{}, false
	}
	return fraction(r.num*s.den(), r.den()*s.num), true
}

// Cmp is -1 if r < s, 0 if they are equal, and +1 if r > s.
func (r Rational) Cmp(s Rational) int {
	switch a, b := r.num*s.den(), s.num*r.den(); {
	case a < b:
		return -1
	case a > b:
		return +1
	}
	return 0
}

// Is21 tells whether r is exactly 21.
func (r Rational) Is21() bool { return r == twentyOne }

// Void tells whether r is over 21.
func (r Rational) Void() bool { return r.Cmp(twentyOne) > 0 }

// String writes r as players see it: "20", "41/2", "-3".
func (r Rational) String() string {
	if r.denLess1 == 0 {
		return strconv.FormatInt(r.num, 10)
	}
	return fmt.Sprintf("%d/%d", r.num, r.den())
}

// MarshalText writes r like String, so that in JSON it is a string.
func (r Rational) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText writes and nothing else: no spaces, no
// "+3", no "4/2". Terms beyond 1,000,000 are refused.
func (r *Rational) UnmarshalText(text []byte) error {
	s := string(text)
	n, d, isFraction := strings.Cut(s, "/")
	num, err := strconv.ParseInt(n, 10, 64)
	if err != nil {
		return fmt.Errorf("read fraction %q: %w", s, err)
	}
	den := int64(1)
	if isFraction {
		if den, err = strconv.ParseInt(d, 10, 64); err != nil {
			return fmt.Errorf("read fraction %q: %w", s, err)
		}
	}
	if num < -maxTerm || num > maxTerm || den < 1 || den > maxTerm {
		return fmt.Errorf("read fraction %q: out of range", s)
	}
	f := fraction(num, den)
	if f.String() != s {
		return fmt.Errorf("read fraction %q: want it as %q", s, f)
	}
	*r = f
	return nil
}
