package vttest_test

import (
	"fmt"

	"gamehall/tools/client/vttest"
)

func ExampleScreen() {
	s := vttest.NewScreen(20, 2)
	fmt.Fprint(s, "hello\x1b[2;3Hworld\x1b[1;1HH")
	fmt.Print(s)
	// Output:
	// Hello
	//   world
}
