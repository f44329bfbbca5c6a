package alter

import (
	"slices"
	"time"

	"gamehall/shared/event"
	"gamehall/tools/check/history"
)

// acked gives an acknowledged line of the lobby.
func (r *run) acked() (place, bool) {
	return r.one(func(e history.Event) bool { return e.Type == history.OK && e.F == history.Say && e.Seq != 0 })
}

func ackBeforeStore(r *run) bool {
	p, found := r.acked()
	if found {
		r.unstore(func(m history.Message) bool { return m.Stream == events && m.Seq == r.event(p).Seq })
	}
	return found
}

func powerLoss(r *run) bool {
	var last uint64
	for _, p := range r.find(func(e history.Event) bool { return e.Type == history.OK && e.F == history.Say }) {
		last = max(last, r.event(p).Seq)
	}
	if last < 5 {
		return false
	}
	r.log = slices.DeleteFunc(r.log, func(m history.Message) bool { return m.Stream == events && m.Seq+5 > last })
	return true
}

// storeLast adds a line to the log's end, and to what those hear who are there in the end.
func (r *run) storeLast(line event.Event) {
	var last, prev history.Message
	for _, m := range r.log {
		if m.Stream == events && m.Seq > last.Seq {
			last = m
		}
		if m.Subject == "hall.events.lobby" && m.Seq > prev.Seq {
			prev = m
		}
	}
	at := r.run.Wall.Add(time.Duration(r.run.End - r.run.Start - 5*second))
	m := history.Message{Stream: events, Seq: last.Seq + 1, Subject: "hall.events.lobby", ID: "again", Time: at, Data: encode(line)}
	r.log = append(r.log, m)
	for _, p := range r.find(func(e history.Event) bool { return e.Type == history.Final }) {
		e := *r.event(p)
		before := p
		before.at--
		r.insert(before, history.Event{
			T: e.T, Conn: e.Conn, Type: history.Recv, F: line.Kind, Channel: history.Lobby,
			Seq: m.Seq, Prev: prev.Seq, From: line.From, Text: line.Text, At: at, Edge: e.Edge,
		})
	}
}

func retryWithoutID(r *run) bool {
	p, found := r.acked()
	if found {
		r.storeLast(r.decoded[r.event(p).Seq])
	}
	return found
}

func storedRefusal(r *run) bool {
	p, found := r.acked()
	if !found {
		return false
	}
	e := r.event(p)
	e.Type, e.Seq, e.Code = history.Fail, 0, "too_long"
	for _, other := range r.find(func(o history.Event) bool { return o.Type == history.Invoke && o.Req == e.Req }) {
		if other.client == p.client {
			r.event(other).Key = ""
		}
	}
	return true
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
