package alter

import (
	"gamehall/shared/event"
	"gamehall/tools/check/history"
)

func endlessLease(r *run) bool {
	type end struct {
		seq  uint64
		user string
	}
	joins := map[string]uint64{} // the last of each user
	var ends []end
	for _, m := range r.log {
		if m.Stream != events {
			continue
		}
		switch e := r.decoded[m.Seq]; e.Kind {
		case event.Joined:
			joins[e.User] = m.Seq
		case event.Left:
			ends = append(ends, end{m.Seq, e.User})
		}
	}
	// A user that vanished and did not come back, long before the end.
	for _, x := range ends {
		if x.seq < joins[x.user] || r.storedAt(x.seq) > r.run.End-80*second || r.signedOut(x.user) {
			continue
		}
		r.unstore(func(m history.Message) bool { return m.Stream == events && m.Seq == x.seq })
		return true
	}
	return false
}

// signedOut tells whether the last thing that the user did was to sign out.
func (r *run) signedOut(user string) bool {
	last := history.Event{}
	for _, p := range r.find(func(e history.Event) bool { return e.Type == history.OK && e.User == user }) {
		if e := *r.event(p); e.T > last.T {
			last = e
		}
	}
	for _, p := range r.find(func(e history.Event) bool { return e.Type == history.OK && e.F == history.SignOut }) {
		if e := *r.event(p); e.Client == last.Client && e.T > last.T {
			return true
		}
	}
	return false
}

func (r *run) storedAt(seq uint64) int64 {
	for _, m := range r.log {
		if m.Stream == events && m.Seq == seq {
			return r.run.Start + int64(m.Time.Sub(r.run.Wall))
		}
	}
	return 0
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
