package edge

import "gamehall/shared/event"

// departuresMost is how many are remembered of a channel: as long as it takes a session to begin,
// whoever else leaves meanwhile.
const departuresMost = recentMost

// departures remembers who left a channel lately, so that a session whose leaving passed before
// this edge knew the session does not begin to hear behind it.
type departures struct {
	users  map[string]departure
	recent []leaver // ring
	oldest int      // of the ring
}

// departure is a user's last leaving.
type departure struct{ epoch, seq uint64 }

type leaver struct {
	userID string
	departure
}

// note remembers the leaving ev.
func (d *departures) note(ev event.Stored) {
	l := leaver{ev.UserID, departure{ev.Epoch, ev.Seq}}
	if have, ok := d.users[l.userID]; ok && have.seq >= l.seq {
		return // it is read again
	}
	if d.users == nil {
		d.users = map[string]departure{}
	}
	d.users[l.userID] = l.departure
	if len(d.recent) < departuresMost {
		d.recent = append(d.recent, l)
		return
	}
	if old := d.recent[d.oldest]; d.users[old.userID] == old.departure {
		delete(d.users, old.userID)
	}
	d.recent[d.oldest] = l
	d.oldest = (d.oldest + 1) % len(d.recent)
}

// of gives the leaving that is known of s, which joined at the sequence since, or of a later
// session of its user.
func (d *departures) of(s *session, since uint64) (departure, bool) {
	last, ok := d.users[s.userID]
	return last, ok && (last.epoch > s.epoch || last.epoch == s.epoch && last.seq > since)
}

// leavingAt is the leaving of s of what it hears in slot.
func (s *session) leavingAt(seq uint64, slot int) event.Stored {
	kind := event.Left
	if slot == slotRoom {
		kind = event.RoomLeft
	}
	return event.Stored{Seq: seq, Event: event.Event{Kind: kind, UserID: s.userID, Epoch: s.epoch}}
}
