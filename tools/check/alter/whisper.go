package alter

import (
	"slices"

	"gamehall/tools/check/history"
)

func whisperToAll(r *run) bool {
	for _, p := range r.shuffled(told(history.Whisper)) {
		w := *r.event(p)
		other, found := r.one(func(e history.Event) bool {
			return e.Type == history.OK && e.F == history.Say && e.Client != w.Client
		})
		if !found {
			return false
		}
		if _, user := r.sessionOf(other); user != "" && user != w.To && user != w.From {
			w.T, w.Conn = 0, 0
			r.insert(other, w)
			return true
		}
	}
	return false
}

func whisperLost(r *run) bool {
	finals := map[string]int{}
	for _, p := range r.find(func(e history.Event) bool { return e.Type == history.Final }) {
		finals[p.client] = r.event(p).Conn
	}
	for _, p := range r.shuffled(told(history.Whisper)) {
		e := *r.event(p)
		sent := r.find(func(o history.Event) bool { return o.Type == history.Invoke && o.Text == e.Text && o.T < e.T })
		if len(sent) != 1 || finals[p.client] != e.Conn {
			continue
		}
		if ok, found := r.other(sent[0]); found && r.event(ok).Type == history.OK && r.steady(p) {
			r.files[p.client] = slices.Delete(r.files[p.client], p.at, p.at+1)
			return true
		}
	}
	return false
}

func whisperAgain(r *run) bool {
	for _, p := range r.shuffled(told(history.Whisper)) {
		w := *r.event(p)
		back, found := r.one(func(e history.Event) bool {
			return e.Type == history.OK && e.F == history.Resume && e.Client == w.Client && e.T > w.T
		})
		if found {
			w.T, w.Conn = 0, 0
			r.insert(back, w)
			return true
		}
	}
	return false
}

// steady tells whether the session at p began long before and goes on long after.
func (r *run) steady(p place) bool {
	e := *r.event(p)
	for _, o := range r.files[p.client] {
		changes := o.F == history.SignOut || o.F == history.SignIn || o.F == history.Resume || o.Type == history.Disc
		if changes && o.T > e.T-40*second && o.T < e.T+40*second {
			return false
		}
	}
	return true
}
