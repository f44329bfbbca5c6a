// Command mutants proves that hall check notices: a checker that never failed proves nothing.
//
// Each patch here puts one defect of FAULTS.md's list into the hall (an acknowledgement before
// storing, a retry without the id, a judge that uses float64), and says in its head what that is,
// how hall check is run, and which promises it must find broken:
//
//	Chat says ok as soon as it has sent a line, and waits for nobody to store it.
//
//	Check: --scenario leader --for 20s --seed 1
//	Caught: I7
//
// The program builds the hall with one patch after the other and runs the check. A mutant is
// caught when the check fails with one of those promises broken. First the hall is run as it is,
// which must pass:
//
//	go run ./tools/check/mutants                 the control, then all of them, some two minutes each
//	go run ./tools/check/mutants float-judge     one
//	go run ./tools/check/mutants -controls       before each mutant the same run without it
//
// The tree is not touched: the files of a patch are copied to a temporary folder and patched there
// (by git apply), and the go command is told to take those (go build -overlay). That each patch
// still applies and builds is a test, which go test ./... runs.
package main
