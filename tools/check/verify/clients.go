package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gamehall/tools/check/history"
)

// stint is a connection: from its beginning to its end.
type stint struct {
	client     string
	n          int
	edge, door string
	from, to   int64
	sent       int64 // when the client last began to send something
	proof      int64 // when the client last got something
	longest    int64 // the longest time between two sends
	muted      int64 // when it fell silent on purpose, 0 if it did not
	reason, by string
	ended      bool // it has a disc
	final      bool
	pauses     [][2]int64
	parts      []*part

	early []history.Event // told while no session was there
}

// paused tells whether the client was not reading at some time between from and to.
func (s *stint) paused(from, to int64) bool {
	for _, p := range s.pauses {
		if p[0] <= to && (p[1] == 0 || p[1] >= from) {
			return true
		}
	}
	return false
}

// session is a signed-in client, over all its connections.
type session struct {
	name    string
	user    string
	invoked int64 // when its signin was asked for, and answered
	begun   int64
	joined  *entry // nil when it is not stored
	left    *entry // nil while it stands
	over    *op    // the signout that was ok or unknown
	parts   []*part
	shared  bool // more than one client used its token
	line    bool // it cannot be resumed
}

// lastProof is when its client was last known to be connected.
func (s *session) lastProof() int64 {
	var last int64
	for _, p := range s.parts {
		last = max(last, p.proof())
	}
	return max(last, s.begun)
}

// part is what one connection has of a session.
type part struct {
	session *session
	stint   *stint
	begin   *op // signin or resume
	from    int64
	to      int64 // 0 while it lasts
	quit    *op   // the signout that ended it well
	told    []history.Event
	quits   []*op // of rooms, that were ok
}

// proof is when the client last got something on the connection while the session was there.
func (p *part) proof() int64 {
	last := p.stint.proof
	if p.to != 0 && p.quit != nil {
		last = min(last, p.to)
	}
	return last
}

// op is one command, sent once.
type op struct {
	client  string
	stint   *stint
	session *session
	user    string
	in, out history.Event
	outcome history.Type
	after   *op // the one before it on its connection
}

func (o *op) ok() bool      { return o.outcome == history.OK }
func (o *op) changes() bool { return changes[o.in.F] }

// unknown tells whether it may have happened.
func (o *op) unknown() bool {
	return o.outcome == history.Info || o.outcome == history.Fail && unknownCodes[o.out.Code]
}

// changes are the commands that change something.
var changes = map[string]bool{
	history.SignUp: true, history.SignIn: true, history.Resume: true, history.SignOut: true,
	history.Passwd: true, history.Say: true, history.Whisper: true, history.RoomCreate: true,
	history.RoomJoin: true, history.RoomQuit: true, history.RoomSay: true, history.Answer: true,
}

// unknownCodes are the faults after which a command may have happened.
var unknownCodes = map[string]bool{"unavailable": true, "internal": true}

// command is what one user and key name: one change, however often it was sent.
type command struct {
	user     string
	f        string
	text     string
	to       string
	ops      []*op
	invoke   int64 // of the first
	ok       *op   // the first that was
	unknown  bool  // without an ok, it may have happened
	stored   *entry
	sessions []*session
}

// client reads the events of one client.
func (c *checker) client(name string, events []history.Event) {
	c.report.Counts.Clients++
	r := &reader{c: c, client: name, open: map[uint64]*op{}}
	last := int64(0)
	for _, e := range events {
		if e.T < last {
			c.broken(e, "its time is before that of the event before it")
		}
		last = e.T
		r.take(e)
	}
	for _, o := range r.open {
		c.broken(o.in, "a command has no outcome")
		o.outcome, o.out = history.Info, history.Event{T: last}
	}
	r.close(last)
}

// broken says that the history itself is wrong: then nothing can be said.
func (c *checker) broken(e history.Event, why string) {
	if len(c.report.Invalid) < 20 {
		c.report.Invalid = append(c.report.Invalid, fmt.Sprintf("the history is broken: %s at %s: %s", why, since(e.T, c.run.Start), Line(e)))
	}
}

// reader goes through the events of a client.
type reader struct {
	c      *checker
	client string
	now    *stint
	part   *part
	open   map[uint64]*op
	before *op
}

