package game21

import (
	"fmt"
	"io"
	"strconv"
)

// Numbers is a hand: the four numbers of a round, each from 1 to 10, in the
// order in which they were dealt.
type Numbers [4]int

// String writes the hand as players see it: "2 3 5 10".
func (n Numbers) String() string {
	var b []byte
	for i, v := range n {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(b, int64(v), 10)
	}
	return string(b)
}

// Validate fails unless every number is from 1 to 10.
func (n Numbers) Validate() error {
	for _, v := range n {
		if v < 1 || v > 10 {
			return fmt.Errorf("hand %s: %d is not from 1 to 10", n, v)
		}
	}
	return nil
}

const (
	// Bytes from 0 to 249 are ten equal shares of 25. The other six would make
	// the low numbers likelier, so a hand with one of them is drawn again.
	fairBytes = 250

	// A working source needs a second try for every tenth hand, or for every
	// third if it must make 21. One that never gives a good hand is broken, and
	// must not keep the round from failing aloud.
	maxTries = 1000
)

// Deal draws a hand from the random bytes of r (crypto/rand.Reader in the
// hall). Every hand is equally likely; with solvable, every hand that can make
// 21. It fails when r fails or keeps giving bytes that make no such hand.
func Deal(r io.Reader, solvable bool) (Numbers, error) {
	for range maxTries {
		var raw [len(Numbers{})]byte
		if _, err := io.ReadFull(r, raw[:]); err != nil {
			return Numbers{}, fmt.Errorf("deal: %w", err)
		}
		var n Numbers
		fair := true
		for i, b := range raw {
			fair = fair && b < fairBytes
			n[i] = int(b)%10 + 1
		}
		if fair && (!solvable || Makes21(n)) {
			return n, nil
		}
	}
	return Numbers{}, fmt.Errorf("deal: no good hand in %d tries, the random source is broken", maxTries)
}
