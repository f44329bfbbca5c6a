package crowd

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"gamehall/shared/event"
	"gamehall/shared/fault"
	"gamehall/shared/wire"
	"gamehall/tools/check/history"
)

// Endpoint is where a player finds an edge.
type Endpoint struct {
	Name      string // the edge's
	TCP, HTTP string // host:port
}

func (e Endpoint) addr(door string) string {
	if door == websocket {
		return e.HTTP
	}
	return e.TCP
}

// Player is one client of a crowd.
type Player struct {
	Name string // of its history
	User string

	password string
	door     string
	habit    habit
	rival    bool // shares its user with another player
	edges    []Endpoint
	out      *history.Writer
	crowd    *Crowd
	draw     *rand.Rand

	// The player's goroutine's alone.
	conns      int
	registered bool
	silences   int
	texts      int
	keys       int
	sessions   int
	unheard    *call     // the last command with a key whose answer never came
	unheardKey string    // its key
	unheardAt  time.Time // when it was asked first
	failures   int       // in a row, to connect

	mu      sync.Mutex
	conn    *connection // the one that stands
	reqs    uint64
	session string // the name of it; empty without one
	token   string
	tokens  []string          // all there were: none of them may be in a log
	at      map[string]uint64 // the last sequence had, by channel
	room    string
	round   round
	lastIn  time.Time
	ready   bool            // signed in, with nothing under way
	broken  map[string]bool // the ways to edges that a fault breaks
}

// round is the round of 21 that is open.
type round struct {
	number  int
	numbers []int
	done    bool
}

func (p *Player) nextReq() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reqs++
	return p.reqs
}

// stand notes which connection stands.
func (p *Player) stand(c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conn = c
	if c == nil {
		p.ready = false
		return
	}
	c.broken = p.broken[c.edge]
}

// told notes an event.
func (p *Player) told(e history.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastIn = time.Now()
	if e.Seq > 0 {
		p.at[e.Channel] = max(p.at[e.Channel], e.Seq)
	}
	switch e.F {
	case event.RoomLeft:
		if e.User == p.User && e.Channel == history.RoomPrefix+p.room {
			p.room = ""
		}
	case event.Game21Started:
		if e.Round > p.round.number {
			p.round = round{number: e.Round, numbers: e.Numbers}
		}
	case event.Game21Ended:
		if e.Round == p.round.number {
			p.round.done = true
		}
	}
}

// asking completes the invoke of a command.
func (p *Player) asking(c wire.Command, e *history.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch c.Type {
	case wire.Resume:
		e.Session = p.session
	case wire.RoomSay:
		if p.room != "" {
			e.Channel = history.RoomPrefix + p.room
		}
	}
}

// lost completes the outcome of a command that nobody knows.
func (p *Player) lost(c wire.Command, e *history.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.Type == wire.Resume {
		e.Session = p.session
	}
}

// answered notes the reply to a command and completes its outcome.
func (p *Player) answered(conn *connection, c wire.Command, r wire.Reply, e *history.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ok := r.Err == nil
	switch c.Type {
	case wire.SignIn:
		if !ok {
			return
		}
		p.sessions++
		p.session = fmt.Sprintf("%s-s%d", p.Name, p.sessions)
		p.token, p.room = r.Token, ""
		if r.Token != "" {
			p.tokens = append(p.tokens, r.Token)
		}
		if r.Seq > 0 {
			for channel := range p.at {
				if channel != history.Lobby && channel != history.Game21 {
					delete(p.at, channel)
				}
			}
			p.at[history.Lobby] = max(p.at[history.Lobby], r.Seq)
			p.at[history.Game21] = max(p.at[history.Game21], r.Seq)
		}
		e.Session = p.session
		conn.as.Store(&identity{r.User, p.session})
	case wire.Resume:
		e.Session = p.session
		if !ok {
			return
		}
		p.token = r.Token
		p.tokens = append(p.tokens, r.Token)
		p.room = r.Room
		conn.as.Store(&identity{r.User, p.session})
	case wire.RoomCreate, wire.RoomJoin:
		if ok {
			p.room = r.Room
			channel := history.RoomPrefix + r.Room
			p.at[channel] = max(p.at[channel], r.Seq)
		}
	case wire.RoomQuit:
		if ok {
			p.room = ""
		}
	case wire.SignOut:
		if ok {
			p.session, p.token, p.room = "", "", ""
		}
	}
}

// since is what a resume tells of what was had.
func (p *Player) since() wire.Since {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := wire.Since{}
	for channel, seq := range p.at {
		if channel == history.Lobby || channel == history.Game21 || channel == history.RoomPrefix+p.room {
			since[channel] = seq
		}
	}
	return since
}

// forget ends the session on this side.
func (p *Player) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.session, p.token, p.room = "", "", ""
	p.at = map[string]uint64{}
}

// place gives what the player's next steps depend on.
func (p *Player) place() (session, token, room string, r round) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.session, p.token, p.room, p.round
}

