package alter

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gamehall/tools/check/history"
)

// beside breaks a run in which something else was broken all the while: a copy of chat was gone,
// another one cut off from NATS, and somebody's cable was pulled. None of that excuses what breaks.
func beside(breaks func(*run) bool) func(*run) bool {
	return func(r *run) bool {
		r.run.Faults = slices.Clone(r.run.Faults)
		for kind, target := range map[string]string{history.Kill: "chat-2", history.Blackhole: "chat-1/nats", history.Stop: "room-1", history.Delay: "nobody"} {
			r.run.Faults = append(r.run.Faults, history.Fault{From: r.run.Start, To: r.run.End, Kind: kind, Target: target})
		}
		return breaks(r)
	}
}

// onlineOff tells a user so many seconds more or less than it was online, some time after it had
// been told right in the same session.
func onlineOff(by int64) func(*run) bool {
	return func(r *run) bool {
		told := func(e history.Event) bool { return e.Type == history.OK && e.F == history.OnlineTime && e.Seconds > 10 }
		for _, p := range r.shuffled(told) {
			session, _ := r.sessionOf(p)
			for i := range p.at {
				before := place{p.client, i}
				if had, _ := r.sessionOf(before); told(*r.event(before)) && had == session {
					r.event(p).Seconds += by
					return true
				}
			}
		}
		return false
	}
}

// undisturbed tells whether no NATS node was in trouble shortly before t.
func (r *run) undisturbed(t int64) bool {
	return !slices.ContainsFunc(r.run.Faults, func(f history.Fault) bool {
		return strings.HasPrefix(f.Target, "nats") && f.From <= t+5*second && f.To+40*second >= t
	})
}

// lateRound makes a round that nobody won early begin and end so many seconds later.
func lateRound(opened, closed int) func(*run) bool {
	return func(r *run) bool {
		for i, m := range r.log {
			if m.Stream != game || !strings.HasSuffix(m.Subject, ".close") || !strings.Contains(string(m.Data), "deadline") || !r.undisturbed(r.at(m)) {
				continue
			}
			round := strings.TrimSuffix(m.Subject, "close")
			if opened > 0 && round == "hall.round.1." {
				continue // nobody knows when the first was to begin
			}
			for j := range r.log[:i] {
				if o := &r.log[j]; o.Subject == round+"open" {
					o.Time = o.Time.Add(time.Duration(opened) * time.Second)
				}
			}
			r.log[i].Time = m.Time.Add(time.Duration(closed) * time.Second)
			return true
		}
		return false
	}
}

// leftOut moves all rounds from one on to the time of the one behind it.
func leftOut(r *run) bool {
	period := time.Duration(r.run.Settings.RoundPeriod)
	for _, m := range r.log {
		if m.Stream != game || !strings.HasSuffix(m.Subject, ".open") || !r.undisturbed(r.at(m)) || m.Subject == "hall.round.1.open" {
			continue
		}
		for i := range r.log {
			if o := &r.log[i]; o.Stream == game && o.Seq >= m.Seq {
				o.Time = o.Time.Add(period)
			}
		}
		return true
	}
	return false
}

// at is when m was stored, by the clock of the run.
func (r *run) at(m history.Message) int64 { return r.run.Start + int64(m.Time.Sub(r.run.Wall)) }

// stolen lets a sign-in that was refused, because its user's session was there, replace it.
func stolen(r *run) bool {
	for _, p := range r.shuffled(func(e history.Event) bool { return e.Type == history.Fail && e.Code == "already_signed_in" }) {
		e := r.event(p)
		in, found := r.other(p)
		if !found || !r.well(e.T) {
			continue
		}
		e.Type, e.Code, e.User, e.Session = history.OK, "", r.event(in).User, fmt.Sprint("stolen.", p.client)
		return true
	}
	return false
}

// well tells whether neither an edge nor a NATS node was in trouble around t.
func (r *run) well(t int64) bool {
	return !slices.ContainsFunc(r.run.Faults, func(f history.Fault) bool {
		return (strings.HasPrefix(f.Target, "nats") || strings.HasPrefix(f.Target, "edge")) && f.From <= t+5*second && f.To+15*second >= t
	})
}
