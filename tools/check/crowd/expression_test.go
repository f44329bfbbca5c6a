package crowd

import (
	"go/constant"
	"go/token"
	"go/types"
	"math/rand/v2"
	"testing"
)

// TestExpression draws expressions whose value is what go/constant says, fractions included.
func TestExpression(t *testing.T) {
	t.Parallel()
	draw := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		numbers := []int{1 + draw.IntN(10), 1 + draw.IntN(10), 1 + draw.IntN(10), 1 + draw.IntN(10)}
		e, ok := any21(draw, numbers)
		if !ok {
			continue
		}
		want := exact(t, e.text)
		if num, den := e.value.Num().String(), e.value.Denom().String(); constant.Compare(want, token.NEQ,
			constant.BinaryOp(constant.MakeFromLiteral(num, token.INT, 0), token.QUO, constant.MakeFromLiteral(den, token.INT, 0))) {
			t.Errorf("%s is %s, not %s", e.text, want, e.value)
		}
	}
}

// TestFools knows the well-known one: 7/(1-2/3) is 21, and not with float64.
func TestFools(t *testing.T) {
	t.Parallel()
	draw := rand.New(rand.NewPCG(1, 2))
	var e term
	found := false
	for tries := 0; !found && tries < 50; tries++ { // one in some thousand draws
		e, found = look(draw, []int{1, 2, 3, 7}, func(t term) bool { return t.value.RatString() == "21" && t.fools() })
	}
	if !found {
		t.Fatal("no expression of 1 2 3 7 is 21 and something else for float64")
	}
	if e.float == 21 {
		t.Errorf("%s is 21 for float64, too", e.text)
	}
	if whole, _ := look(draw, []int{1, 2, 3, 7}, func(t term) bool { return t.text == "((1+2)+3)+7" }); whole.fools() {
		t.Errorf("float64 is wrong about %s: %v", whole.text, whole.float)
	}
}

// exact evaluates with rational numbers: as floats, constants of Go divide exactly.
func exact(t *testing.T, expr string) constant.Value {
	t.Helper()
	floats := ""
	for i, r := range expr {
		floats += string(r)
		if digit(r) && (i+1 == len(expr) || !digit(rune(expr[i+1]))) {
			floats += ".0"
		}
	}
	v, err := types.Eval(token.NewFileSet(), nil, token.NoPos, floats)
	if err != nil {
		t.Fatalf("%s: %v", floats, err)
	}
	return v.Value
}

func digit(r rune) bool { return '0' <= r && r <= '9' }
