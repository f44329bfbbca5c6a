package alter

import (
	"fmt"
	"slices"

	"gamehall/shared/event"
	"gamehall/tools/check/history"
)

func dropSome(r *run) bool {
	// Not the last of a connection: that it may have lost.
	last := map[string]int{}
	for _, p := range r.find(told(event.Chat)) {
		last[fmt.Sprint(p.client, r.event(p).Conn)] = p.at
	}
	n := 0
	for _, p := range r.shuffled(told(event.Chat)) {
		if e := r.event(p); n <= len(last)/1000 && p.at < last[fmt.Sprint(p.client, e.Conn)] {
			e.Type, e.F = "dropped", ""
			n++
		}
	}
	r.drop(func(e history.Event) bool { return e.Type == "dropped" })
	return n > 0
}

func dropLast(r *run) bool {
	for _, p := range r.shuffled(func(e history.Event) bool { return e.Type == history.Final }) {
		for i := p.at; i > 0; i-- {
			if e := r.files[p.client][i]; e.Type == history.Recv && e.Channel == history.Lobby && e.Conn == r.event(p).Conn && e.T < r.event(p).T-3*second {
				r.files[p.client] = slices.Delete(r.files[p.client], i, i+1)
				return true
			}
		}
	}
	return false
}

func duplicateOnResume(r *run) bool {
	for _, p := range r.shuffled(func(e history.Event) bool { return e.Type == history.OK && e.F == history.Resume }) {
		for i := p.at; i > 0; i-- {
			if e := r.files[p.client][i]; e.Type == history.Recv && e.F == event.Chat && e.Seq != 0 {
				e.T, e.Conn = 0, 0
				r.insert(p, e)
				return true
			}
		}
	}
	return false
}

// neighbours gives two lines of the lobby that followed each other on a connection.
func (r *run) neighbours() (a, b place, found bool) {
	for _, p := range r.shuffled(told(event.Chat)) {
		e := *r.event(p)
		for i := p.at + 1; i < len(r.files[p.client]); i++ {
			next := r.files[p.client][i]
			if next.Type == history.Disc {
				break
			}
			if next.Type == history.Recv && next.Channel == e.Channel {
				if next.F == event.Chat && next.Prev == e.Seq {
					return p, place{p.client, i}, true
				}
				break
			}
		}
	}
	return a, b, false
}

func swap(r *run) bool {
	a, b, found := r.neighbours()
	if !found {
		return false
	}
	x, y := r.event(a), r.event(b)
	*x, *y = *y, *x
	x.T, y.T = y.T, x.T
	return true
}

func edgeOrder(r *run) bool {
	a, b, found := r.neighbours()
	if !found {
		return false
	}
	x, y := *r.event(a), *r.event(b)
	for _, p := range r.find(told(event.Chat)) {
		e := r.event(p)
		if e.Edge != x.Edge {
			continue
		}
		switch e.Seq {
		case x.Seq:
			e.Text, e.From = y.Text, y.From
		case y.Seq:
			e.Text, e.From = x.Text, x.From
		}
	}
	return true
}

func deliverAfterLeave(r *run) bool {
	for _, p := range r.shuffled(func(e history.Event) bool { return e.Type == history.OK && e.F == history.RoomQuit && e.Seq != 0 }) {
		left := r.event(p).Seq
		room := r.decoded[left].Room
		for _, m := range r.log {
			if e := r.decoded[m.Seq]; m.Stream == events && m.Seq > left && e.Kind == event.RoomChat && e.Room == room {
				r.insert(p, history.Event{Type: history.Recv, F: e.Kind, Channel: history.RoomPrefix + room, Seq: m.Seq, Prev: left, From: e.From, Text: e.Text, At: m.Time})
				return true
			}
		}
	}
	return false
}
