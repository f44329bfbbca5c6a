package alter

import (
	"math"

	"gamehall/shared/event"
	"gamehall/tools/check/history"
)

func noFence(r *run) bool {
	// A connection whose session another one took over: it is made to stand a little longer.
	for _, p := range r.shuffled(func(e history.Event) bool { return e.Type == history.Disc }) {
		old, user := r.sessionOf(place{p.client, p.at - 1})
		d := r.event(p)
		if old == "" || !r.quiet(p) {
			continue
		}
		for _, w := range r.find(func(e history.Event) bool {
			return e.Type == history.OK && e.F == history.SignIn && e.User == user && e.Session != old && e.T > d.T-20*second && e.T < d.T+40*second
		}) {
			welcome := r.event(w).T
			before, next := r.files[p.client][p.at-1].T, int64(math.MaxInt64)
			if p.at+1 < len(r.files[p.client]) {
				next = r.files[p.client][p.at+1].T
			}
			at := max(before, welcome)
			if w.client == p.client || next < at+3*millisecond || !r.newer(w, p) {
				continue
			}
			d.T = max(d.T, at+3*millisecond)
			r.insert(place{p.client, p.at - 1},
				history.Event{T: at + millisecond, Type: history.Invoke, F: history.Who, Req: 1 << 40, Session: old, User: user},
				history.Event{T: at + 2*millisecond, Type: history.OK, F: history.Who, Req: 1 << 40},
			)
			return true
		}
	}
	return false
}

// newer tells whether the session that was begun at w is the one after that of p.
func (r *run) newer(w, p place) bool {
	var begun int64
	old, _ := r.sessionOf(place{p.client, p.at - 1})
	for _, b := range r.find(func(e history.Event) bool { return e.Type == history.OK && e.F == history.SignIn && e.Session == old }) {
		begun = r.event(b).T
	}
	return begun != 0 && begun < r.event(w).T
}

func twoSessions(r *run) bool {
	in := map[string]uint64{}
	for _, m := range r.log {
		if m.Stream != events {
			continue
		}
		switch e := r.decoded[m.Seq]; e.Kind {
		case event.Left:
			in[e.User] = m.Seq
		case event.Joined:
			if left := in[e.User]; left != 0 {
				r.unstore(func(m history.Message) bool { return m.Stream == events && m.Seq == left })
				return true
			}
		}
	}
	return false
}
