package verify

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"gamehall/tools/check/history"
)

// linearizeFor bounds the search of one user: what takes longer is to be looked at by people.
const linearizeFor = 10 * time.Second

// registerStep is a step of the register of a user's session.
type registerStep struct {
	what    string          // signin, maybe, standing, resume, lost, signout, expire
	session string          // whose
	victims map[string]bool // signin: the sessions that it may replace; nil is any
	faulty  bool            // a fault excuses something
}

// checkRegister is S2: the sign-ins, resumes, sign-outs and expiries of each user are those of
// one register, which holds one session or none.
//
// The session of a client that is not there may expire at any time between the last moment at
// which it was, and its leaving in the log. A sign-in whose answer nobody had may have begun a
// session (its name begins with "?"), which nobody holds and which may expire whenever it likes.
func (c *checker) checkRegister() {
	c.expiries()
	for user, steps := range c.registerSteps() {
		for _, s := range steps {
			in, _ := s.Input.(registerStep)
			c.report.judged(S2, 1, !in.faulty)
		}
		model := registerModel.ToModel()
		switch porcupine.CheckOperationsTimeout(model, steps, linearizeFor) {
		case porcupine.Illegal:
			c.violate(Violation{ID: S2, Text: fmt.Sprintf("the sessions of %s are not those of one register: %s", user, c.tellSteps(model, steps))})
		case porcupine.Unknown:
			c.violate(Violation{ID: S2, Text: fmt.Sprintf("the sessions of %s could not be judged within %s", user, linearizeFor)})
		case porcupine.Ok:
		}
	}
}

// registerModel is the register. A state is the name of a session, or "".
var registerModel = porcupine.NondeterministicModel{
	Init: func() []any { return []any{""} },
	Step: func(state, input, _ any) []any {
		have, _ := state.(string)
		in, _ := input.(registerStep)
		if strings.HasPrefix(have, "?") && in.what != "maybe" {
			return append(registerNext("", in), registerNext(have, in)...)
		}
		return registerNext(have, in)
	},
	DescribeOperation: func(input, _ any) string {
		in, _ := input.(registerStep)
		return in.what + " " + in.session
	},
}

func registerNext(have string, in registerStep) []any {
	switch in.what {
	case "signin":
		if have == "" || have[0] == '?' || in.victims == nil || in.victims[have] {
			return []any{in.session}
		}
		return nil
	case "maybe":
		return []any{have, in.session}
	case "standing": // refused: somebody is signed in
		if have != "" {
			return []any{have}
		}
		return nil
	case "resume":
		if have == in.session {
			return []any{have}
		}
		return nil
	case "lost": // its token is worth nothing
		if have != in.session {
			return []any{have}
		}
		return nil
	case "signout":
		if have != in.session {
			return []any{have}
		}
		if in.faulty { // its edge goes on trying
			return []any{"", have}
		}
		return []any{""}
	case "expire":
		if have == in.session {
			return []any{""}
		}
		return []any{have}
	}
	return []any{have}
}

// registerSteps makes the steps of each user.
func (c *checker) registerSteps() map[string][]porcupine.Operation {
	steps := map[string][]porcupine.Operation{}
	clients := map[string]int{}
	for i, name := range c.h.Clients() {
		clients[name] = i
	}
	byUser := map[string][]*session{}
	for _, s := range c.sessions {
		byUser[fold(s.user)] = append(byUser[fold(s.user)], s)
	}
	maybe := 0
	for _, o := range c.ops {
		user := fold(o.user)
		var step registerStep
		end := o.out.T
		switch {
		case o.in.F == history.SignIn && o.ok():
			step = registerStep{what: "signin", session: o.session.name}
			if !o.in.Takeover {
				step.victims, step.faulty = c.victims(o, byUser[user])
			}
		case o.in.F == history.SignIn && o.unknown():
			maybe++
			step = registerStep{what: "maybe", session: fmt.Sprintf("?%d", maybe)}
			end = o.out.T + 60*second
		case o.in.F == history.SignIn && o.out.Code == "already_signed_in":
			step = registerStep{what: "standing"}
		case o.in.F == history.Resume && o.ok():
			step = registerStep{what: "resume", session: o.session.name}
			user = fold(o.session.user)
		case o.in.F == history.Resume && o.out.Code == "bad_token":
			s := c.sessions[o.in.Session]
			if s == nil || s.shared || c.tokens(s) > 1 {
				continue
			}
			step = registerStep{what: "lost", session: s.name}
			user = fold(s.user)
		case o.in.F == history.SignOut && o.ok() && o.session != nil:
			step = registerStep{what: "signout", session: o.session.name, faulty: c.untold(o)}
			user = fold(o.session.user)
		default:
			continue
		}
		steps[user] = append(steps[user], porcupine.Operation{ClientId: clients[o.client], Input: step, Call: o.in.T, Return: end})
	}
	for _, s := range c.sessions {
		from, to := c.expiry(s)
		steps[fold(s.user)] = append(steps[fold(s.user)], porcupine.Operation{
			ClientId: len(clients), Input: registerStep{what: "expire", session: s.name}, Call: from, Return: to,
		})
	}
	return steps
}

// tokens counts the clients that tried to resume s.
func (c *checker) tokens(s *session) int {
	clients := map[string]bool{}
	for _, o := range c.ops {
		if o.in.F == history.Resume && o.in.Session == s.name {
			clients[o.client] = true
		}
	}
	return len(clients)
}