func (r *reader) take(e history.Event) {
	c := r.c
	if e.Type == history.Conn {
		r.close(e.T)
		r.now = &stint{client: r.client, n: e.Conn, edge: e.Edge, door: e.Door, from: e.T, sent: e.T, proof: e.T}
		c.stints = append(c.stints, r.now)
		c.report.Counts.Connections++
		return
	}
	if r.now == nil {
		c.broken(e, "there is no connection")
		r.now = &stint{client: r.client, n: e.Conn, edge: e.Edge, from: e.T, sent: e.T, proof: e.T}
		c.stints = append(c.stints, r.now)
	}
	s := r.now
	switch e.Type {
	case history.Invoke:
		s.longest = max(s.longest, e.T-s.sent)
		s.sent = e.T
		o := &op{client: r.client, stint: s, user: e.User, in: e, after: r.before}
		if r.part != nil {
			o.session, o.user = r.part.session, r.part.session.user
		}
		if e.F == history.SignUp || e.F == history.SignIn {
			o.user = e.User
		}
		if known := c.sessions[e.Session]; e.F == history.Resume && known != nil {
			o.user = known.user
		}
		r.open[e.Req] = o
		r.before = o
		c.ops = append(c.ops, o)
	case history.OK, history.Fail, history.Info:
		o := r.open[e.Req]
		if o == nil {
			c.broken(e, "an outcome has no command")
			return
		}
		delete(r.open, e.Req)
		o.out, o.outcome = e, e.Type
		if e.Type != history.Info {
			s.proof = e.T
		}
		r.outcome(o)
	case history.Recv:
		s.proof = e.T
		c.report.Counts.Received++
		r.told(e)
	case history.Disc:
		s.reason, s.by, s.ended = e.Reason, e.By, true
		r.close(e.T)
	case history.Final:
		s.final = true
		s.proof = e.T
		s.to = e.T
	case history.Pause:
		s.pauses = append(s.pauses, [2]int64{e.T, 0})
	case history.Unpause:
		if n := len(s.pauses); n > 0 {
			s.pauses[n-1][1] = e.T
		}
	case history.Mute:
		s.muted = e.T
	}
}

// outcome follows what begins and ends sessions.
func (r *reader) outcome(o *op) {
	c := r.c
	switch {
	case o.in.F == history.SignIn && o.ok():
		user := cmp.Or(o.out.User, o.in.User)
		name := o.out.Session
		if name == "" {
			name = fmt.Sprintf("%s/%d.%d", r.client, o.stint.n, o.in.Req)
		}
		if c.sessions[name] != nil {
			c.broken(o.out, "a session of that name was begun before")
		}
		s := &session{name: name, user: user, invoked: o.in.T, begun: o.out.T, line: o.stint.door == "lines"}
		s.joined = c.joining(user, o)
		if s.joined != nil {
			s.left = c.log.end(user, s.joined.Epoch)
		}
		c.sessions[name] = s
		c.report.Counts.Sessions++
		r.begin(s, o)
	case o.in.F == history.Resume && o.ok():
		s := c.sessions[cmp.Or(o.in.Session, o.out.Session)]
		if s == nil {
			c.broken(o.in, "the session to be resumed was never begun")
			return
		}
		if len(s.parts) > 0 && s.parts[0].stint.client != r.client {
			s.shared = true
		}
		c.report.Counts.Resumes++
		r.begin(s, o)
	case o.in.F == history.SignOut && (o.ok() || o.unknown()) && r.part != nil:
		r.part.session.over = o
		if o.ok() {
			r.part.quit, r.part.to = o, o.out.T
			r.part = nil
		}
	case o.in.F == history.RoomQuit && o.ok() && r.part != nil:
		r.part.quits = append(r.part.quits, o)
	case o.in.F == history.HistoryOf && o.ok() && r.part != nil:
		c.recalled(r.part, o)
	}
}

func (r *reader) begin(s *session, o *op) {
	r.part = &part{session: s, stint: o.stint, begin: o, from: o.out.T}
	o.session = s
	if o.user == "" {
		o.user = s.user
	}
	s.parts = append(s.parts, r.part)
	o.stint.parts = append(o.stint.parts, r.part)
	r.part.told, o.stint.early = o.stint.early, nil
}

// joining is the joined event of the session that signin o began: its reply names it, and for
// a client of lines it is the last one of that user at that time.
func (c *checker) joining(user string, o *op) *entry {
	if o.out.Seq != 0 {
		e := c.log.bySeq[o.out.Seq]
		if e == nil || e.channel != history.Lobby || fold(e.User) != fold(user) || e.Kind != "joined" {
			c.violate(Violation{ID: I7, Client: o.client, T: o.out.T, Seq: o.out.Seq, Text: fmt.Sprintf("%s was welcomed as of %d, which is not its joining in the log", user, o.out.Seq)})
			return nil
		}
		return e
	}
	var found *entry
	// The wall clock may be set meanwhile; where it was not, what came after the answer is
	// another session's.
	for _, late := range []int64{0, second} {
		for _, e := range c.log.joins[fold(user)] {
			if found == nil && e.at >= o.in.T-second && e.at <= o.out.T+late || found != nil && e.at <= o.out.T {
				found = e
			}
		}
	}
	if found == nil {
		c.violate(Violation{ID: I7, Client: o.client, T: o.out.T, Text: user + " was welcomed, and its joining is not in the log"})
	}
	return found
}

const second = int64(1e9)

