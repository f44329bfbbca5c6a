package game21

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"gamehall/shared/fault"
)

const (
	// maxLength of an expression in bytes. Four numbers, three operators and all
	// parentheses that can mean something are 21 bytes; the rest is for people
	// who like spaces.
	maxLength = 128

	// maxDepth is how many parentheses may be open at once. Two can mean
	// something.
	maxDepth = 16
)

// Verdict is what Judge found an expression to be.
type Verdict struct {
	Expression string // as it was typed, without spaces
	Value      Rational
}

// Is21 tells whether the expression is exactly 21.
func (v Verdict) Is21() bool { return v.Value.Is21() }

// Void tells whether the expression is over 21. It is an answer all the same.
func (v Verdict) Void() bool { return v.Value.Void() }

// Judge gives the exact value of expr, which must use each number of n once, be
// at most 128 bytes long and at most 16 parentheses deep. It may hold whole
// numbers in ASCII digits, binary + - * / with their usual precedence, ( ) and
// spaces.
//
// Faults: bad_expression for what cannot be read, is too long or too deep, or
// divides by zero; wrong_numbers for numbers other than those of n. Each says
// what was wrong. An n that is no hand is an error of the caller, not a fault.
func Judge(expr string, n Numbers) (Verdict, error) {
	if err := n.Validate(); err != nil {
		return Verdict{}, err
	}
	if len(expr) > maxLength {
		return Verdict{}, fault.New(fault.BadExpression, "expression too long (%d bytes at most)", maxLength)
	}
	tokens, err := scan(expr)
	if err != nil {
		return Verdict{}, err
	}
	if err := checkGrammar(tokens); err != nil {
		return Verdict{}, err
	}
	if err := checkNumbers(tokens, n); err != nil {
		return Verdict{}, err
	}
	value, ok := evaluate(tokens)
	if !ok {
		return Verdict{}, fault.New(fault.BadExpression, "the expression divides by zero")
	}
	return Verdict{Expression: strings.ReplaceAll(expr, " ", ""), Value: value}, nil
}

