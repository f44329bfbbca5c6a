package game21

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	gotoken "go/token"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"gamehall/shared/fault"

	"pgregory.net/rapid"
)

func ExampleJudge() {
	v, err := Judge("7 / (1 - 2/3)", Numbers{1, 2, 3, 7})
	fmt.Println(v.Expression, "=", v.Value, v.Is21(), err)

	_, err = Judge("7 * 3", Numbers{2, 3, 5, 10})
	fmt.Println(fault.CodeOf(err), "-", err)
	// Output:
	// 7/(1-2/3) = 21 true <nil>
	// wrong_numbers - uses 7, which is not among 2 3 5 10
}

func TestJudge(t *testing.T) {
	t.Parallel()
	tests := []struct {
		expr       string
		numbers    Numbers
		expression string // normalised
		value      string
		void       bool
	}{
		{"(10-3)*(5-2)", Numbers{2, 3, 5, 10}, "(10-3)*(5-2)", "21", false},
		{"2*3+5+10", Numbers{2, 3, 5, 10}, "2*3+5+10", "21", false},
		{"  10 +5  +3+ 2 ", Numbers{2, 3, 5, 10}, "10+5+3+2", "20", false},
		{"10-5-3-2", Numbers{2, 3, 5, 10}, "10-5-3-2", "0", false},
		{"2-3-5-10", Numbers{2, 3, 5, 10}, "2-3-5-10", "-16", false},
		{"10/5/2*3", Numbers{2, 3, 5, 10}, "10/5/2*3", "3", false},
		{"10/(5/2)/3", Numbers{2, 3, 5, 10}, "10/(5/2)/3", "4/3", false},
		{"2-3*5/10", Numbers{2, 3, 5, 10}, "2-3*5/10", "1/2", false},
		{"(2-10)/5+3", Numbers{2, 3, 5, 10}, "(2-10)/5+3", "7/5", false},
		{"5*10-3-2", Numbers{2, 3, 5, 10}, "5*10-3-2", "45", true},
		{"10*2+3/5", Numbers{2, 3, 5, 10}, "10*2+3/5", "103/5", false},
		{"10*2+5/3", Numbers{2, 3, 5, 10}, "10*2+5/3", "65/3", true},
		{"4*5+1/2", Numbers{1, 2, 4, 5}, "4*5+1/2", "41/2", false},
		{"7/(1-2/3)", Numbers{1, 2, 3, 7}, "7/(1-2/3)", "21", false},
		{"7/(1/3)*1", Numbers{1, 1, 3, 7}, "7/(1/3)*1", "21", false},
		{"((2))*(3)+((5)+10)", Numbers{2, 3, 5, 10}, "((2))*(3)+((5)+10)", "21", false},
		{"(2-2)/5+3", Numbers{2, 2, 3, 5}, "(2-2)/5+3", "3", false},
		{
			strings.Repeat("(", 16) + "2" + strings.Repeat(")", 16) + "+3+5+10",
			Numbers{2, 3, 5, 10},
			strings.Repeat("(", 16) + "2" + strings.Repeat(")", 16) + "+3+5+10", "20", false,
		},
		{"2+3+5+10" + strings.Repeat(" ", 120), Numbers{2, 3, 5, 10}, "2+3+5+10", "20", false},
	}
	for _, tt := range tests {
		t.Run(tt.expr, func(t *testing.T) {
			t.Parallel()
			v, err := Judge(tt.expr, tt.numbers)
			if err != nil {
				t.Fatal(err)
			}
			if v.Expression != tt.expression || v.Value.String() != tt.value || v.Void() != tt.void || v.Is21() != (tt.value == "21") {
				t.Errorf("got %s = %v, void %v, 21 %v; want %s = %s, void %v", v.Expression, v.Value, v.Void(), v.Is21(), tt.expression, tt.value, tt.void)
			}
		})
	}
}

