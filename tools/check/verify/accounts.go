package verify

import (
	"fmt"

	"github.com/anishathalye/porcupine"

	"gamehall/shared/name"
	"gamehall/tools/check/history"
)

// checkAccounts is S3: a name is given once, and who has it can sign in from then on. Whether
// it was given before the run nobody knows.
func (c *checker) checkAccounts() {
	for user, steps := range c.accountSteps() {
		c.report.look(S3, len(steps))
		switch porcupine.CheckOperationsTimeout(accountModel.ToModel(), steps, linearizeFor) {
		case porcupine.Illegal:
			told := ""
			for _, s := range steps[:min(len(steps), 6)] {
				told += fmt.Sprintf(", %s (%s to %s)", s.Input, since(s.Call, c.run.Start), since(s.Return, c.run.Start))
			}
			c.violate(Violation{ID: S3, Text: fmt.Sprintf("the account %s is not one of a set: %s", user, told[2:])})
		case porcupine.Unknown:
			c.violate(Violation{ID: S3, Text: fmt.Sprintf("the account %s could not be judged within %s", user, linearizeFor)})
		case porcupine.Ok:
		}
	}
}

// accountModel is whether an account exists.
var accountModel = porcupine.NondeterministicModel{
	Init: func() []any { return []any{false, true} },
	Step: func(state, input, _ any) []any {
		exists, _ := state.(bool)
		switch input {
		case "made":
			if exists {
				return nil
			}
			return []any{true}
		case "maybe":
			return []any{exists, true}
		case "there":
			if exists {
				return []any{true}
			}
		case "unknown":
			if !exists {
				return []any{false}
			}
		}
		return nil
	},
}

func (c *checker) accountSteps() map[string][]porcupine.Operation {
	steps := map[string][]porcupine.Operation{}
	for i, o := range c.ops {
		what, end := "there", o.out.T
		switch {
		case o.in.F == history.SignUp && o.ok():
			what = "made"
		case o.in.F == history.SignUp && o.unknown():
			what, end = "maybe", end+60*second
		case o.in.F == history.SignUp && o.out.Code == "username_taken":
		case o.in.F == history.SignIn && (o.ok() || o.out.Code == "already_signed_in"):
		case o.in.F == history.SignIn && o.out.Code == "wrong_credentials" && !o.in.Wrong:
			what = "unknown"
		default:
			continue
		}
		// Names that look alike are one.
		user := name.Skeleton(fold(o.in.User))
		steps[user] = append(steps[user], porcupine.Operation{ClientId: i, Input: what, Call: o.in.T, Return: end})
	}
	return steps
}
