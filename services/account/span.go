package account

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"gamehall/shared/event"
)

// span is one session of a user.
type span struct {
	UserID string
	Epoch  uint64 // orders the user's sessions
	User   string
	Edge   string
	Since  time.Time
	Until  time.Time // zero while the session is open
}

// told is what an event says of a session.
type told struct {
	span
	// Lost: nobody saw the end. It was at the last renewal of the edge's lease, and not after
	// By, when the hall was told.
	Lost bool
	By   time.Time
}

// tells gives what the event stored at the time at says of a session; ok is false when it
// tells of none. It fails when joined or left does not say whose.
func tells(e event.Event, at time.Time) (t told, ok bool, err error) {
	if e.Kind != event.Joined && e.Kind != event.Left {
		return told{}, false, nil
	}
	if e.UserID == "" || e.Epoch == 0 {
		return told{}, false, errors.New("it lacks the user's id or the session's epoch")
	}
	at = exact(at)
	t = told{span: span{UserID: e.UserID, Epoch: e.Epoch, User: e.User, Edge: e.Edge, Since: at}, By: at}
	if !e.Since.IsZero() {
		t.Since = exact(e.Since)
	}
	if e.Kind == event.Joined {
		return t, true, nil
	}
	switch {
	case !e.Until.IsZero():
		t.Until = exact(e.Until)
	case e.EdgeLost:
		t.Lost = true
	default:
		t.Until = at
	}
	return t, true, nil
}

// exact gives t as every database keeps it.
func exact(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// close ends what t leaves open: seen is when its edge's lease was last renewed, as far as
// that is known.
func (t told) close(seen time.Time) span {
	s := t.span
	if t.Lost {
		s.Until = seen
		if s.Until.After(t.By) {
			s.Until = t.By
		}
	}
	if t.Lost && s.Until.Before(s.Since) { // never renewed in its time, or not known
		s.Until = s.Since
	}
	return s
}

// onto gives the session after t was told of it; have is what was known of it before, if
// anything was.
//
// It goes from the earliest beginning that was told to the latest end, so it does not
// matter how often and in which order it is told, and an end that was guessed too early
// (see reconcile) is mended by the one that was told.
func (t told) onto(have span, known bool, seen time.Time) span {
	s := t.close(seen)
	if !known {
		return s
	}
	if have.Since.Before(s.Since) {
		s.Since = have.Since
	}
	if have.Until.After(s.Until) {
		s.Until = have.Until
	}
	s.User, s.Edge = cmp.Or(s.User, have.User), cmp.Or(s.Edge, have.Edge)
	return s
}

// online sums up a user's sessions, in any order. Each ends at the latest where a later one
// began, so no time counts twice, also when clocks differ. One that is open counts nothing.
func online(spans []span) time.Duration {
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(b.Epoch, a.Epoch) })
	var sum time.Duration
	var bound time.Time // where the later ones begin
	for _, s := range spans {
		end := s.Until
		if !bound.IsZero() && bound.Before(end) {
			end = bound
		}
		sum += max(0, end.Sub(s.Since))
		if bound.IsZero() || s.Since.Before(bound) {
			bound = s.Since
		}
	}
	return sum
}
