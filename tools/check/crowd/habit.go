package crowd

import (
	"context"
	"strconv"
	"time"

	"gamehall/shared/fault"
	"gamehall/shared/wire"
)

// habit is what a player does beside what all do.
type habit int

const (
	plain habit = iota
	slowReader
	silent
)

// step is something that a player may do next, more often the more it weighs.
type step struct {
	weight int
	do     func(context.Context, *Player, *connection) (how string)
}

// asks makes a step of a command.
func asks(weight int, cmd func(*Player) wire.Command) step {
	return step{weight, func(ctx context.Context, p *Player, c *connection) string {
		if k := p.ask(ctx, c, cmd(p)); k.refusedBy() == fault.NotSignedIn {
			p.forget() // the session is over, and nobody said so
			return endedQuit
		}
		return ""
	}}
}

func plainly(kind string) func(*Player) wire.Command {
	return func(*Player) wire.Command { return wire.Command{Type: kind} }
}

// The steps of all, by what they need.
var (
	always = []step{
		asks(30, func(p *Player) wire.Command { return wire.Command{Type: wire.Say, Text: p.text()} }),
		asks(8, func(p *Player) wire.Command {
			return wire.Command{Type: wire.Whisper, To: p.somebody(), Text: p.text()}
		}),
		asks(3, plainly(wire.OnlineTime)),
		asks(1, plainly(wire.Ping)),
	}
	programs = []step{
		asks(2, plainly(wire.Who)),
		asks(1, plainly(wire.RoomList)),
		asks(1, plainly(wire.Game21Status)),
		asks(1, plainly(wire.Game21Scores)),
		asks(2, func(p *Player) wire.Command {
			channels := []string{"", "lobby", "game21"}
			return wire.Command{Type: wire.History, Channel: channels[p.draw.IntN(len(channels))], Limit: 1 + p.draw.IntN(30)}
		}),
	}
	outside = []step{
		asks(2, func(p *Player) wire.Command {
			return wire.Command{Type: wire.RoomCreate, Room: p.someRoom(), Max: p.someMax()}
		}),
		asks(6, func(p *Player) wire.Command { return wire.Command{Type: wire.RoomJoin, Room: p.someRoom()} }),
		asks(1, func(p *Player) wire.Command { return wire.Command{Type: wire.RoomSay, Text: p.text()} }), // refused
	}
	inside = []step{
		asks(16, func(p *Player) wire.Command {
			_, _, room, _ := p.place()
			return wire.Command{Type: wire.RoomSay, Text: p.text(), Room: room}
		}),
		asks(2, plainly(wire.RoomQuit)),
		asks(1, func(p *Player) wire.Command { return wire.Command{Type: wire.RoomJoin, Room: p.someRoom()} }), // refused
	}
	insidePrograms = []step{asks(1, plainly(wire.RoomMembers))}
	playing        = []step{
		asks(12, func(p *Player) wire.Command {
			_, _, _, r := p.place()
			return wire.Command{Type: wire.Game21Answer, Expression: expression(p.draw, r.numbers)}
		}),
	}
	idling = []step{
		asks(1, func(*Player) wire.Command { return wire.Command{Type: wire.Game21Answer, Expression: "1+2+3+4"} }), // refused
	}

	// restless is what is done only while faults are injected.
	restless = []step{
		{2, func(context.Context, *Player, *connection) string { return endedKill }},
		{1, func(ctx context.Context, p *Player, c *connection) string {
			k := p.ask(ctx, c, wire.Command{Type: wire.SignOut})
			if !k.known || k.reply.Err != nil {
				return ""
			}
			p.forget()
			p.wait(ctx, p.some(2*time.Second))
			if p.draw.IntN(2) == 0 && p.enter(ctx, c) { // another session on the same connection
				return ""
			}
			return endedQuit
		}},
	}
	pauses = step{4, func(ctx context.Context, p *Player, c *connection) string {
		unpause := c.pause()
		p.wait(ctx, time.Second+p.some(7*time.Second))
		unpause()
		return ""
	}}
	silence = step{1, func(ctx context.Context, p *Player, c *connection) string {
		p.silences++
		c.mute()
		select {
		case <-c.gone:
		case <-p.crowd.calm: // there is no time left for that
			return endedKill
		case <-ctx.Done():
		}
		return ""
	}}
)

