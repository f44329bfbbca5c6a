package crowd

import (
	"math/big"
	"math/rand/v2"
	"strconv"
)

// term is an expression and its value, and what float64 makes of it.
type term struct {
	text  string
	value *big.Rat
	float float64
}

// fools tells whether float64 goes wrong on its way: it comes to another number than the one that
// is nearest to the value.
func (t term) fools() bool {
	nearest, _ := t.value.Float64()
	return t.float != nearest
}

// expression draws an answer to a round: mostly one that counts, now and then a good one, one
// that is over 21, one that is refused, or one that float64 takes for something else.
func expression(draw *rand.Rand, numbers []int) string {
	if len(numbers) != 4 {
		return "1+2+3+4"
	}
	switch n := draw.IntN(36); {
	case n < 3:
		return "1+"
	case n < 6:
		return strconv.Itoa(numbers[0]) + "+99"
	case n == 6: // seldom, for it ends the round, and others are to answer, too
		if t, found := look(draw, numbers, func(t term) bool { return t.value.Cmp(big.NewRat(21, 1)) == 0 }); found {
			return t.text
		}
	case n < 12:
		if t, found := look(draw, numbers, func(t term) bool { return t.value.Cmp(big.NewRat(21, 1)) > 0 }); found {
			return t.text
		}
	case n < 24:
		if t, found := look(draw, numbers, term.fools); found {
			return t.text
		}
	}
	t, _ := look(draw, numbers, func(t term) bool { return t.value.Cmp(big.NewRat(21, 1)) < 0 })
	return t.text
}

// look draws expressions until one's value is as wanted.
func look(draw *rand.Rand, numbers []int, wanted func(term) bool) (term, bool) {
	var t term
	for range 3000 {
		drawn, ok := any21(draw, numbers)
		if !ok {
			continue
		}
		if t = drawn; wanted(t) {
			return t, true
		}
	}
	return t, false
}

// any21 draws an expression that uses each number once; false when it divides by zero.
func any21(draw *rand.Rand, numbers []int) (term, bool) {
	var terms []term
	for _, n := range numbers {
		terms = append(terms, term{strconv.Itoa(n), big.NewRat(int64(n), 1), float64(n)})
	}
	for len(terms) > 1 {
		draw.Shuffle(len(terms), func(i, j int) { terms[i], terms[j] = terms[j], terms[i] })
		a, b := terms[0], terms[1]
		v := new(big.Rat)
		var f float64
		op := "+-*/"[draw.IntN(4)]
		switch op {
		case '+':
			v.Add(a.value, b.value)
			f = a.float + b.float
		case '-':
			v.Sub(a.value, b.value)
			f = a.float - b.float
		case '*':
			v.Mul(a.value, b.value)
			f = a.float * b.float
		default:
			if b.value.Sign() == 0 {
				return term{}, false
			}
			v.Quo(a.value, b.value)
			f = a.float / b.float
		}
		terms = append(terms[2:], term{"(" + a.text + string(op) + b.text + ")", v, f})
	}
	t := terms[0]
	t.text = t.text[1 : len(t.text)-1] // no need for the outermost
	return t, true
}
