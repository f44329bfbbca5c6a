package verify

import (
	"go/ast"
	"go/constant"
	goparser "go/parser"
	"go/token"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestEvaluate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in, value string // "" when it is refused
	}{
		{"7/(1-2/3)", "21"},
		{"10/3 + 2*5", "40/3"},
		{"1-1-1-1", "-2"},
		{"8/2/2", "2"},
		{"((((1))))", "1"},
		{"1/(2-2)", ""},
		{"-1", ""},
		{"1+", ""},
		{"(1", ""},
		{"1)", ""},
		{"1 2", ""},
		{"0x15", ""},
		{"", ""},
	}
	for _, tt := range tests {
		value, _, err := evaluate(tt.in)
		if tt.value == "" {
			if err == nil {
				t.Errorf("%q is %s", tt.in, value)
			}
			continue
		}
		if err != nil || value.RatString() != tt.value {
			t.Errorf("%q is %v, %v, want %s", tt.in, value, err, tt.value)
		}
	}
}

// Go's own parser and constants agree.
func TestEvaluateAsGo(t *testing.T) {
	t.Parallel()
	var term func(t *rapid.T, depth int) string
	term = func(t *rapid.T, depth int) string {
		if depth == 0 || rapid.Bool().Draw(t, "number") {
			return rapid.StringMatching(`[1-9]|10`).Draw(t, "n")
		}
		joined := term(t, depth-1) + rapid.SampledFrom([]string{"+", "-", "*", "/"}).Draw(t, "op") + term(t, depth-1)
		if rapid.Bool().Draw(t, "parentheses") {
			return "(" + joined + ")"
		}
		return joined
	}
	rapid.Check(t, func(t *rapid.T) {
		text := term(t, 4)
		value, _, err := evaluate(text)
		want := asGo(t, text)
		if (err != nil) != (want == nil) || err == nil && value.Cmp(want) != 0 {
			t.Fatalf("%s is %v (%v), and in Go %v", text, value, err, want)
		}
	})
}

func asGo(t *rapid.T, text string) *big.Rat {
	parsed, err := goparser.ParseExpr(text)
	if err != nil {
		t.Fatal(err)
	}
	var eval func(e ast.Expr) constant.Value
	eval = func(e ast.Expr) constant.Value {
		switch e := e.(type) {
		case *ast.BasicLit:
			return constant.ToFloat(constant.MakeFromLiteral(e.Value, token.INT, 0))
		case *ast.ParenExpr:
			return eval(e.X)
		case *ast.BinaryExpr:
			x, y := eval(e.X), eval(e.Y)
			if x == nil || y == nil || e.Op == token.QUO && constant.Sign(y) == 0 {
				return nil
			}
			return constant.BinaryOp(x, e.Op, y)
		}
		return nil
	}
	value := eval(parsed)
	if value == nil {
		return nil
	}
	rat, ok := new(big.Rat).SetString(value.ExactString())
	if !ok {
		t.Fatal(value.ExactString())
	}
	return rat
}

// A best solution is 21 for 509 of the 715 hands.
func TestBest(t *testing.T) {
	t.Parallel()
	hands, make21 := 0, 0
	for a := 1; a <= 10; a++ {
		for b := a; b <= 10; b++ {
			for c := b; c <= 10; c++ {
				for d := c; d <= 10; d++ {
					hands++
					if best([]int{a, b, c, d}).Cmp(twentyOne) == 0 {
						make21++
					}
				}
			}
		}
	}
	if hands != 715 || make21 != 509 {
		t.Errorf("%d of %d hands make 21, want 509 of 715", make21, hands)
	}
}
