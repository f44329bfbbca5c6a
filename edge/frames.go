package edge

import (
	"encoding/binary"

	"gamehall/shared/wire"
)

// frameReader reads frames: a length in 4 bytes, big-endian, and a JSON object.
type frameReader struct{ in *input }

// lengthSize is the size of a frame's length.
const lengthSize = 4

// next refuses a length that cannot be before anything is read for it: the stream would be
// out of step.
func (r *frameReader) next() (wire.Command, error) {
	for {
		unread := r.in.unread()
		if len(unread) >= lengthSize {
			size := binary.BigEndian.Uint32(unread)
			if size == 0 || size > wire.MaxLine {
				return wire.Command{}, errForeign
			}
			if whole := lengthSize + int(size); len(unread) >= whole {
				r.in.take(whole)
				return wire.ParseObject(unread[lengthSize:whole])
			}
		}
		if err := r.in.fill(false); err != nil {
			return wire.Command{}, err
		}
	}
}
