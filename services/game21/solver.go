package game21

import (
	"cmp"
	"slices"
	"strings"
)

// Solution is an expression over a hand, and its value: "41/2" or "21".
type Solution struct {
	Expression string
	Value      string
}

// Best gives the expression over n with the largest value that is not over 21:
// 21 itself where the hand can make it. There always is one, if need be below
// zero. Among equals it has the fewest parentheses (and so is the shortest),
// then the fewest divisions, then the fewest subtractions; it does not depend
// on the order of n. It takes a fraction of a millisecond.
func Best(n Numbers) Solution {
	var start [len(n)]term
	slices.Sort(n[:])
	for i, v := range n {
		start[i] = term{value: whole(v), text: whole(v).String(), op: 'n'}
	}
	var best term
	search(start[:], &best)
	return Solution{Expression: best.text, Value: best.value.String()}
}

// Makes21 tells whether an expression over n is exactly 21. Of the 715 hands,
// order aside, 509 can.
func Makes21(n Numbers) bool {
	return Best(n).Value == twentyOne.String()
}

// term is a part of an expression: a number, or two terms joined by op.
type term struct {
	value Rational
	text  string
	op    byte // 'n' for a number
}

// search joins any two of terms in any way, until one is left. Its depth is the
// number of terms, four at most. best is the best one so far; without text there
// is none.
func search(terms []term, best *term) {
	if len(terms) == 1 {
		if t := terms[0]; !t.value.Void() && (best.text == "" || better(t, *best)) {
			*best = t
		}
		return
	}
	for i := range terms {
		for j := range terms {
			if i == j {
				continue
			}
			var rest [len(Numbers{})]term
			left := rest[:1]
			for k, t := range terms {
				if k != i && k != j {
					left = append(left, t)
				}
			}
			for _, op := range []byte("+-*/") {
				if (op == '+' || op == '*') && i > j {
					continue // the same as with i and j exchanged
				}
				value, ok := apply(op, terms[i].value, terms[j].value)
				if !ok {
					continue
				}
				if len(terms) == 2 && (value.Void() || best.text != "" && value.Cmp(best.value) < 0) {
					continue // spare the text of what cannot win
				}
				rest[0] = term{value: value, text: join(op, terms[i], terms[j]), op: op}
				search(left, best)
			}
		}
	}
}

// better tells whether t is to be shown rather than u. Two texts over the same
// hand differ in length by their parentheses alone.
func better(t, u term) bool {
	return cmp.Or(
		u.value.Cmp(t.value),
		cmp.Compare(len(t.text), len(u.text)),
		cmp.Compare(strings.Count(t.text, "/"), strings.Count(u.text, "/")),
		cmp.Compare(strings.Count(t.text, "-"), strings.Count(u.text, "-")),
		strings.Compare(t.text, u.text),
	) < 0
}

// join writes a op b with the parentheses that it needs. a+(b-c) and a*(b/c)
// need none: read from left to right they have the same exact value.
func join(op byte, a, b term) string {
	left, right := a.text, b.text
	if precedence(a.op) < precedence(op) {
		left = "(" + left + ")"
	}
	if p := precedence(b.op); p < precedence(op) || p == precedence(op) && (op == '-' || op == '/') {
		right = "(" + right + ")"
	}
	return left + string(op) + right
}
