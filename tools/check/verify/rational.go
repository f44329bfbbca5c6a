package verify

import (
	"errors"
	"math/big"
	"slices"
	"strconv"
)

// evaluate gives the exact value of an expression and the numbers in it, sorted. It is the
// checker's own, so that it does not share a mistake with the judge of the game.
func evaluate(expression string) (*big.Rat, []int, error) {
	p := parser{in: expression}
	value, err := p.sum(0)
	if err != nil {
		return nil, nil, err
	}
	if p.skip(); p.at != len(p.in) {
		return nil, nil, errors.New("something is behind it")
	}
	slices.Sort(p.numbers)
	return value, p.numbers, nil
}

// parser reads sums of products of numbers and parentheses.
type parser struct {
	in      string
	at      int
	numbers []int
}

// deepest is beyond what the hall accepts: it bounds the recursion.
const deepest = 64

func (p *parser) skip() {
	for p.at < len(p.in) && p.in[p.at] == ' ' {
		p.at++
	}
}

// next takes one of the bytes, or gives 0.
func (p *parser) next(bytes string) byte {
	p.skip()
	if p.at < len(p.in) {
		for i := range len(bytes) {
			if p.in[p.at] == bytes[i] {
				p.at++
				return bytes[i]
			}
		}
	}
	return 0
}

func (p *parser) sum(depth int) (*big.Rat, error) {
	left, err := p.product(depth)
	for err == nil {
		op := p.next("+-")
		if op == 0 {
			break
		}
		var right *big.Rat
		if right, err = p.product(depth); err == nil {
			if op == '-' {
				right.Neg(right)
			}
			left.Add(left, right)
		}
	}
	return left, err
}

func (p *parser) product(depth int) (*big.Rat, error) {
	left, err := p.factor(depth)
	for err == nil {
		op := p.next("*/")
		if op == 0 {
			break
		}
		var right *big.Rat
		if right, err = p.factor(depth); err != nil {
			break
		}
		if op == '/' {
			if right.Sign() == 0 {
				return nil, errors.New("it divides by zero")
			}
			right.Inv(right)
		}
		left.Mul(left, right)
	}
	return left, err
}

func (p *parser) factor(depth int) (*big.Rat, error) {
	if depth > deepest {
		return nil, errors.New("it is too deep")
	}
	if p.next("(") != 0 {
		value, err := p.sum(depth + 1)
		if err == nil && p.next(")") == 0 {
			err = errors.New("a parenthesis is open")
		}
		return value, err
	}
	p.skip()
	begin := p.at
	for p.at < len(p.in) && '0' <= p.in[p.at] && p.in[p.at] <= '9' {
		p.at++
	}
	n, err := strconv.Atoi(p.in[begin:p.at])
	if err != nil {
		return nil, errors.New("a number is missing")
	}
	p.numbers = append(p.numbers, n)
	return big.NewRat(int64(n), 1), nil
}

// fraction is n/d, d above 0. Four numbers up to 10 and three operators stay far within an
// int64, also unreduced.
type fraction struct{ n, d int64 }

// best is the largest value that is not over 21 of any expression of the numbers.
func best(numbers []int) *big.Rat {
	values := make([]fraction, len(numbers))
	for i, n := range numbers {
		values[i] = fraction{int64(n), 1}
	}
	found, any := fraction{}, false
	var join func([]fraction)
	join = func(values []fraction) {
		if len(values) == 1 {
			if v := values[0]; v.n <= 21*v.d && (!any || v.n*found.d > found.n*v.d) {
				found, any = v, true
			}
			return
		}
		for i := range values {
			for j := range values {
				if i == j {
					continue
				}
				a, b := values[i], values[j]
				joined := []fraction{{a.n*b.d - b.n*a.d, a.d * b.d}}
				if i < j {
					joined = append(joined, fraction{a.n*b.d + b.n*a.d, a.d * b.d}, fraction{a.n * b.n, a.d * b.d})
				}
				switch {
				case b.n > 0:
					joined = append(joined, fraction{a.n * b.d, a.d * b.n})
				case b.n < 0:
					joined = append(joined, fraction{-a.n * b.d, -a.d * b.n})
				}
				var rest []fraction
				for k, v := range values {
					if k != i && k != j {
						rest = append(rest, v)
					}
				}
				for _, v := range joined {
					join(append(slices.Clone(rest), v))
				}
			}
		}
	}
	join(values)
	return big.NewRat(found.n, found.d)
}

var twentyOne = big.NewRat(21, 1)
