package verify

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gamehall/tools/check/history"
)

// What the hall may count wrong (FAULTS.md, T2 to T4).
const (
	cleanError  = time.Second
	vanishError = 3 * time.Second
	// An edge that could not renew its lease lives for 20 s more than its last renewal says.
	cutOff = 25 * time.Second
)

// checkOnline is O1: what users were told of their time online lies between what their
// sessions must have come to and what they can have come to, and does not shrink.
func (c *checker) checkOnline() {
	byJoin := map[*entry]*session{}
	for _, s := range c.sessions {
		if s.joined != nil {
			byJoin[s.joined] = s
		}
	}
	asked := map[string][]*op{}
	for _, o := range c.ops {
		if o.in.F == history.OnlineTime && o.ok() && o.session != nil {
			asked[fold(o.user)] = append(asked[fold(o.user)], o)
		}
	}
	for user, list := range asked {
		slices.SortFunc(list, func(a, b *op) int { return cmp.Compare(a.out.T, b.out.T) })
		for i, o := range list {
			c.report.look(O1, 1)
			least, most := c.onlineAt(o, byJoin)
			told := time.Duration(o.out.Seconds) * time.Second
			bad := func(format string, args ...any) {
				c.violate(Violation{ID: O1, Client: o.client, T: o.out.T, Text: fmt.Sprintf("%s was told %d s, ", user, o.out.Seconds) + fmt.Sprintf(format, args...)})
			}
			switch {
			case told+time.Second+cleanError < least:
				bad("and was online for at least %s", least)
			case told > most+time.Second+cleanError:
				bad("and was online for at most %s", most)
			}
			if i == 0 {
				continue
			}
			// An edge that died takes back what nobody knows any more.
			before, slack := list[i-1], int64(0)
			if before.session != o.session {
				slack = int64((c.trouble(before.out.T, o.in.T) + cleanError) / time.Second)
			}
			if before.out.T < o.in.T && before.out.Seconds > o.out.Seconds+slack {
				bad("and %d s before that", before.out.Seconds)
			}
		}
	}
}

// trouble is how much of a session's end may be unknown when it ended between from and to.
func (c *checker) trouble(from, to int64) time.Duration {
	if c.faulty(from, to, 35*time.Second, nil) {
		return cutOff + time.Duration(c.settings.Renew)
	}
	return vanishError
}

// onlineAt bounds the time online of the user of o when it was asked.
func (c *checker) onlineAt(o *op, byJoin map[*entry]*session) (least, most time.Duration) {
	for _, e := range c.log.joins[fold(o.user)] {
		if e.at > o.out.T {
			continue
		}
		s := byJoin[e]
		if s == nil {
			// A sign-in whose answer never came: nobody saw when it began and ended.
			end := o.out.T
			if left := c.log.end(o.user, e.Epoch); left != nil {
				end = min(end, left.at)
			}
			most += time.Duration(end-e.at) + 15*time.Second
			continue
		}
		first, last := c.endOf(s, o)
		least += time.Duration(max(0, first-s.begun))
		most += time.Duration(max(0, last-s.invoked))
	}
	return least, most
}

// endOf bounds the end of s, as far as o could know of it.
func (c *checker) endOf(s *session, o *op) (first, last int64) {
	if o.session == s && (s.left == nil || s.left.at > o.in.T) {
		return o.in.T, o.out.T
	}
	end := s.parts[0].stint
	for _, p := range s.parts {
		if p.stint.from > end.from && p.from < o.out.T {
			end = p.stint
		}
	}
	if s.over != nil && s.over.ok() && !c.faulty(s.over.in.T, s.over.out.T, 35*time.Second, nil) {
		return s.over.in.T, s.over.out.T
	}
	last = end.to + int64(cleanError)
	if s.left != nil {
		// Whoever ended it may have seen later than the client that the connection was lost.
		last = min(max(last, end.proof+35*second), s.left.at+second)
	}
	last = min(last, o.out.T)
	if s.over != nil {
		first = min(s.over.in.T, end.sent)
	} else {
		first = end.sent
	}
	return min(first, last) - int64(c.trouble(first-35*second, end.to)), last
}