// told gives an event to the part that it is for. It may be written before the answer that
// begins the part, or after the one that ends it.
func (r *reader) told(e history.Event) {
	c, s := r.c, r.now
	switch e.F {
	case history.Gap:
		c.report.Counts.Gaps++
	case history.Notice:
		c.report.Counts.Notices++
	case history.Closing:
		s.reason = e.Reason
	case history.Whisper:
		user := ""
		if r.part != nil {
			user = r.part.session.user
		} else if n := len(s.parts); n > 0 {
			user = s.parts[n-1].session.user
		}
		c.heard[e.Text] = append(c.heard[e.Text], hearing{event: e, user: user, edge: s.edge})
	}
	if e.Channel == history.UserOnly || e.F == history.Gap {
		return
	}
	switch {
	case r.part != nil:
		r.part.told = append(r.part.told, e)
	case len(s.parts) > 0 && !r.signingIn():
		last := s.parts[len(s.parts)-1]
		last.told = append(last.told, e)
	case len(s.parts) > 0:
		last := s.parts[len(s.parts)-1]
		if left := last.session.left; left != nil && e.Seq != 0 && e.Seq < left.seq {
			last.told = append(last.told, e)
			return
		}
		s.early = append(s.early, e)
	default:
		s.early = append(s.early, e)
	}
}

// signingIn tells whether a signin or resume is under way.
func (r *reader) signingIn() bool {
	for _, o := range r.open {
		if o.in.F == history.SignIn || o.in.F == history.Resume {
			return true
		}
	}
	return false
}

// close ends the connection and checks what was told on it.
func (r *reader) close(t int64) {
	s := r.now
	if s == nil {
		return
	}
	if s.to == 0 {
		s.to = t
	}
	if len(s.early) > 0 {
		e := s.early[0]
		r.c.violate(Violation{ID: I8, Client: r.client, T: e.T, Seq: e.Seq, Text: fmt.Sprintf("a connection without a session was told the event %d of %s", e.Seq, e.Channel)})
		s.early = nil
	}
	for _, p := range s.parts {
		if p.to == 0 {
			p.to = s.to
		}
		r.c.deliveries(p)
		p.told = nil
	}
	r.now, r.part, r.before = nil, nil, nil
}

// gather makes commands of the ops of all clients, once all of them are read.
func (c *checker) gather() {
	slices.SortStableFunc(c.ops, func(a, b *op) int { return cmp.Compare(a.in.T, b.in.T) })
	users := map[string]bool{}
	for _, o := range c.ops {
		if o.user != "" {
			users[fold(o.user)] = true
		}
		if s := c.sessions[o.in.Session]; o.in.F == history.Resume && o.unknown() && s != nil {
			c.resumes[s] = append(c.resumes[s], o)
		}
		if o.ok() {
			c.latency[o.in.F] = append(c.latency[o.in.F], o.out.T-o.in.T)
		}
		if !o.changes() {
			continue
		}
		n := &c.report.Counts
		n.Commands++
		switch {
		case o.ok():
			n.Acked++
		case o.unknown():
			n.Unknown++
		default:
			n.Refused++
		}
		if o.out.Code == "internal" {
			n.Internal++
		}
		c.add(o)
	}
	c.report.Counts.Users = len(users)
	for _, cmd := range c.commands {
		if cmd.text != "" {
			cmd.stored = c.log.texts[cmd.text]
		}
	}
}

func (c *checker) add(o *op) {
	id := ""
	if o.in.Key != "" {
		id = fold(o.user) + "\x00" + o.in.F + "\x00" + o.in.Key
	}
	cmd := c.keyed[id]
	if id == "" || cmd == nil {
		cmd = &command{user: o.user, f: o.in.F, text: o.in.Text, to: o.in.To, invoke: o.in.T}
		c.commands = append(c.commands, cmd)
		if id != "" {
			c.keyed[id] = cmd
		}
		if cmd.text != "" {
			if other := c.byText[cmd.text]; other != nil {
				c.broken(o.in, "the text was used before, without its key")
			}
			c.byText[cmd.text] = cmd
		}
	}
	cmd.ops = append(cmd.ops, o)
	switch {
	case o.ok() && cmd.ok == nil:
		cmd.ok = o
	case o.unknown():
		cmd.unknown = true
	}
	if o.session != nil && !slices.Contains(cmd.sessions, o.session) {
		cmd.sessions = append(cmd.sessions, o.session)
	}
}

// isLine tells whether the command says something that is stored.
func (cmd *command) isLine() bool { return cmd.f == history.Say || cmd.f == history.RoomSay }

// of tells whether the fault is about the process or link that name names.
func of(f history.Fault, name string) bool {
	return name != "" && (f.Target == name || slices.Contains(strings.FieldsFunc(f.Target, func(r rune) bool { return r == '/' || r == ' ' || r == '>' || r == ',' }), name))
}

// onTheWay tells whether a fault is one of the way between a client and an edge: then what was
// sent may come late, or never, and the hall is not to blame.
func onTheWay(f history.Fault, client, edge string) bool {
	return of(f, client) || of(f, "clients") && of(f, edge)
}
