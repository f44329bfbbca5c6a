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
	return new(big.Rat).SetInt64(int64(n)), nil
}

// best is the largest value that is not over 21 of any expression of the numbers.
func best(numbers []int) *big.Rat {
	values := make([]*big.Rat, len(numbers))
	for i, n := range numbers {
		values[i] = new(big.Rat).SetInt64(int64(n))
	}
	var found *big.Rat
	var join func([]*big.Rat)
	join = func(values []*big.Rat) {
		if len(values) == 1 {
			if v := values[0]; v.Cmp(twentyOne) <= 0 && (found == nil || v.Cmp(found) > 0) {
				found = v
			}
			return
		}
		for i := range values {
			for j := range values {
				if i == j {
					continue
				}
				a, b := values[i], values[j]
				joined := []*big.Rat{new(big.Rat).Sub(a, b)}
				if i < j {
					joined = append(joined, new(big.Rat).Add(a, b), new(big.Rat).Mul(a, b))
				}
				if b.Sign() != 0 {
					joined = append(joined, new(big.Rat).Quo(a, b))
				}
				var rest []*big.Rat
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
	return found
}

var twentyOne = new(big.Rat).SetInt64(21)
