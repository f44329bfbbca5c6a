// Package fault is the error that crosses the bus and reaches the screen.
//
// A [Error] is a code from a closed list, a sentence for people that says what to do, and
// whether a retry can help. A service returns [New]; the code and the sentence arrive
// unchanged at the player's terminal. Whatever else goes wrong becomes [Internal] by
// [From]: it is logged where it is turned and never shown.
package fault
