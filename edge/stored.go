package edge

import (
	"sync/atomic"
	"time"

	"gamehall/shared/fault"
	"gamehall/shared/wire"
)

// refusedFor is how long the edge is not ready after a command that could not be stored, when
// none is tried after it: then only somebody who comes in can find out.
const refusedFor = 30 * time.Second

// stored remembers whether what players do can be stored: a stream whose disk is full, or
// whose servers are too few, answers what is asked and takes nothing more.
type stored struct {
	refused atomic.Int64 // when a command was given up for that; an instant
}

// tried notes the outcome of a command, which took so long.
func (s *stored) tried(command string, err error, took time.Duration) {
	switch command {
	case wire.SignIn, wire.SignOut, wire.Say, wire.RoomCreate, wire.RoomJoin, wire.RoomQuit, wire.RoomSay:
	default: // nothing of it goes into HALL_EVENTS
		return
	}
	switch {
	case err == nil:
		s.refused.Store(0)
	case fault.CodeOf(err) == fault.Unavailable && took > noticeAfter: // at once it is a service that is busy
		s.refused.Store(instant())
	}
}

// failing tells whether nothing could be stored lately.
func (s *stored) failing() bool {
	at := s.refused.Load()
	return at != 0 && time.Since(timeOf(at)) < refusedFor
}
