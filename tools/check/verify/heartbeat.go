package verify

import (
	"fmt"
	"time"

	"gamehall/tools/check/history"
)

// lateDrop is how late a client may see that it was dropped.
const lateDrop = 2 * time.Second

// checkHeartbeat is L1: a client that is silent is dropped between 30 and 33 s after its last
// byte, one that talks never is. Clients of lines need not talk. Where the edge, or the way to
// it, was in trouble nothing is said.
func (c *checker) checkHeartbeat() {
	least, most := int64(c.settings.Silence), int64(c.settings.SilenceMost)
	for _, s := range c.stints {
		if s.door == "lines" {
			continue
		}
		silent := s.to - s.sent
		dropped := s.ended && s.reason == "heartbeat"
		if dropped || s.muted != 0 && silent >= most || s.to-s.from > most {
			c.report.look(L1, 1)
		}
		if c.faulty(s.to-silent-second, s.to, 35*time.Second, func(f history.Fault) bool { return of(f, s.edge) || of(f, s.client) }) {
			continue
		}
		bad := func(format string, args ...any) {
			c.violate(Violation{ID: L1, Client: s.client, T: s.to, Text: fmt.Sprintf("connection %d to %s: ", s.n, s.edge) + fmt.Sprintf(format, args...)})
		}
		switch {
		case dropped && silent < least-second/100:
			bad("dropped as silent %s after its last byte", since(s.to, s.sent))
		case s.paused(s.sent, s.to):
		case silent > most+int64(lateDrop):
			bad("silent for %s, and not dropped", since(s.to, s.sent))
		}
	}
}