// live does one thing after the other until the connection ends or the player ends it: then
// it says how.
func (p *Player) live(ctx context.Context, c *connection) string {
	for {
		if done(p.crowd.quiet) {
			return p.rest(ctx, c)
		}
		if !p.think(ctx, c) {
			if done(c.gone) || ctx.Err() != nil {
				return ""
			}
			continue
		}
		if how := p.next().do(ctx, p, c); how != "" {
			return how
		}
		if done(c.gone) {
			return ""
		}
		if session, _, _, _ := p.place(); session == "" && !p.enter(ctx, c) {
			return endedKill
		}
	}
}

// think waits before the next step; false when something happened that comes first.
func (p *Player) think(ctx context.Context, c *connection) bool {
	d := time.Duration(p.draw.ExpFloat64() * float64(p.crowd.cfg.Think))
	t := time.NewTimer(min(d, 4*p.crowd.cfg.Think))
	defer t.Stop()
	select {
	case <-t.C:
		if more := p.crowd.hush(); more > 0 {
			return p.hushed(ctx, c, more)
		}
		return true
	case <-c.gone:
	case <-p.crowd.quiet:
	case <-ctx.Done():
	}
	return false
}

// hushed waits for the end of a hush, and a moment more, for not all are to speak at once.
func (p *Player) hushed(ctx context.Context, c *connection, d time.Duration) bool {
	t := time.NewTimer(d + p.some(time.Second))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.gone:
	case <-p.crowd.quiet:
	case <-ctx.Done():
	}
	return false
}

// rest keeps the session and hears on, until the crowd leaves.
func (p *Player) rest(ctx context.Context, c *connection) string {
	p.mu.Lock()
	p.ready = true
	p.mu.Unlock()
	select {
	case <-p.crowd.leave:
		return endedQuit
	case <-c.gone:
	case <-ctx.Done():
	}
	return ""
}

// next draws the next step.
func (p *Player) next() step {
	steps := append([]step(nil), always...)
	program := p.door != lines
	if p.habit == silent && p.silences == 0 && p.texts > 2 && !done(p.crowd.calm) {
		return silence // early, for it takes half a minute
	}
	if program {
		steps = append(steps, programs...)
	}
	_, _, room, r := p.place()
	if room == "" {
		steps = append(steps, outside...)
	} else {
		steps = append(steps, inside...)
		if program {
			steps = append(steps, insidePrograms...)
		}
	}
	if r.number > 0 && !r.done {
		steps = append(steps, playing...)
	} else {
		steps = append(steps, idling...)
	}
	if !done(p.crowd.calm) {
		steps = append(steps, restless...)
		switch p.habit {
		case slowReader:
			steps = append(steps, pauses)
		case silent:
			if program {
				steps = append(steps, silence)
			}
		}
	}
	total := 0
	for _, s := range steps {
		total += s.weight
	}
	at := p.draw.IntN(total)
	for _, s := range steps {
		if at -= s.weight; at < 0 {
			return s
		}
	}
	return steps[0]
}

// somebody is whom to whisper to: now and then somebody who does not exist.
func (p *Player) somebody() string {
	others := p.crowd.players
	if i := p.draw.IntN(len(others) + 1); i < len(others) && others[i].User != p.User {
		return others[i].User
	}
	return "nobody"
}

// rooms are few, so that players meet.
const rooms = 5

// someRoom is one of those, or now and then a room of the player's own, which is soon gone again.
func (p *Player) someRoom() string {
	if n := p.draw.IntN(2 * rooms); n < 2*rooms-1 {
		return "Den " + strconv.Itoa(1+n%rooms)
	}
	return "Hut " + p.Name + " " + strconv.Itoa(p.texts)
}

func (p *Player) someMax() int {
	if p.door == lines || p.draw.IntN(4) > 0 {
		return 0
	}
	return 2 + p.draw.IntN(3)
}
