package verify

import (
	"fmt"
	"time"

	"gamehall/tools/check/history"
)

// lateDrop is how late a client may see that it was dropped.
const lateDrop = 2 * time.Second

// checkHeartbeat is L1: a client that is silent is dropped between 30 and 33 s after its last
// byte, one that talks never is. Clients of lines need not talk. Where the way to the edge was in
// trouble, or the edge did not run, that is counted from when it was last seen to be well, and to
// when it was well again.
func (c *checker) checkHeartbeat() {
	least, most := int64(c.settings.Silence), int64(c.settings.SilenceMost)
	for _, s := range c.stints {
		if s.door == "lines" {
			continue
		}
		silent := s.to - s.sent
		dropped := s.ended && s.reason == "heartbeat"
		if !dropped && (s.muted == 0 || silent < most) && s.to-s.from <= most {
			continue // it did not last
		}
		held := append(c.onWay(s.client, s.edge), c.troubles(0, func(f history.Fault) bool {
			return f.Kind == history.Stop && f.Target == s.edge
		})...)
		bad := func(format string, args ...any) {
			c.violate(Violation{ID: L1, Client: s.client, T: s.to, Text: fmt.Sprintf("connection %d to %s: ", s.n, s.edge) + fmt.Sprintf(format, args...)})
		}
		heard, told, strict := s.sent, s.sent, true
		for _, t := range held {
			if t.from > s.to || t.to < s.to-least-lateBeat {
				continue
			}
			strict = false
			heard = min(heard, t.from-min(s.longest, lateBeat)) // before that it was whole
			told = max(told, min(t.to, s.to))
		}
		for _, p := range s.pauses { // it did not look whether it was dropped
			end := p[1]
			if end == 0 {
				end = s.to
			}
			if end > s.sent+most {
				told, strict = max(told, end-most), false
			}
		}
		c.report.judged(L1, 1, strict)
		switch {
		case dropped && s.to-heard < least-second/100:
			bad("dropped as silent %s after its last byte", since(s.to, s.sent))
		case s.to-told > most+int64(lateDrop):
			bad("silent for %s, and not dropped", since(s.to, s.sent))
		}
	}
}

// lateBeat is how long a client that is well may send nothing: ten seconds, and a busy machine.
const lateBeat = 15 * second
