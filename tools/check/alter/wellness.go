package alter

import (
	"slices"

	"gamehall/tools/check/history"
)

func earlyDrop(r *run) bool {
	return r.dropEarly(func(p place) bool {
		t := r.event(p).T
		return !slices.ContainsFunc(r.run.Faults, func(f history.Fault) bool { return f.To > t-40*second })
	})
}

// earlyDropOf is earlyDrop of a client to which nothing happened, and whose edge was well.
func earlyDropOf(r *run) bool {
	return r.dropEarly(func(p place) bool {
		return !slices.ContainsFunc(r.run.Faults, func(f history.Fault) bool { return f.Target == p.client })
	})
}

// dropEarly ends what a client did with a drop, a second after it talked, where that may be.
func (r *run) dropEarly(may func(place) bool) bool {
	for _, p := range r.shuffled(func(e history.Event) bool { return e.Type == history.OK && e.F == history.Ping }) {
		e := r.event(p)
		if !r.quiet(p) || !may(p) {
			continue
		}
		// Everything behind it did not happen.
		r.files[p.client] = append(slices.Clone(r.files[p.client][:p.at+1]), history.Event{
			T: e.T + second, Client: p.client, Conn: e.Conn, Type: history.Disc, Reason: "heartbeat", By: history.ByServer,
		})
		return true
	}
	return false
}

func neverWell(r *run) bool {
	found := r.find(func(e history.Event) bool {
		return e.Type == history.OK && e.T > r.run.Healed+second && (e.F == history.Ping || e.F == history.Who || e.F == history.OnlineTime)
	})
	for _, p := range found {
		e := r.event(p)
		e.Type, e.Code = history.Fail, "unavailable"
	}
	return len(found) > 10
}

func leak(r *run) bool {
	for i, s := range r.run.Samples {
		if s.When == history.After && s.Goroutines > 0 {
			r.run.Samples = slices.Clone(r.run.Samples)
			r.run.Samples[i].Goroutines *= 10
			return true
		}
	}
	return false
}