// run plays until ctx ends or the crowd is told to leave.
func (p *Player) run(ctx context.Context) {
	edge := p.draw.IntN(len(p.edges))
	for ctx.Err() == nil && !done(p.crowd.leave) {
		c, err := p.connect(ctx, p.edges[edge%len(p.edges)])
		edge++ // what does not work here works elsewhere
		if err != nil {
			p.backOff(ctx)
			continue
		}
		how, entered := "", p.enter(ctx, c)
		switch {
		case entered:
			p.failures = 0
			how = p.live(ctx, c)
		case !done(c.gone):
			how = endedKill // it stands, and the hall lets nobody in by it
		}
		if p.draw.IntN(3) == 0 {
			edge++ // now and then back to the same one
		}
		reason := c.close(how)
		if p.door == lines || reason == wire.SignedInElsewhere {
			p.forget()
		}
		switch {
		case p.rival && reason == wire.SignedInElsewhere:
			// The other one may have it for a while; in the end, for good.
			if done(p.crowd.quiet) || !p.wait(ctx, time.Second+p.some(5*time.Second)) || done(p.crowd.quiet) {
				<-p.crowd.leave
			}
		case how == "" || !entered:
			p.backOff(ctx)
		}
	}
}

// backOff waits a while between two attempts, as the protocol asks for, but never for long:
// there is no crowd of others that comes back, and what is tried is the hall.
func (p *Player) backOff(ctx context.Context) {
	bound := min(500*time.Millisecond<<min(p.failures, 4), 4*time.Second)
	p.failures++
	p.wait(ctx, p.some(bound)+10*time.Millisecond)
}

// wait waits; false when there is no time left for that.
func (p *Player) wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.crowd.leave:
	case <-ctx.Done():
	}
	return false
}

// triesMost is how often a player tries to get in by one connection: an edge that cannot let
// anybody in now is left for another one.
const triesMost = 5

// enter gets a session on a new connection: the old one again, or another. It gives false
// when the connection is of no more use.
func (p *Player) enter(ctx context.Context, c *connection) bool {
	for try := 0; !done(c.gone) && try < triesMost; try++ {
		if try > 0 && !p.wait(ctx, p.some(100*time.Millisecond<<try)+20*time.Millisecond) {
			return false
		}
		if _, token, _, _ := p.place(); token != "" {
			k := c.do(ctx, wire.Command{Type: wire.Resume, Token: token, Since: p.since()})
			switch code := k.refusedBy(); {
			case !k.known:
				return false
			case code == "":
				return p.repeat(ctx, c)
			case code == fault.BadToken:
				p.forget()
			case !code.Retry():
				return false
			}
			continue
		}
		p.forget()
		if !p.registered {
			k := c.do(ctx, wire.Command{Type: wire.SignUp, Username: p.User, Password: p.password})
			switch code := k.refusedBy(); {
			case !k.known:
				return false
			case code == "", code == fault.UsernameTaken: // by ourselves, whose answer was lost, or our rival
				p.registered = true
			}
			continue
		}
		// Nobody but ourselves, our rival, or our connection that died has the session.
		k := c.do(ctx, wire.Command{Type: wire.SignIn, Username: p.User, Password: p.password, Takeover: try > 2 || p.rival && try > 0})
		switch code := k.refusedBy(); {
		case !k.known:
			return false
		case code == "":
			return p.repeat(ctx, c)
		}
	}
	return false
}

// repeatFor is for how long after the first time a command is asked again under its key, which is
// good for two minutes; one that is asked takes up to 15 s.
const repeatFor = 90 * time.Second

// repeat asks again what was never answered, under the same key.
func (p *Player) repeat(ctx context.Context, c *connection) bool {
	k := p.unheard
	p.unheard = nil
	_, _, room, _ := p.place()
	if k == nil || time.Since(p.unheardAt) > repeatFor || p.draw.IntN(10) == 0 {
		return true
	}
	if k.cmd.Type == wire.RoomSay && k.cmd.Room != room {
		return true // it would be said in another room, if it was not said yet
	}
	p.ask(ctx, c, k.cmd)
	return !done(c.gone)
}

// ask asks a command, and keeps it when its answer does not come.
func (p *Player) ask(ctx context.Context, c *connection, cmd wire.Command) *call {
	switch cmd.Type {
	case wire.Say, wire.RoomSay, wire.Whisper, wire.Game21Answer:
		if cmd.Key == "" && p.door != lines {
			p.keys++
			cmd.Key = fmt.Sprintf("%s-%s-k%d", p.crowd.cfg.Run, p.Name, p.keys)
		}
	}
	asked := time.Now()
	k := c.do(ctx, cmd)
	if cmd.Key != "" && (!k.known || retryable(k.reply)) {
		if p.unheardKey != cmd.Key {
			p.unheardKey, p.unheardAt = cmd.Key, asked
		}
		p.unheard = k
	}
	return k
}

// some is a random time below most.
func (p *Player) some(most time.Duration) time.Duration {
	return time.Duration(p.draw.Int64N(int64(most)))
}

// text is one that nobody says again.
func (p *Player) text() string {
	p.texts++
	return p.crowd.cfg.Run + "-" + p.Name + "-" + strconv.Itoa(p.texts)
}

// Way notes that a fault breaks the player's way to an edge, or that this is over: for the
// connection that stands, and for those to come.
func (p *Player) Way(edge string, broken bool) {
	p.mu.Lock()
	p.broken[edge] = broken
	p.mu.Unlock()
	p.Breaks(edge, broken)
}

// Breaks notes that a fault breaks the connection that stands, if it is to this edge.
func (p *Player) Breaks(edge string, broken bool) {
	p.mu.Lock()
	c := p.conn
	p.mu.Unlock()
	if c != nil && c.edge == edge {
		c.breaks(broken)
	}
}

// Edge is where the player's connection is; empty without one.
func (p *Player) Edge() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		return ""
	}
	return p.conn.edge
}

// positions gives how far the player has heard each channel, and when something came last.
func (p *Player) positions() (map[string]uint64, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.at), p.lastIn
}
