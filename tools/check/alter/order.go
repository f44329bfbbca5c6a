package alter

import (
	"cmp"
	"fmt"
	"slices"

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