// TestJudgeRefuses holds what is no answer: division by zero, texts meant to
// exhaust the parser, numbers in other notations, other numbers.
func TestJudgeRefuses(t *testing.T) {
	t.Parallel()
	hand := Numbers{2, 3, 5, 10}
	const only = ", only numbers, + - * / ( ) and spaces"
	tests := []struct {
		name    string
		expr    string
		numbers Numbers
		code    fault.Code
		says    string
	}{
		// Division by zero.
		{"by a difference", "3+5/(2-2)", Numbers{2, 2, 3, 5}, fault.BadExpression, "the expression divides by zero"},
		{"zero by zero", "(3-3)/(2-2)", Numbers{2, 2, 3, 3}, fault.BadExpression, "the expression divides by zero"},
		{"by a nested zero", "3/(5/1-5)", Numbers{1, 3, 5, 5}, fault.BadExpression, "the expression divides by zero"},
		{"by a quotient that is zero", "7/((2-2)/3)", Numbers{2, 2, 3, 7}, fault.BadExpression, "the expression divides by zero"},
		{"by a product that is zero", "7/(3*(2-2))", Numbers{2, 2, 3, 7}, fault.BadExpression, "the expression divides by zero"},
		{"by a literal zero", "2+3+5+10/0", hand, fault.WrongNumbers, "uses 0, which is not among 2 3 5 10"},

		// Length and depth.
		{"depth 17", strings.Repeat("(", 17) + "2" + strings.Repeat(")", 17) + "+3+5+10", hand, fault.BadExpression, "expression too deep (16 parentheses at most)"},
		{"depth 60", strings.Repeat("(", 60) + "2" + strings.Repeat(")", 60), hand, fault.BadExpression, "expression too deep (16 parentheses at most)"},
		{"depth that is never closed", strings.Repeat("(", 128), hand, fault.BadExpression, "expression too deep (16 parentheses at most)"},
		{"depth by operators", strings.Repeat("(2-", 42), hand, fault.BadExpression, "expression too deep (16 parentheses at most)"},
		{"129 bytes", "2+3+5+10" + strings.Repeat(" ", 121), hand, fault.BadExpression, "expression too long (128 bytes at most)"},
		{"10 KiB", strings.Repeat("(", 10<<10), hand, fault.BadExpression, "expression too long (128 bytes at most)"},
		{"a long chain", strings.Repeat("2+", 63) + "2", hand, fault.WrongNumbers, "uses 2 64 times"},

		// Numbers in other notations, and other operators.
		{"huge", "99999999999999999999", hand, fault.WrongNumbers, "uses 99999999999999999999, which is not among 2 3 5 10"},
		{"exponent", "1e9", hand, fault.BadExpression, `"1e9" is not a whole number in plain digits`},
		{"hexadecimal", "0x15", hand, fault.BadExpression, `"0x15" is not a whole number in plain digits`},
		{"digit separator", "1_0+2+3+5", hand, fault.BadExpression, `"1_0" is not a whole number in plain digits`},
		{"decimal point", "2.0+3+5+10", hand, fault.BadExpression, `"2.0" is not a whole number in plain digits`},
		{"only a decimal point", ".5", hand, fault.BadExpression, `".5" is not a whole number in plain digits`},
		{"leading zeros", "007", hand, fault.BadExpression, "007 has leading zeros, write 7"},
		{"nothing but zeros", "00", hand, fault.BadExpression, "00 has leading zeros, write 0"},
		{"glued digits", "12+3+4", Numbers{1, 2, 3, 4}, fault.WrongNumbers, "uses 12, which is not among 1 2 3 4"},
		{"digits glued over a space", "1 2+3+4", Numbers{1, 2, 3, 4}, fault.BadExpression, "no operator between 1 and 2"},
		{"ten split", "1 0+2+3+5", hand, fault.BadExpression, "no operator between 1 and 0"},
		{"full-width digit", "５+2+3+10", hand, fault.BadExpression, `"５" is a full-width character, write "5"`},
		{"full-width parenthesis", "（2+3)+5+10", hand, fault.BadExpression, `"（" is a full-width character, write "("`},
		{"other digit", "2+٣", hand, fault.BadExpression, `"٣" is not a digit from 0 to 9`},
		{"multiplication sign", "2×3+5+10", hand, fault.BadExpression, `"×" is not allowed, write "*"`},
		{"division sign", "2÷3", hand, fault.BadExpression, `"÷" is not allowed, write "/"`},
		{"minus sign of typographers", "5−2", hand, fault.BadExpression, `"−" is not allowed, write "-"`},
		{"unary minus", "-2+3+5+10", hand, fault.BadExpression, "- must stand between two values, not as a sign"},
		{"unary minus in parentheses", "3+5+10+(-2)", hand, fault.BadExpression, "- must stand between two values, not as a sign"},
		{"two minuses", "10--2+3+5", hand, fault.BadExpression, "- must stand between two values, not as a sign"},
		{"unary plus", "+2+3+5+10", hand, fault.BadExpression, "+ must stand between two values, not as a sign"},
		{"power", "2**3+5+10", hand, fault.BadExpression, `"**" is not an operator here, only + - * /`},
		{"integer division", "10//5+2+3", hand, fault.BadExpression, `"//" is not an operator here, only + - * /`},
		{"caret", "2^3+5+10", hand, fault.BadExpression, `"^" is not an operator here, only + - * /`},
		{"remainder", "10%3+2+5", hand, fault.BadExpression, `"%" is not an operator here, only + - * /`},
		{"function", "sqrt(2)", hand, fault.BadExpression, `"sqrt" is not allowed` + only},
		{"letter as operator", "2x3", hand, fault.BadExpression, `"2x3" is not a whole number in plain digits`},
		{"tab", "2\t+3", hand, fault.BadExpression, `"\t" is not allowed` + only},
		{"escape sequence", "\x1b[2J", hand, fault.BadExpression, `"\x1b" is not allowed` + only},
		{"right-to-left override", "2\u202e+3", hand, fault.BadExpression, `"\u202e" is not allowed` + only},
		{"broken UTF-8", "2\xff3", hand, fault.BadExpression, `"\xff" is not allowed` + only},

		// Not an expression.
		{"empty", "", hand, fault.BadExpression, "the expression is empty"},
		{"spaces", "   ", hand, fault.BadExpression, "the expression is empty"},
		{"empty parentheses", "2+()", hand, fault.BadExpression, "nothing between ( and )"},
		{"open at the end", "2+3+5+10*(", hand, fault.BadExpression, "a ( is not closed"},
		{"never closed", "(2+3+5+10", hand, fault.BadExpression, "a ( is not closed"},
		{"never opened", "2+3)+5+10", hand, fault.BadExpression, "a ) closes nothing"},
		{"closed first", ")2+3+5+10(", hand, fault.BadExpression, "a ) closes nothing"},
		{"implied multiplication", "2(3+5)*10", hand, fault.BadExpression, "no operator between 2 and ("},
		{"parentheses side by side", "(2+3)(5+10)", hand, fault.BadExpression, "no operator between ) and ("},
		{"number after a parenthesis", "(2+3)5", hand, fault.BadExpression, "no operator between ) and 5"},
		{"operator at the end", "2+3+5+10*", hand, fault.BadExpression, "* has nothing on its right"},
		{"operator before )", "(2+3-)*5", hand, fault.BadExpression, "- has nothing on its right"},
		{"operator at the start", "*2+3", hand, fault.BadExpression, "* has nothing on its left"},
		{"operator after (", "2+(/3)", hand, fault.BadExpression, "/ has nothing on its left"},

		// Other numbers.
		{"foreign", "7*3", hand, fault.WrongNumbers, "uses 7, which is not among 2 3 5 10"},
		{"twice", "3*3+10+2", hand, fault.WrongNumbers, "uses 3 twice"},
		{"thrice", "3*3*3", hand, fault.WrongNumbers, "uses 3 three times"},
		{"missing", "2*3+5", hand, fault.WrongNumbers, "does not use 10"},
		{"two missing", "2*3", hand, fault.WrongNumbers, "does not use 5 and 10"},
		{"one of a pair", "2*3+5", Numbers{2, 3, 3, 5}, fault.WrongNumbers, "uses 3 once, but 2 3 3 5 has it twice"},
		{"a pair and one more", "3*3*3+2+5", Numbers{2, 3, 3, 5}, fault.WrongNumbers, "uses 3 three times, but 2 3 3 5 has it twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := Judge(tt.expr, tt.numbers)
			if err == nil {
				t.Fatalf("accepted as %s = %v", v.Expression, v.Value)
			}
			if v != (Verdict{}) {
				t.Errorf("a verdict beside the error: %v", v)
			}
			if got := fault.CodeOf(err); got != tt.code || err.Error() != tt.says {
				t.Errorf("got %s: %s\nwant %s: %s", got, err, tt.code, tt.says)
			}
		})
	}
}

