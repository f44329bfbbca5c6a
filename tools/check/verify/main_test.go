package verify_test

import "flag"

// Each run of the model takes as long as a hundred small properties; -rapid.checks asks for more.
func init() {
	if err := flag.Set("rapid.checks", "25"); err != nil {
		panic(err)
	}
}
