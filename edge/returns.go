package edge

import (
	"cmp"
	"context"
	"sync"
	"time"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/roomapi"
	"gamehall/shared/wire"
)

// returns are the clients that come back. Those that come while auth is asked for one wait, and
// share the next request, and the look for their rooms: after an edge was lost thousands come at
// once. One of them carries it out for all, on its connection's goroutine, and each goes on with
// its own outcome.
type returns struct {
	edge *Edge

	mu      sync.Mutex // guards the rest; not held while anybody is asked
	waiting []*returning
	asking  int // requests under way that have not taken long
}

const (
	// returnsMost is how many requests are under way while more clients wait than one request
	// takes; others wait for the one before theirs.
	returnsMost = 8
	// returnsFor is how long one is waited for: auth's copy may have died with it.
	returnsFor = 50 * time.Millisecond
)

// returning is a client that comes back.
type returning struct {
	ctx  context.Context // of its command
	req  authapi.ResumeRequest
	turn chan turn // has room for two: that it is to ask, and what became of it
}

// turn is what one that waits is to do: to ask for all of group, or to go on.
type turn struct {
	group []*returning
	is    *returned
}

// returned is what became of a resume.
type returned struct {
	command string // by which it may be asked for again
	got     authapi.SignInResponse
	err     error
	in      roomapi.Membership // the room that it is in
	lost    error              // which is not known
}

// resume claims the session of a client that comes back, and looks which room it is in.
func (r *returns) resume(ctx context.Context, req authapi.ResumeRequest) *returned {
	w := &returning{ctx: ctx, req: req, turn: make(chan turn, 2)}
	if _, _, ok := authapi.ParseToken(req.Token); !ok {
		// It is refused, and may be so long that a request of several with it would be, too.
		return &r.ask([]*returning{w}, func() {})[0]
	}
	r.mu.Lock()
	r.waiting = append(r.waiting, w)
	r.next()
	r.mu.Unlock()
	t := <-w.turn // those who ask are bounded by their commands' time
	if t.group != nil {
		r.carryOut(t.group)
		t = <-w.turn
	}
	return t.is
}

// next lets one ask for those that wait; r.mu is held.
func (r *returns) next() {
	for len(r.waiting) > 0 && r.asking < returnsMost && (r.asking == 0 || len(r.waiting) >= authapi.ResumeMost) {
		n := 1 // all under one lease, which a request names
		for n < min(len(r.waiting), authapi.ResumeMost) && r.waiting[n].req.Edge == r.waiting[0].req.Edge {
			n++
		}
		group := make([]*returning, n)
		copy(group, r.waiting)
		rest := copy(r.waiting, r.waiting[n:])
		clear(r.waiting[rest:])
		r.waiting = r.waiting[:rest]
		r.asking++
		group[0].turn <- turn{group: group}
	}
}

// carryOut asks for a group and gives each its outcome.
func (r *returns) carryOut(group []*returning) {
	var once sync.Once
	done := func() {
		once.Do(func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.asking--
			r.next()
		})
	}
	slow := time.AfterFunc(r.edge.cfg.returnsFor, done)
	answered := func() {
		slow.Stop()
		done()
	}
	told := 0
	defer func() {
		answered()
		for _, w := range group[told:] { // after a panic
			w.turn <- turn{is: &returned{command: bus.NewID(), err: errNoReturn()}}
		}
	}()
	all := r.ask(group, answered)
	for i, w := range group {
		w.turn <- turn{is: &all[i]}
		told++
	}
}

func errNoReturn() error {
	return fault.New(fault.Unavailable, "the session could not be resumed, please try again")
}

// ask resumes a group, and looks for the rooms once auth has answered.
func (r *returns) ask(group []*returning, answered func()) []returned {
	all := make([]returned, len(group))
	ctx := group[0].ctx
	if len(group) == 1 {
		all[0].command = bus.Command(ctx)
		all[0].got, all[0].err = r.edge.askResume(ctx, group[0].req)
	} else {
		until, _ := ctx.Deadline()
		for _, w := range group {
			if d, _ := w.ctx.Deadline(); d.Before(until) {
				until = d
			}
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
		r.askAll(ctx, group, all)
	}
	answered()
	var in []int
	var sessions []authapi.SignInResponse
	for i := range all {
		if all[i].err == nil {
			in, sessions = append(in, i), append(sessions, all[i].got)
		}
	}
	if len(in) == 0 {
		return all
	}
	rooms, err := r.edge.roomsOf(ctx, sessions)
	for k, i := range in {
		if all[i].lost = err; err == nil {
			all[i].in, all[i].lost = rooms[k].in, rooms[k].err
		}
	}
	return all
}

// askAll asks auth for all of a group.
func (r *returns) askAll(ctx context.Context, group []*returning, all []returned) {
	id := bus.NewID()
	req := authapi.ResumeRequest{Edge: group[0].req.Edge, Each: make([]authapi.Returning, len(group))}
	for i, w := range group {
		all[i].command = authapi.ResumeID(id, i)
		req.Each[i] = authapi.Returning{Token: w.req.Token, NextHash: w.req.NextHash, Conn: w.req.Conn, Lost: w.req.Lost, Held: w.req.Held}
	}
	got, err := authapi.Resume.Call(bus.WithCommand(ctx, id), r.edge.nc, req, bus.Patience(requestFor))
	switch {
	case fault.CodeOf(err) == fault.BadRequest:
		got.Each = nil // by a copy of auth that knows one at a time only
	case err != nil:
		for i := range all {
			all[i].err = err
		}
		return
	}
	var alone sync.WaitGroup
	defer alone.Wait()
	for i, w := range group {
		if i < len(got.Each) {
			all[i].got, all[i].err = got.Each[i].SignInResponse, got.Each[i].Err()
			continue
		}
		alone.Go(func() {
			all[i].got, all[i].err = r.edge.askResume(bus.WithCommand(ctx, all[i].command), w.req)
		})
	}
}

// askResume asks auth for one client.
func (e *Edge) askResume(ctx context.Context, req authapi.ResumeRequest) (authapi.SignInResponse, error) {
	got, err := authapi.Resume.Call(ctx, e.nc, req, bus.Patience(requestFor))
	if fault.CodeOf(err) == fault.BadRequest && (req.Lost != (authapi.Lost{}) || req.Held != "") {
		// By a copy of an earlier version, which does not know of what it was not told before.
		req.Lost, req.Held = authapi.Lost{}, ""
		got, err = authapi.Resume.Call(ctx, e.nc, req, bus.Patience(requestFor))
	}
	return got.SignInResponse, err
}

// leftBehind gives the session that a user has here under t, whose client comes back: one whose
// connection stands as far as is known, or one whose connection was lost a moment ago.
func (e *Edge) leftBehind(userID string, t *tenure) (held string, lost authapi.Lost) {
	_, s := e.sessions.user(userID) // first: when it is lost meanwhile, it is found then
	if lost = e.adrift.of(userID, t); lost.Session == "" && s != nil && s.tenure == t {
		held = s.id
	}
	return held, lost
}

// movedOn ends what is left here of a session that was resumed: its client has another connection.
func (e *Edge) movedOn(userID string, req authapi.ResumeRequest) {
	if c, s := e.sessions.session(req.Held); s != nil {
		e.takeOver(c, req.Held, wire.Bye)
	}
	e.adrift.found(userID, cmp.Or(req.Held, req.Lost.Session))
}
