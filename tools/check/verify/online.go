package verify

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gamehall/tools/check/history"
)

// What the hall may count wrong (FAULTS.md, T2 and T3). An edge that is lost takes with it what
// was since its last renewal (T4).
const (
	cleanError  = time.Second
	vanishError = 3 * time.Second
)

// bounds are what a time must be at least and can be at most.
type bounds struct {
	least, most time.Duration
	strict      bool // no fault excused anything
}

func (b *bounds) add(least, most int64, strict bool) {
	b.least += time.Duration(least)
	b.most += time.Duration(most)
	b.strict = b.strict && strict
}

// onlines is what is needed to judge times online.
type onlines struct {
	c      *checker
	byJoin map[*entry]*session
	ended  map[*session]ending // those that were over when they were first asked for
}

// ending bounds the end of a session. It is clean when no fault excuses that it is not known
// better.
type ending struct {
	first, last int64
	clean       bool
}

// checkOnline is O1: what users were told of their time online lies between what their sessions
// must have come to and what they can have come to; and so does what it has grown by since they
// were told before. The second is the stricter one: what faults made uncertain once stays so in a
// sum, but it does not change.
func (c *checker) checkOnline() {
	x := &onlines{c: c, byJoin: map[*entry]*session{}, ended: map[*session]ending{}}
	for _, s := range c.sessions {
		if s.joined != nil {
			x.byJoin[s.joined] = s
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
			strict := x.whole(user, o)
			if i > 0 && list[i-1].out.T < o.in.T {
				strict = x.grown(user, list[i-1], o) || strict
			}
			c.report.judged(O1, 1, strict)
		}
	}
}

func (x *onlines) bad(user string, o *op, format string, args ...any) {
	x.c.violate(Violation{ID: O1, Client: o.client, T: o.out.T, Text: fmt.Sprintf("%s was told %d s, ", user, o.out.Seconds) + fmt.Sprintf(format, args...)})
}

// whole looks at all of the time that the user was told. It gives whether no fault excused
// anything.
func (x *onlines) whole(user string, o *op) (strict bool) {
	b := bounds{strict: true}
	x.sessions(&b, user, o, 0)
	told := time.Duration(o.out.Seconds) * time.Second
	switch {
	case told+time.Second+cleanError < b.least:
		x.bad(user, o, "and was online for at least %s", b.least)
	case told > b.most+cleanError:
		x.bad(user, o, "and was online for at most %s", b.most)
	}
	return b.strict
}

// grown looks at what was added since the user was told before: what had ended by then counts the
// same both times. It gives whether no fault excused anything.
func (x *onlines) grown(user string, before, o *op) (strict bool) {
	s := before.session
	if s.joined == nil {
		return false
	}
	b := bounds{strict: true}
	first, last, clean := x.end(s, o)
	b.add(first-before.out.T, last-before.in.T, clean)
	x.sessions(&b, user, o, s.joined.seq)
	more := time.Duration(o.out.Seconds-before.out.Seconds) * time.Second
	switch {
	case before.session == o.session && more < 0:
		x.bad(user, o, "and %d s before that", before.out.Seconds)
	case more+time.Second+cleanError < b.least:
		x.bad(user, o, "%s after %d s, and was online for at least %s meanwhile", since(o.out.T, before.out.T), before.out.Seconds, b.least)
	case more > b.most+time.Second+cleanError:
		x.bad(user, o, "%s after %d s, and was online for at most %s meanwhile", since(o.out.T, before.out.T), before.out.Seconds, b.most)
	}
	return b.strict
}

// sessions adds what the sessions of the user that began behind a sequence had come to when o was
// asked.
func (x *onlines) sessions(b *bounds, user string, o *op, behind uint64) {
	for _, e := range x.c.log.joins[user] {
		if e.at > o.out.T || e.seq <= behind {
			continue
		}
		s := x.byJoin[e]
		if s == nil {
			// A sign-in whose answer never came: nobody saw when it began and ended.
			end := o.out.T
			if left := x.c.log.end(user, e.Epoch); left != nil {
				end = min(end, left.at)
			}
			b.add(0, max(0, end-e.at)+15*second, false)
			continue
		}
		first, last, clean := x.end(s, o)
		b.add(max(0, first-s.begun), max(0, last-s.invoked), clean)
	}
}

// end bounds the end of s, as far as o could know of it.
func (x *onlines) end(s *session, o *op) (first, last int64, clean bool) {
	over := s.left != nil && s.left.at <= o.in.T
	if o.session == s && !over {
		return o.in.T, o.out.T, true
	}
	e, known := x.ended[s]
	if !known {
		if e = x.ending(s, o); over {
			x.ended[s] = e // nothing of it comes any more
		}
	}
	last = min(e.last, o.out.T)
	return min(e.first, last), last, e.clean
}

func (x *onlines) ending(s *session, o *op) (e ending) {
	end := s.parts[0].stint
	for _, p := range s.parts {
		if p.stint.from > end.from && p.from < o.out.T {
			end = p.stint
		}
	}
	switch {
	case s.over != nil && s.over.ok():
		e.first, e.last = s.over.in.T, s.over.out.T
	case s.over != nil:
		e.first, e.last = min(s.over.in.T, end.sent), end.to+int64(cleanError)
	case end.by == history.ByClient:
		e.first, e.last = end.to-int64(cleanError), end.to+int64(cleanError)
	case end.reason == "heartbeat":
		e.first, e.last = end.sent-int64(vanishError), end.sent+int64(cleanError)
	default:
		e.first, e.last = end.sent-int64(vanishError), end.to+int64(cleanError)
	}
	e.first, e.last, e.clean = x.excused(s, end, e.first, e.last)
	if s.left != nil {
		e.last = min(e.last, s.left.at+second)
	}
	return e
}

// excused widens the bounds of the end of s by what was in trouble then.
//
// On the way between client and edge it is what was sent last that may not have arrived, or
// late. Of the edge and NATS it is all since the last renewal before that trouble, and that the
// edge could not see the end, or tell it, before it was over; the latter is also so for auth.
func (x *onlines) excused(s *session, end *stint, first, last int64) (least, most int64, clean bool) {
	c := x.c
	edges := c.ofEdge(end.edge)
	least, most, clean = first, last, true
	for _, o := range c.resumes[s] { // it may have been on that edge, and nobody saw it
		edges = slices.Concat(edges, c.ofEdge(o.stint.edge))
		most, clean = max(most, o.out.T+35*second), false
	}
	for _, t := range c.onWay(end.client, end.edge) {
		if t.from <= last && t.to >= first {
			least = min(least, t.from-min(end.longest, 10*second)-int64(vanishError))
			most, clean = max(most, t.to+int64(cleanError)), false
		}
	}
	lost := slices.Concat(edges, c.nats)
	if late := over(slices.Concat(lost, c.auth), most); late > most {
		most, clean = late+int64(cleanError), false
	}
	if troubled(lost, first, most) {
		from := most
		for _, t := range lost {
			if t.from <= most && t.to >= first {
				from = min(from, t.from)
			}
		}
		renewed := began(lost, from, time.Duration(c.settings.Renew)) - int64(c.settings.Renew) - int64(cleanError)
		least, clean = min(least, renewed), false
	}
	return least, most, clean
}
