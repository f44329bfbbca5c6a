package bus

import "time"

// Slept makes the service find that its process stood still for so long until now.
func (s *Service) Slept(d time.Duration) {
	s.pauses.look(time.Now().Add(-d))
	s.pauses.until.Store(nil)
}