func TestJudgeNoHand(t *testing.T) {
	t.Parallel()
	for _, n := range []Numbers{{}, {1, 2, 3, 11}, {-1, 2, 3, 4}} {
		if _, err := Judge("1+2+3+4", n); fault.CodeOf(err) != fault.Internal {
			t.Errorf("hand %v: error %v, want one that is no fault of the player", n, err)
		}
	}
}

// TestJudgeEveryExpression judges every expression over every hand, against the
// oracle.
func TestJudgeEveryExpression(t *testing.T) {
	t.Parallel()
	judged, zeros := 0, 0
	for _, n := range allHands() {
		eachExpression(n, func(w written) {
			judged++
			v, err := Judge(w.text, n)
			if !w.ok {
				zeros++
				if fault.CodeOf(err) != fault.BadExpression {
					t.Errorf("%s divides by zero: got %v, error %v", w.text, v.Value, err)
				}
				return
			}
			if got := (ratio{int(v.Value.num), int(v.Value.den())}); err != nil || got != w.exact.reduced() {
				t.Errorf("%s: got %v, error %v, want %v", w.text, v.Value, err, w.exact)
			}
		})
	}
	// 10⁴ deals in order, 64 choices of operators, five of parentheses.
	if want := 10_000 * 64 * 5; judged != want || zeros == 0 {
		t.Errorf("judged %d expressions, %d with a division by zero; want %d and some", judged, zeros, want)
	}
}

