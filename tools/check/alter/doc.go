// Package alter breaks histories as a defective hall would, to see that the checker notices: a
// checker that never failed proves nothing.
//
// [Defects] are FAULTS.md's list and some more, so that each invariant is broken by at least
// one. [Apply] works on any run, one that was recorded as well as one that package model made
// up. It fails where the run has nothing that could be broken that way.
package alter
