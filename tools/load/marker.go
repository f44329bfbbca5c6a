package load

import (
	"bytes"
	"fmt"
	"strconv"
)

// textSize is how long a line's text is, in bytes.
const textSize = 64

// digits is how many a line's number has.
const digits = 10

// marker begins the text of every line of one run, so that lines of others, or of a run before,
// are told apart. The line's number follows it.
type marker []byte

// newMarker makes the marker of the run with this number.
func newMarker(run uint32) marker { return marker(fmt.Sprintf("~%08x.", run)) }

// appendText appends the text of line id: the marker, the number, and dots up to [textSize].
func (m marker) appendText(dst []byte, id int64) []byte {
	begin := len(dst)
	dst = append(dst, m...)
	text := strconv.AppendInt(nil, id, 10)
	for range digits - len(text) {
		dst = append(dst, '0')
	}
	dst = append(dst, text...)
	for len(dst)-begin < textSize {
		dst = append(dst, '.')
	}
	return dst
}

// id finds the number of a line of this run in a message, or -1.
func (m marker) id(message []byte) int64 {
	at := bytes.Index(message, m)
	if at < 0 || len(message) < at+len(m)+digits {
		return -1
	}
	id := int64(0)
	for _, c := range message[at+len(m):][:digits] {
		if c < '0' || c > '9' {
			return -1
		}
		id = id*10 + int64(c-'0')
	}
	return id
}
