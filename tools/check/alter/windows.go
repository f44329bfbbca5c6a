package alter

import (
	"slices"
	"strings"
	"time"

	"gamehall/shared/event"
	"gamehall/tools/check/history"
)

// cutOff makes the run one in which an edge was cut off all the while that it served somebody.
func cutOff(r *run) bool {
	for _, p := range r.shuffled(func(e history.Event) bool { return e.Type == history.OK && e.F == history.SignIn }) {
		begun, last := r.event(p), int64(0)
		for _, e := range r.files[p.client] {
			if e.Conn == begun.Conn && e.Session == begun.Session && (e.Type == history.OK || e.Type == history.Recv) {
				last = e.T
			}
		}
		if last-begun.T > 36*second {
			r.run.Faults = append(r.run.Faults, history.Fault{Kind: history.Blackhole, Target: begun.Edge + "/nats", From: begun.T + second, To: last})
			return true
		}
	}
	return false
}

// foundLate makes a line that came at once one that had been stored long before.
func foundLate(r *run) bool {
	for _, p := range r.shuffled(func(e history.Event) bool { return e.Type == history.Recv && e.F == event.Chat && e.Seq != 0 }) {
		e := r.event(p)
		begun := slices.IndexFunc(r.files[p.client], func(in history.Event) bool { return in.Conn == e.Conn })
		if !r.quiet(p) || e.T-r.files[p.client][begun].T < 30*second {
			continue
		}
		for i := range r.log {
			if m := &r.log[i]; m.Stream == events && m.Seq == e.Seq {
				m.Time = m.Time.Add(-20 * time.Second)
				return true
			}
		}
	}
	return false
}

func shortFence(r *run) bool {
	for _, f := range r.run.Faults {
		if !strings.HasPrefix(f.Target, "nats") || strings.Contains(f.Target, "/") || f.Kind != history.Kill && f.Kind != history.Stop {
			continue
		}
		for _, p := range r.shuffled(func(e history.Event) bool {
			return e.Type == history.Recv && e.Channel == history.Lobby && e.T > f.From && e.T < f.To+5*second
		}) {
			if session, user := r.sessionOf(p); session != "" && r.quiet(p) && r.cut(p, session, user) {
				return true
			}
		}
	}
	return false
}

// cut makes the client lose its connection behind p, and resume.
func (r *run) cut(p place, session, user string) bool {
	since := map[string]uint64{}
	file := r.files[p.client]
	conn := file[p.at].Conn
	for _, e := range file[:p.at+1] {
		switch {
		case e.Type == history.OK && e.F == history.SignIn:
			clear(since)
			since[history.Lobby], since[history.Game21] = e.Seq, e.Seq
		case e.Type == history.OK && (e.F == history.RoomJoin || e.F == history.RoomCreate):
			since[history.RoomPrefix+e.Room] = e.Seq
		case e.Type == history.Recv && e.Seq != 0:
			since[e.Channel] = max(since[e.Channel], e.Seq)
		}
	}
	edge := ""
	for _, e := range file[:p.at+1] {
		if e.Type == history.Conn {
			edge = e.Edge
		}
	}
	r.insert(p,
		history.Event{Type: history.Recv, F: history.Closing, Channel: history.UserOnly, Reason: "unavailable"},
		history.Event{Type: history.Disc, Reason: "unavailable", By: history.ByServer},
		history.Event{Conn: conn + 1000, Type: history.Conn, Edge: edge, Door: "frames"},
		history.Event{Conn: conn + 1000, Type: history.Invoke, F: history.Resume, Req: 1 << 41, Session: session, Since: since},
		history.Event{Conn: conn + 1000, Type: history.OK, F: history.Resume, Req: 1 << 41, Session: session, User: user, Seq: since[history.Lobby]},
	)
	return true
}