// TestJudgeWhereFloatFails judges the exact 21s that float64 takes for another
// value.
func TestJudgeWhereFloatFails(t *testing.T) {
	t.Parallel()
	misjudged, over := map[Numbers]string{}, map[Numbers]bool{}
	for _, n := range allHands() {
		eachExpression(n, func(w written) {
			if !w.ok || w.exact.p != 21*w.exact.q || w.float == 21 {
				return
			}
			misjudged[n] = w.text
			over[n] = over[n] || w.float > 21
			v, err := Judge(w.text, n)
			if err != nil || !v.Is21() || v.Void() {
				t.Errorf("%s: got %v, error %v, want 21", w.text, v.Value, err)
			}
		})
	}
	if len(misjudged) != 23 || misjudged[Numbers{1, 2, 3, 7}] == "" {
		t.Errorf("float64 misjudges %d hands: %v; want 23, 1 2 3 7 among them", len(misjudged), slices.Collect(maps.Keys(misjudged)))
	}
	for _, n := range []Numbers{{1, 3, 4, 7}, {1, 3, 7, 8}, {1, 3, 7, 9}, {1, 6, 7, 8}, {2, 3, 5, 7}, {2, 6, 7, 10}} {
		if !over[n] {
			t.Errorf("float64 does not take a 21 of %v for more", n)
		}
	}
}

// goValue is what the Go compiler's arithmetic makes of expr; ok is false for a
// division by zero.
func goValue(t interface{ Fatalf(string, ...any) }, expr string) (v constant.Value, ok bool) {
	tree, err := parser.ParseExpr(expr)
	if err != nil {
		t.Fatalf("go/parser refuses %q: %v", expr, err)
	}
	var eval func(ast.Expr) (constant.Value, bool)
	eval = func(e ast.Expr) (constant.Value, bool) {
		switch e := e.(type) {
		case *ast.BasicLit:
			return constant.MakeFromLiteral(e.Value, e.Kind, 0), true
		case *ast.ParenExpr:
			return eval(e.X)
		case *ast.BinaryExpr:
			x, okX := eval(e.X)
			y, okY := eval(e.Y)
			if !okX || !okY || e.Op == gotoken.QUO && constant.Sign(y) == 0 {
				return nil, false
			}
			return constant.BinaryOp(x, e.Op, y), true // on integers, QUO is exact
		}
		t.Fatalf("%q holds a %T", expr, e)
		return nil, false
	}
	return eval(tree)
}

// goString writes v like Rational.
func goString(v constant.Value) string {
	num, den := constant.Num(v), constant.Denom(v)
	if den.ExactString() == "1" {
		return num.ExactString()
	}
	return num.ExactString() + "/" + den.ExactString()
}

// drawHand draws any hand.
func drawHand(t *rapid.T) Numbers {
	var n Numbers
	for i := range n {
		n[i] = rapid.IntRange(1, 10).Draw(t, "number")
	}
	return n
}

// drawExpression writes a tree over numbers, with the spaces and the needless
// parentheses that people write.
func drawExpression(t *rapid.T, numbers []int) string {
	var text string
	if len(numbers) == 1 {
		text = strconv.Itoa(numbers[0])
	} else {
		cut := rapid.IntRange(1, len(numbers)-1).Draw(t, "cut")
		pad := strings.Repeat(" ", rapid.IntRange(0, 2).Draw(t, "pad"))
		text = drawExpression(t, numbers[:cut]) + pad +
			rapid.SampledFrom([]string{"+", "-", "*", "/"}).Draw(t, "op") +
			pad + drawExpression(t, numbers[cut:])
	}
	for range rapid.IntRange(0, 3).Draw(t, "parentheses") {
		text = "(" + text + ")"
	}
	return text
}