// token is a number (kind 'n'), an operator or a parenthesis (kind is itself).
type token struct {
	kind byte
	text string
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isWord tells whether c can stand in a number of some notation (1e9, 0x15, 1_0,
// 2.5) or in a name.
func isWord(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '.'
}

// scan splits expr into tokens. Whatever it does not know it names, quoted so
// that it can be shown on a terminal.
func scan(expr string) ([]token, error) {
	tokens := make([]token, 0, 16)
	for i := 0; i < len(expr); {
		c, end := expr[i], i+1
		switch {
		case c == ' ':
			i++
			continue
		case isWord(c):
			for end < len(expr) && isWord(expr[end]) {
				end++
			}
			word := expr[i:end]
			if err := checkNumber(word); err != nil {
				return nil, err
			}
			tokens = append(tokens, token{kind: 'n', text: word})
		case strings.IndexByte("+-*/()", c) >= 0:
			if (c == '*' || c == '/') && end < len(expr) && expr[end] == c {
				return nil, fault.New(fault.BadExpression, "%q is not an operator here, only + - * /", expr[i:end+1])
			}
			tokens = append(tokens, token{kind: c, text: expr[i:end]})
		default:
			return nil, unknown(expr[i:])
		}
		i = end
	}
	return tokens, nil
}

// checkNumber refuses a word that is not a whole number in plain decimal digits.
func checkNumber(word string) error {
	for i := range len(word) {
		if isDigit(word[i]) {
			continue
		}
		if isDigit(word[0]) || word[0] == '.' {
			return fault.New(fault.BadExpression, "%q is not a whole number in plain digits", word)
		}
		return fault.New(fault.BadExpression, "%q is not allowed, only numbers, + - * / ( ) and spaces", word)
	}
	if len(word) > 1 && word[0] == '0' {
		plain := strings.TrimLeft(word[:len(word)-1], "0") + word[len(word)-1:]
		return fault.New(fault.BadExpression, "%s has leading zeros, write %s", word, plain)
	}
	return nil
}

// unknown names the first character of s, which no expression may hold, and what
// to write instead where that is plain.
func unknown(s string) error {
	r, size := utf8.DecodeRuneInString(s)
	char := s[:size]
	switch {
	case r == '^' || r == '%':
		return fault.New(fault.BadExpression, "%q is not an operator here, only + - * /", char)
	case r == '×' || r == '÷' || r == '−':
		instead := map[rune]string{'×': "*", '÷': "/", '−': "-"}[r]
		return fault.New(fault.BadExpression, "%q is not allowed, write %q", char, instead)
	case '！' <= r && r <= '～': // ASCII as East Asian input methods write it
		return fault.New(fault.BadExpression, "%q is a full-width character, write %q", char, string(r-'！'+'!'))
	case unicode.IsDigit(r):
		return fault.New(fault.BadExpression, "%q is not a digit from 0 to 9", char)
	}
	return fault.New(fault.BadExpression, "%q is not allowed, only numbers, + - * / ( ) and spaces", char)
}

// checkGrammar refuses tokens that are no expression, or too deep.
func checkGrammar(tokens []token) error {
	if len(tokens) == 0 {
		return fault.New(fault.BadExpression, "the expression is empty")
	}
	depth := 0
	var prev token // none is like an opening parenthesis
	for _, t := range tokens {
		afterValue := prev.kind == 'n' || prev.kind == ')'
		switch t.kind {
		case 'n', '(':
			if afterValue {
				return fault.New(fault.BadExpression, "no operator between %s and %s", prev.text, t.text)
			}
			if t.kind == 'n' {
				break
			}
			if depth++; depth > maxDepth {
				return fault.New(fault.BadExpression, "expression too deep (%d parentheses at most)", maxDepth)
			}
		case ')':
			switch {
			case depth == 0:
				return fault.New(fault.BadExpression, "a ) closes nothing")
			case prev.kind == '(':
				return fault.New(fault.BadExpression, "nothing between ( and )")
			case !afterValue:
				return fault.New(fault.BadExpression, "%s has nothing on its right", prev.text)
			}
			depth--
		default:
			if !afterValue && (t.kind == '+' || t.kind == '-') {
				return fault.New(fault.BadExpression, "%s must stand between two values, not as a sign", t.text)
			}
			if !afterValue {
				return fault.New(fault.BadExpression, "%s has nothing on its left", t.text)
			}
		}
		prev = t
	}
	switch prev.kind {
	case 'n', '(', ')':
	default:
		return fault.New(fault.BadExpression, "%s has nothing on its right", prev.text)
	}
	if depth > 0 {
		return fault.New(fault.BadExpression, "a ( is not closed")
	}
	return nil
}

// checkNumbers refuses tokens that do not use each number of n once. It compares
// texts, so a number cannot be too large for it.
func checkNumbers(tokens []token, n Numbers) error {
	var dealt [len(n)]string
	for i, v := range n {
		dealt[i] = strconv.Itoa(v)
	}
	for _, t := range tokens {
		if t.kind == 'n' && !slices.Contains(dealt[:], t.text) {
			return fault.New(fault.WrongNumbers, "uses %s, which is not among %s", t.text, n)
		}
	}
	var missing []string
	for i, v := range dealt {
		if slices.Contains(dealt[:i], v) {
			continue // counted already
		}
		have, used := 0, 0
		for _, d := range dealt {
			if d == v {
				have++
			}
		}
		for _, t := range tokens {
			if t.kind == 'n' && t.text == v {
				used++
			}
		}
		switch {
		case used == have:
		case used == 0:
			missing = append(missing, v)
		case have == 1:
			return fault.New(fault.WrongNumbers, "uses %s %s", v, times(used))
		default:
			return fault.New(fault.WrongNumbers, "uses %s %s, but %s has it %s", v, times(used), n, times(have))
		}
	}
	if len(missing) > 0 {
		return fault.New(fault.WrongNumbers, "does not use %s", strings.Join(missing, " and "))
	}
	return nil
}

func times(n int) string {
	words := [...]string{1: "once", 2: "twice", 3: "three times", 4: "four times"}
	if n < len(words) {
		return words[n]
	}
	return strconv.Itoa(n) + " times"
}

// evaluate gives the value of tokens that passed the checks; ok is false if they
// divide by zero. It is Dijkstra's shunting yard: operators wait on a stack of
// their own until one that binds no tighter follows, so nothing recurses.
func evaluate(tokens []token) (value Rational, ok bool) {
	values := make([]Rational, 0, len(Numbers{}))
	waiting := make([]byte, 0, maxDepth+len(Numbers{}))

	// settle applies what waits and binds at least as tightly as p.
	settle := func(p int) bool {
		for len(waiting) > 0 && precedence(waiting[len(waiting)-1]) >= p {
			a, b := values[len(values)-2], values[len(values)-1]
			v, ok := apply(waiting[len(waiting)-1], a, b)
			if !ok {
				return false
			}
			waiting = waiting[:len(waiting)-1]
			values = append(values[:len(values)-2], v)
		}
		return true
	}

	for _, t := range tokens {
		switch t.kind {
		case 'n':
			v, err := strconv.Atoi(t.text)
			if err != nil { // checkNumbers has let only numbers of a hand pass
				return Rational{}, false
			}
			values = append(values, whole(v))
		case '(':
			waiting = append(waiting, '(')
		case ')':
			if !settle(precedence('+')) {
				return Rational{}, false
			}
			waiting = waiting[:len(waiting)-1] // its opening one
		default:
			if !settle(precedence(t.kind)) {
				return Rational{}, false
			}
			waiting = append(waiting, t.kind)
		}
	}
	if !settle(precedence('+')) {
		return Rational{}, false
	}
	return values[0], true
}

// precedence of an operator; a number binds tightest, a parenthesis holds
// everything off.
func precedence(kind byte) int {
	switch kind {
	case '+', '-':
		return 1
	case '*', '/':
		return 2
	case 'n':
		return 3
	}
	return 0
}

// apply is a op b; ok is false for a division by zero.
func apply(op byte, a, b Rational) (value Rational, ok bool) {
	switch op {
	case '+':
		return a.add(b), true
	case '-':
		return a.sub(b), true
	case '*':
		return a.mul(b), true
	}
	return a.quo(b)
}
