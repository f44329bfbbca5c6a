package game21

import "time"

// Schedule is the next round: its number and when it starts. It is stored, as one key that
// all copies move on by compare-and-set.
type Schedule struct {
	Round    uint64    `json:"round"`
	StartsAt time.Time `json:"starts_at"`
}

const (
	// lateMost is how late a round may start: longer than two elections of the slowest kind.
	// One that is later was missed, and the next full period has its turn.
	lateMost = 30 * time.Second

	// settle is how long a copy that has just started leaves a round that is due to the
	// copies that were there before. Without it one that starts just after the hour would
	// take the round from them.
	settle = time.Second
)

// pace is when rounds start, and how long they last.
type pace struct {
	period, duration time.Duration
	first            time.Duration // from ready to the first round; 0 is on the full period
	zone             *time.Location
}

// start is when the first round starts for a hall that was ready at ready: now, or earlier.
func (p pace) start(ready, now time.Time) time.Time {
	if p.first == 0 {
		return fullPeriod(now, p.period, p.zone)
	}
	if at := ready.Add(p.first); at.After(now) {
		return at.UTC()
	}
	return now.Add(p.first).UTC()
}

// following is when the round after o starts. planned is when o was to start. Rounds never
// overlap, whatever the clocks: it is after both o's opening by its opener's clock and its
// end by the server's.
func (p pace) following(planned time.Time, o Open) time.Time {
	after := o.OpenedAt
	if ends := o.EndsAt.Add(-1); ends.After(after) {
		after = ends
	}
	if p.first == 0 {
		return fullPeriod(after, p.period, p.zone)
	}
	// Counted from the plan and not from the opening, so that lateness does not add up.
	if planned.After(o.OpenedAt) {
		planned = o.OpenedAt
	}
	periods := int64(after.Sub(planned)/p.period) + 1
	return planned.Add(time.Duration(periods) * p.period).UTC()
}

// timing is what to do about a round that is planned.
type timing int

const (
	wait   timing = iota // for the time that comes with it
	start                // now
	missed               // plan it anew
)

// timing tells what to do at now about a round planned for startsAt, in a copy that is up
// for so long.
func (p pace) timing(startsAt, now time.Time, up time.Duration) (timing, time.Duration) {
	late := now.Sub(startsAt)
	switch {
	case late < 0:
		return wait, -late
	case late > up: // it was due before this copy was there
		grace := settle
		if p.first > 0 {
			grace = min(grace, p.first/2)
		}
		if up < grace {
			return wait, grace - up
		}
		return missed, 0
	case late > min(lateMost, p.period/2):
		return missed, 0
	}
	return start, 0
}

// fullPeriod is the first moment after t at which clocks in zone show a multiple of period
// since midnight: for an hour, the full hour. Each midnight starts anew, so a period that
// does not divide a day has a short one at its end; one longer than a day counts from the
// beginning of time (Go's zero time) instead.
//
// A day that is put forward or back keeps to what clocks show: an hour that comes twice has
// a full hour twice.
func fullPeriod(t time.Time, period time.Duration, zone *time.Location) time.Time {
	const day = 24 * time.Hour
	if period > day {
		return t.UTC().Truncate(period).Add(period)
	}
	// What the clocks show, as if it were UTC, so that it can be counted in.
	_, offset := t.In(zone).Zone()
	shown := t.UTC().Add(time.Duration(offset) * time.Second)
	next := multiple(shown, period, true).Add(-time.Duration(offset) * time.Second)
	_, change := t.In(zone).ZoneBounds()
	if change.IsZero() || next.Before(change) {
		return next
	}
	_, offset = change.Zone()
	shown = change.UTC().Add(time.Duration(offset) * time.Second)
	return multiple(shown, period, false).Add(-time.Duration(offset) * time.Second)
}

// multiple is the first multiple of period since midnight that is after shown, or at it
// unless after is set.
func multiple(shown time.Time, period time.Duration, after bool) time.Time {
	const day = 24 * time.Hour
	midnight := shown.Truncate(day)
	n := int64(shown.Sub(midnight) / period)
	if after || midnight.Add(time.Duration(n)*period).Before(shown) {
		n++
	}
	return midnight.Add(min(time.Duration(n)*period, day))
}