// victims are the sessions that the sign-in o, which asked for no takeover, may have replaced:
// those that no connection was seen to hold all the while. One that was held may be among them
// where its edge may not have answered auth: it, or NATS, or the copy of auth that asked was in
// trouble. excused is that there is such a one.
func (c *checker) victims(o *op, sessions []*session) (free map[string]bool, excused bool) {
	free = map[string]bool{}
	for _, s := range sessions {
		held := false
		for _, p := range s.parts {
			if p.from > o.in.T || p.proof() < o.out.T {
				continue
			}
			held = true
			if troubled(slices.Concat(c.ofEdge(p.stint.edge), c.nats, c.auth), o.in.T, o.out.T) {
				held, excused = false, true
				break
			}
		}
		if !held {
			free[s.name] = true
		}
	}
	return free, excused
}

// untold tells whether auth may not have been told of the sign-out o when its edge said that it
// was done: the edge, auth or NATS was in trouble, and the edge goes on trying.
func (c *checker) untold(o *op) bool {
	return troubled(slices.Concat(c.ofEdge(o.stint.edge), c.nats, c.auth), o.in.T, o.out.T)
}

// expiry is when s may have ended without being asked: from when on nobody held it, and when
// the log has its leaving. One that can be resumed is kept for a while.
func (c *checker) expiry(s *session) (from, to int64) {
	from, to = s.lastProof(), math.MaxInt64
	last := s.parts[len(s.parts)-1].stint
	for _, p := range s.parts {
		if p.stint.to > last.to {
			last = p.stint
		}
	}
	if !s.line && last.ended && last.reason != "idle" && last.reason != "signed_in_elsewhere" {
		from += int64(c.kept(last.edge, from, last.to))
	}
	if s.over != nil {
		from = min(from, s.over.in.T)
	}
	if s.left != nil {
		to = s.left.at + second/10
	}
	return min(from, to), to
}

// kept is for how long a session can be resumed whose connection to the edge was lost between
// from and to: 30 s. A dead edge ends its sessions with its lease, whose last renewal may have
// been 5 s before its death. One that was cut off lets go of them 20 s after that renewal, so
// then, and when NATS was in trouble, nothing is certain.
func (c *checker) kept(edge string, from, to int64) time.Duration {
	near := func(keep func(history.Fault) bool) bool {
		return c.faulty(from-35*second, to+second, 35*time.Second, keep)
	}
	switch {
	case near(func(f history.Fault) bool { return strings.Contains(f.Target, "nats") && (amongNATS(f) || of(f, edge)) }):
		return 0
	case near(func(f history.Fault) bool { return of(f, edge) }):
		return time.Duration(c.settings.Lease-c.settings.Renew) - time.Second
	}
	return time.Duration(c.settings.ResumeFor) - time.Second
}

// reaped is how long after its client was last there a session may stand in the log: a
// connection that is dead is seen after 33 s, is kept for 30 s more, and looked for every 2 s.
func (c *checker) reaped() time.Duration {
	return time.Duration(c.settings.SilenceMost) + time.Duration(c.settings.ResumeFor) + 5*time.Second
}

// expiries looks for sessions that outlived their client: a lease that never expires. What befalls
// its edge, the way to that, NATS or auth meanwhile puts it off until that is over.
func (c *checker) expiries() {
	auth, _ := c.ofService("auth")
	for _, s := range c.sessions {
		last, connected := int64(0), false
		var inTheWay []trouble
		for _, p := range s.parts {
			last = max(last, p.to)
			connected = connected || p.stint.final && p.quit == nil
			inTheWay = slices.Concat(inTheWay, c.ofEdge(p.stint.edge), c.onWay(p.stint.client, p.stint.edge))
		}
		for _, o := range c.resumes[s] { // it may have come back, and nobody saw it
			last = max(last, o.stint.to)
			inTheWay = slices.Concat(inTheWay, c.ofEdge(o.stint.edge), c.onWay(o.client, o.stint.edge))
		}
		if s.joined == nil || connected {
			continue
		}
		due, strict := last+int64(c.reaped()), true
		inTheWay = slices.Concat(inTheWay, c.nats, auth)
		for again := true; again; {
			again = false
			for _, t := range inTheWay {
				if later := t.to + int64(c.reaped()); t.from <= due && t.to >= last && later > due {
					due, strict, again = later, false, true
				}
			}
		}
		end := c.run.End
		if s.left != nil {
			end = s.left.at
		}
		c.report.judged(S2, 1, strict)
		if end > due+5*second {
			c.violate(Violation{ID: S2, Client: s.parts[0].stint.client, T: s.begun, Text: fmt.Sprintf("the session %s of %s lost its client %s into the run, and was not over %s later", s.name, s.user, since(last, c.run.Start), since(end, last))})
		}
	}
}

// tellSteps tells the steps up to the first that cannot be: the shortest beginning that is not
// linearizable.
func (c *checker) tellSteps(model porcupine.Model, steps []porcupine.Operation) string {
	steps = slices.Clone(steps)
	slices.SortFunc(steps, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	low, high := 1, len(steps)
	for low < high {
		middle := (low + high) / 2
		if porcupine.CheckOperationsTimeout(model, steps[:middle], time.Second) == porcupine.Illegal {
			high = middle
		} else {
			low = middle + 1
		}
	}
	var told []string
	for _, s := range steps[max(0, low-6):low] {
		in, _ := s.Input.(registerStep)
		end := "…"
		if s.Return < math.MaxInt64 {
			end = since(s.Return, c.run.Start)
		}
		told = append(told, fmt.Sprintf("%s %s (%s to %s)", in.what, in.session, since(s.Call, c.run.Start), end))
	}
	return strings.Join(told, ", ")
}
