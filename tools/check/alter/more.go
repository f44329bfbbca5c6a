package alter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gamehall/shared/event"
	"gamehall/tools/check/history"
)

// exchange makes two stored lines change places, in the log, in what was told and in the
// answers.
func (r *run) exchange(a, b uint64) {
	x, y := r.decoded[a], r.decoded[b]
	put := func(seq uint64, line event.Event) {
		r.rewrite(seq, func(e *event.Event) { e.Text, e.From = line.Text, line.From },
			func(e *history.Event) { e.Text, e.From = line.Text, line.From })
	}
	put(a, y)
	put(b, x)
	for _, p := range r.find(func(e history.Event) bool {
		return e.Type == history.OK && e.F == history.Say && (e.Seq == a || e.Seq == b)
	}) {
		e := r.event(p)
		e.Seq = a + b - e.Seq
	}
}

// lines are the stored lines of the lobby that were sent once and acknowledged, with when they were asked for
// and answered.
func (r *run) lines() (list []line) {
	sent := map[string]int{}
	for _, p := range r.find(func(e history.Event) bool { return e.Type == history.Invoke && e.F == history.Say }) {
		sent[r.event(p).Text]++
	}
	for _, p := range r.find(func(e history.Event) bool { return e.Type == history.OK && e.F == history.Say && e.Seq != 0 }) {
		if in, found := r.other(p); found && sent[r.event(in).Text] == 1 {
			e := r.event(p)
			session, _ := r.sessionOf(p)
			list = append(list, line{seq: e.Seq, from: r.event(in).T, to: e.T, who: fmt.Sprint(p.client, "/", session, "/", e.Conn)})
		}
	}
	slices.SortFunc(list, func(a, b line) int { return cmp.Compare(a.seq, b.seq) })
	return list
}

type line struct {
	seq      uint64
	from, to int64
	who      string
}

func clockOrder(r *run) bool {
	list := r.lines()
	for i := range max(0, len(list)-1) {
		if a, b := list[i], list[i+1]; a.to < b.from && a.who != b.who {
			r.exchange(a.seq, b.seq)
			return true
		}
	}
	return false
}

func senderOrder(r *run) bool {
	last := map[string]line{}
	for _, l := range r.lines() {
		if before, had := last[l.who]; had {
			r.exchange(before.seq, l.seq)
			return true
		}
		last[l.who] = l
	}
	return false
}

func forged(r *run) bool {
	p, found := r.acked()
	if !found {
		return false
	}
	seq := r.event(p).Seq
	for _, e := range r.decoded {
		if other := e.User; e.Kind == event.Joined && other != r.decoded[seq].From {
			r.rewrite(seq, func(e *event.Event) { e.From = other }, func(e *history.Event) { e.From = other })
			return true
		}
	}
	return false
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

func resumeAfterEnd(r *run) bool {
	p, found := r.one(func(e history.Event) bool {
		return e.Type == history.Fail && e.F == history.Resume && e.Code == "bad_token"
	})
	if !found {
		return false
	}
	e := r.event(p)
	in, _ := r.other(p)
	e.Type, e.Code, e.Session, e.Seq = history.OK, "", r.event(in).Session, r.event(in).Since[history.Lobby]
	return true
}

func nameTwice(r *run) bool {
	p, found := r.one(func(e history.Event) bool { return e.Type == history.OK && e.F == history.SignIn })
	if !found {
		return false
	}
	user := r.event(p).User
	signups := r.find(func(e history.Event) bool {
		return e.Type == history.Invoke && e.F == history.SignUp && e.User == user
	})
	if len(signups) == 0 {
		return false
	}
	r.insert(p,
		history.Event{Type: history.Invoke, F: history.SignUp, User: user, Req: 1 << 42},
		history.Event{Type: history.OK, F: history.SignUp, User: user, Req: 1 << 42},
	)
	return true
}

func twoResults(r *run) bool {
	for _, m := range r.log {
		if e := r.decoded[m.Seq]; m.Stream == events && e.Kind == event.Game21Ended {
			var last uint64
			for _, m := range r.log {
				if m.Stream == events {
					last = max(last, m.Seq)
				}
			}
			m.Seq = last + 1
			r.log = append(r.log, m)
			return true
		}
	}
	return false
}

func longRound(r *run) bool {
	for i, m := range r.log {
		if m.Stream == game && strings.HasSuffix(m.Subject, ".close") {
			r.log[i].Time = m.Time.Add(time.Hour)
			return true
		}
	}
	return false
}

func earlyDrop(r *run) bool {
	for _, p := range r.shuffled(func(e history.Event) bool { return e.Type == history.OK && e.F == history.Ping }) {
		e := r.event(p)
		if !r.quiet(p) || slices.ContainsFunc(r.run.Faults, func(f history.Fault) bool { return f.To > e.T-40*second }) {
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
