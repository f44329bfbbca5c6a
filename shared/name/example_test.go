package name_test

import (
	"fmt"

	"gamehall/shared/fault"
	"gamehall/shared/name"
)

func Example() {
	user, err := name.User("ＮｅｔＥａｓｅ１") // full width, as an input method may leave it
	fmt.Println(user, err)
	fmt.Println(name.Skeleton(user) == name.Skeleton("neteasel"))

	shown, key, err := name.Room("  Room 1 ")
	fmt.Printf("%q %q %v\n", shown, key, err)

	_, err = name.Text("\x1b[2Jhi")
	fmt.Println(fault.CodeOf(err), "-", err)
	// Output:
	// netease1 <nil>
	// true
	// "Room 1" "room 1" <nil>
	// bad_request - the text holds the control character U+001B, please leave it out
}