// TestJudgeLikeGo: an expression that the judge accepts has the exact value that
// go/constant gives it, and it refuses a valid one for division by zero alone.
func TestJudgeLikeGo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := drawHand(t)
		expr := drawExpression(t, rapid.Permutation(n[:]).Draw(t, "order"))
		want, ok := goValue(t, expr)
		v, err := Judge(expr, n)
		if !ok {
			if fault.CodeOf(err) != fault.BadExpression {
				t.Fatalf("%q divides by zero: got %v, error %v", expr, v.Value, err)
			}
			return
		}
		if err != nil {
			t.Fatalf("%q over %v: %v", expr, n, err)
		}
		if got := v.Value.String(); got != goString(want) {
			t.Fatalf("%q: got %s, want %s", expr, got, goString(want))
		}
		if v.Is21() != constant.Compare(want, gotoken.EQL, constant.MakeInt64(21)) ||
			v.Void() != constant.Compare(want, gotoken.GTR, constant.MakeInt64(21)) {
			t.Fatalf("%q = %s: 21 %v, void %v", expr, goString(want), v.Is21(), v.Void())
		}
	})
}

// TestJudgeWrongNumbers: a well-formed expression over other numbers is refused
// as such, whatever its value.
func TestJudgeWrongNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := drawHand(t)
		used := rapid.SliceOfN(rapid.IntRange(0, 12), 1, 6).Draw(t, "used")
		dealt := slices.Sorted(slices.Values(n[:]))
		if slices.Equal(slices.Sorted(slices.Values(used)), dealt) {
			t.Skip("the hand itself")
		}
		text := make([]string, len(used))
		for i, v := range used {
			text[i] = strconv.Itoa(v)
		}
		expr := strings.Join(text, "/")
		if v, err := Judge(expr, n); fault.CodeOf(err) != fault.WrongNumbers {
			t.Fatalf("%q over %v: got %v, error %v", expr, n, v, err)
		}
	})
}

func FuzzJudge(f *testing.F) {
	for _, s := range []string{
		"7/(1-2/3)", "(10-3)*(5-2)", " 1 + 2 + 3 + 7 ", "1/(2-2)", "-1", "2**3", "1e9", "0x15", "007",
		"5*", "((((", "))))", "１+2", strings.Repeat("(", 128), strings.Repeat("(2-", 42), "\xff", "1 2", "()",
	} {
		f.Add(s, uint8(0), uint8(1), uint8(2), uint8(6))
	}
	f.Fuzz(func(t *testing.T, expr string, a, b, c, d uint8) {
		n := Numbers{int(a)%10 + 1, int(b)%10 + 1, int(c)%10 + 1, int(d)%10 + 1}
		v, err := Judge(expr, n)
		if err != nil {
			if code := fault.CodeOf(err); code != fault.BadExpression && code != fault.WrongNumbers {
				t.Fatalf("%q: code %q", expr, code)
			}
			says := err.Error()
			if len(says) > 1024 || !utf8.ValidString(says) || strings.ContainsFunc(says, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Fatalf("%q: the error is not fit for a terminal: %q", expr, says)
			}
			return
		}
		if len(expr) > 128 {
			t.Fatalf("accepted %d bytes", len(expr))
		}
		depth := 0
		for _, r := range expr {
			if !strings.ContainsRune("0123456789+-*/() ", r) {
				t.Fatalf("accepted %q in %q", r, expr)
			}
			switch r {
			case '(':
				depth++
			case ')':
				depth--
			}
			if depth > 16 {
				t.Fatalf("accepted depth %d in %q", depth, expr)
			}
		}
		want, ok := goValue(t, expr)
		if !ok || v.Value.String() != goString(want) {
			t.Fatalf("%q: got %v, want %v", expr, v.Value, want)
		}
		if strings.Contains(v.Expression, " ") {
			t.Fatalf("%q became %q", expr, v.Expression)
		}
		if again, err := Judge(v.Expression, n); err != nil || again != v {
			t.Fatalf("%q is %v, but %q is %v, error %v", expr, v, v.Expression, again, err)
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	n := Numbers{1, 2, 3, 7}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Judge("7/(1-2/3)", n); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkJudgeDeep is the dearest text that is not refused by length.
func BenchmarkJudgeDeep(b *testing.B) {
	expr := strings.Repeat("(2-", 42)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Judge(expr, Numbers{2, 3, 5, 10}); err == nil {
			b.Fatal("accepted")
		}
	}
}
