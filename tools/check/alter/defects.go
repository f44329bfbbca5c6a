package alter

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"gamehall/shared/event"
	"gamehall/tools/check/history"
	"gamehall/tools/check/verify"
)

// Defects are all, those of FAULTS.md first.
var Defects = []Defect{
	{"drop", verify.I1, "one delivery in a thousand is lost", dropSome},
	{"drop-last", verify.I1, "only the last line is lost, so that nothing shows the hole", dropLast},
	{"duplicate-on-resume", verify.I2, "what a client had is told again after a resume", duplicateOnResume},
	{"swap", verify.I3, "one member gets two lines in the other order", swap},
	{"edge-order", verify.I3, "each edge makes its own order", edgeOrder},
	{"ack-before-store", verify.I7, "a line is acknowledged and then not stored", ackBeforeStore},
	{"retry-without-id", verify.I2, "a line that was sent again is stored again", retryWithoutID},
	{"deliver-after-leave", verify.I8, "who left a room hears on", deliverAfterLeave},
	{"whisper-to-all", verify.I9, "a whisper goes to every edge's users", whisperToAll},
	{"endless-lease", verify.S2, "a session whose client is gone never ends", endlessLease},
	{"no-fence", verify.S1, "an edge that was frozen serves on after its sessions were taken over", noFence},
	{"winner-by-arrival", verify.G2, "who came first to the edge wins", winnerByArrival},
	{"float", verify.G2, "expressions are evaluated in float64", floatJudge},
	{"answers-in-memory", verify.G3, "answers are lost with their service", answersInMemory},
	{"double-online", verify.O1, "online time is counted twice", doubleOnline},
	{"short-fence", verify.F1, "edges let go of their clients while NATS elects a leader", shortFence},
	{"cut-off", verify.F1, "an edge that is cut off from NATS goes on serving its clients", cutOff},
	{"found-late", verify.F1, "a line that was lost on its way is found much later", foundLate},
	{"power-loss", verify.I7, "what was acknowledged last is gone after a power loss", powerLoss},

	{"clock-order", verify.I4, "a line is put before one that was there when it was said", clockOrder},
	{"sender-order", verify.I5, "two lines of one sender change places", senderOrder},
	{"forged", verify.I6, "a line is stored in another user's name", forged},
	{"stored-refusal", verify.I7, "a line that was refused is stored", storedRefusal},
	{"whisper-lost", verify.I9, "a whisper is acknowledged and does not come", whisperLost},
	{"whisper-again", verify.I9, "a whisper that was shown comes again when its target has come back elsewhere", whisperAgain},
	{"two-sessions", verify.S1, "a user joins while the session before has not left", twoSessions},
	{"resume-after-end", verify.S2, "a token is good for a session that is over", resumeAfterEnd},
	{"name-twice", verify.S3, "a name is given twice", nameTwice},
	{"two-results", verify.G1, "a round's result is told twice", twoResults},
	{"long-round", verify.G4, "a round does not end", longRound},
	{"shrinking-online", verify.O1, "online time that was told is forgotten", shrinkingOnline},
	{"early-drop", verify.L1, "a client that talks is dropped as silent", earlyDrop},
	{"never-well", verify.V1, "after the faults commands are not answered", neverWell},
	{"leak", verify.H1, "goroutines are left behind", leak},
}

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

func winnerByArrival(r *run) bool {
	for seq, e := range r.decoded {
		if e.Kind != event.Game21Ended || e.Winner == "" {
			continue
		}
		for _, a := range r.answers(e.Round) {
			if a["user"] != e.Winner {
				winner, with, value := fmt.Sprint(a["user"]), fmt.Sprint(a["expression"]), fmt.Sprint(a["value"])
				r.rewrite(seq, func(e *event.Event) { e.Winner, e.Expression, e.Value = winner, with, value },
					func(e *history.Event) { e.Winner, e.Expression, e.Value = winner, with, value })
				return true
			}
		}
	}
	return false
}

// answers are the stored answers of a round.
func (r *run) answers(round int) (list []map[string]any) {
	for _, m := range r.log {
		if m.Stream == game && strings.HasPrefix(m.Subject, fmt.Sprintf("hall.round.%d.answer.", round)) {
			var a map[string]any
			if json.Unmarshal(m.Data, &a) == nil {
				list = append(list, a)
			}
		}
	}
	return list
}

func floatJudge(r *run) bool {
	// 7/(1-2/3) is 20.999999999999996 in float64: as an exact fraction, not 21.
	const almost = "5910974510923775/281474976710656"
	for i, m := range r.log {
		if m.Stream != game || !strings.Contains(m.Subject, ".answer.") {
			continue
		}
		var a map[string]any
		if json.Unmarshal(m.Data, &a) != nil || !strings.Contains(fmt.Sprint(a["expression"]), "/") {
			continue
		}
		a["value"] = almost
		r.log[i].Data = encode(a)
		return true
	}
	return false
}

func answersInMemory(r *run) bool {
	p, found := r.one(func(e history.Event) bool { return e.Type == history.OK && e.F == history.Answer })
	if !found {
		return false
	}
	_, user := r.sessionOf(p)
	before := len(r.log)
	r.log = slices.DeleteFunc(r.log, func(m history.Message) bool {
		var a map[string]any
		return m.Stream == game && strings.HasPrefix(m.Subject, fmt.Sprintf("hall.round.%d.answer.", r.event(p).Round)) &&
			json.Unmarshal(m.Data, &a) == nil && a["user"] == user
	})
	return len(r.log) < before
}

func doubleOnline(r *run) bool {
	p, found := r.one(func(e history.Event) bool {
		return e.Type == history.OK && e.F == history.OnlineTime && e.Seconds > 40
	})
	if found {
		r.event(p).Seconds *= 2
	}
	return found
}

func shrinkingOnline(r *run) bool {
	p, found := r.one(func(e history.Event) bool {
		return e.Type == history.OK && e.F == history.OnlineTime && e.Seconds > 60
	})
	if found {
		r.event(p).Seconds /= 3
	}
	return found
}

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
