package verify

import (
	"math"
	"slices"
	"time"
)

// onTime is how late, or early, a round may be opened or closed where nothing disturbs it (G4).
const onTime = time.Second

// storing is how long what was decided in time may take until it is stored.
const storing = 15 * time.Second

// timetable is what is known of when rounds begin: a period apart, the last one between from and
// to.
type timetable struct {
	period   int64
	from, to int64
	away     []trouble // neither NATS nor any copy of the game may have worked
	copies   []trouble // one copy may not have
}

// due is when what was to be done at t must be done: in time; where a copy of the game was in
// trouble, as soon as another one does it (P6); and where nobody could, as soon after that. What
// befalls others (edges, clients, other services) excuses nothing.
func (tt *timetable) due(t int64) (by int64, strict bool) {
	by, strict = t+int64(onTime), true
	if troubled(tt.copies, t-int64(onTime), by) {
		by, strict = t+int64(nextCopy), false
	}
	for again := true; again; {
		again = false
		for _, x := range tt.away {
			if late := x.to + int64(nextCopy); x.from <= by && x.to >= t-int64(onTime) && late > by {
				by, strict, again = late, false, true
			}
		}
	}
	return by, strict
}

// schedule is G4: rounds do not overlap, are numbered without holes, last as long as they should,
// and begin when it is time. One is left out only when nobody could open it.
func (c *checker) schedule(numbers []int) {
	duration := int64(c.settings.RoundDuration)
	if duration == 0 {
		return
	}
	tt := &timetable{period: int64(c.settings.RoundPeriod)}
	tt.away, tt.copies = c.ofService("game21")
	tt.away = append(tt.away, c.nats...)
	var before *round
	for _, n := range numbers {
		r := c.log.rounds[n]
		if len(r.opens) == 0 {
			continue
		}
		c.report.judged(G4, 1, c.lasted(tt, r, duration))
		if before != nil {
			c.report.judged(G4, 1, c.followed(tt, before, r))
		} else {
			tt.to, tt.from = r.opens[0].at, c.plannedFor(tt, r.opens[0].at)
		}
		before = r
	}
}

// plannedFor is the first time for which a round that was opened at t can have been planned.
func (c *checker) plannedFor(tt *timetable, t int64) int64 {
	if _, strict := tt.due(t - int64(onTime)); strict {
		return t - int64(onTime)
	}
	return t - tt.lateMost()
}

// lateMost is how late a round may be opened at all: one that would be later was missed, and the
// next one has its turn.
func (tt *timetable) lateMost() int64 { return min(30*second, tt.period/2) }

// lasted looks at the end of a round. strict is that nothing excused it.
func (c *checker) lasted(tt *timetable, r *round, duration int64) (strict bool) {
	open := r.opens[0]
	by, strict := tt.due(open.at + duration)
	if len(r.closes) == 0 {
		if by < c.run.End {
			c.game(G4, r.n, "was opened %s before the end of the run and not closed", since(c.run.End, open.at))
		}
		return strict
	}
	end := r.closes[0]
	if end.seq < open.seq {
		c.game(G4, r.n, "was closed before it was opened")
	}
	decided := slices.ContainsFunc(r.counted(), func(a answered) bool {
		value, _, err := evaluate(a.Expression)
		return err == nil && value.Cmp(twentyOne) == 0
	})
	if lasted := end.at - open.at; !decided && lasted < duration-int64(onTime) {
		c.game(G4, r.n, "lasted %s, and nobody had made 21", time.Duration(lasted))
	}
	if end.at > by {
		c.game(G4, r.n, "lasted %s, %s was right, and %s at most", time.Duration(end.at-open.at), time.Duration(duration), time.Duration(by-open.at))
	}
	return strict
}

// followed looks at the beginning of r, which follows before, and at whether the rounds that were
// planned between them had to be left out. strict is that nothing excused it.
func (c *checker) followed(tt *timetable, before, r *round) (strict bool) {
	open := r.opens[0]
	if r.n != before.n+1 {
		c.game(G4, r.n, "follows round %d", before.n)
	}
	if len(before.closes) == 0 || before.closes[0].seq > open.seq {
		c.game(G4, r.n, "was opened while round %d was", before.n)
	}
	if tt.period == 0 {
		return true
	}
	right, apart := time.Duration(tt.period), time.Duration(open.at-before.opens[0].at)
	defer func() { // whatever was wrong, the next one is judged by this one
		tt.to = min(tt.to, open.at)
		if strict {
			tt.from = max(tt.from, open.at-int64(onTime))
		}
		tt.from = min(tt.from, tt.to)
	}()
	strict = true
	for {
		tt.from, tt.to = tt.from+tt.period, tt.to+tt.period
		if open.at < tt.from-int64(onTime) {
			c.game(G4, r.n, "was opened %s after the one before it, %s was right", apart, right)
			tt.from, tt.to = open.at-int64(onTime), math.MaxInt64/2
			return strict
		}
		planned := min(tt.to, open.at)
		by, inTime := tt.due(planned)
		latest := planned + tt.lateMost() + int64(onTime)
		if !inTime {
			// It was begun in time, and had to wait. One that is a period late is the next one.
			latest = min(latest+int64(storing), planned+tt.period-2*int64(onTime))
		}
		by = min(by, latest)
		strict = strict && inTime
		if open.at <= by {
			return strict
		}
		underWay := len(before.closes) > 0 && before.closes[0].at >= planned-int64(onTime) // that one was late
		if !underWay && !troubled(tt.away, planned-int64(onTime), planned+int64(onTime)) {
			c.game(G4, r.n, "was opened %s after the one before it, %s was right, and somebody could have", apart, right)
			tt.from, tt.to = open.at-int64(onTime), math.MaxInt64/2
			return strict
		}
	}
}
