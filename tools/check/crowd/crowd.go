package crowd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"gamehall/tools/check/history"
)

// Config says who plays where.
type Config struct {
	Run     string // begins every text
	Seed    uint64
	Clients int
	// Edges gives a client's ways to the edges.
	Edges  func(client string) ([]Endpoint, error)
	Folder *history.Folder
	Secret string        // every password has it
	Think  time.Duration // between two commands of a player, on the average
}

// Crowd is the players of a run. It goes through four times: it is restless from [Start] on,
// after [Crowd.Calm] it only talks and plays, after [Crowd.Quiet] it asks nothing more and
// hears on, and [Crowd.Leave] ends it.
type Crowd struct {
	cfg     Config
	players []*Player
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	calm, quiet, leave chan struct{}
	hushed             atomic.Int64 // until when nobody asks anything, in nanoseconds since 1970
}

// Start lets the players in, one after the other within a second. Who called calls Leave.
func Start(ctx context.Context, cfg Config) (*Crowd, error) {
	c := &Crowd{cfg: cfg, calm: make(chan struct{}), quiet: make(chan struct{}), leave: make(chan struct{})}
	for n := range cfg.Clients {
		p, err := c.player(n)
		if err != nil {
			return nil, errors.Join(err, c.closeFiles())
		}
		c.players = append(c.players, p)
	}
	ctx, c.cancel = context.WithCancel(ctx)
	for _, p := range c.players {
		c.wg.Go(func() {
			if p.wait(ctx, p.some(time.Second)) {
				p.run(ctx)
			}
		})
	}
	return c, nil
}

// player makes the n-th player, from 0. In every eight there are one at a terminal, two
// in browsers, one who reads slowly, one who falls silent, and two who share a user.
func (c *Crowd) player(n int) (*Player, error) {
	name := fmt.Sprintf("c%03d", n+1)
	edges, err := c.cfg.Edges(name)
	if err != nil {
		return nil, err
	}
	out, err := c.cfg.Folder.Client(name)
	if err != nil {
		return nil, err
	}
	p := &Player{
		Name: name, User: fmt.Sprintf("player%03d", n+1), door: frames, edges: edges, out: out, crowd: c,
		draw: rand.New(rand.NewPCG(c.cfg.Seed, uint64(n))), //nolint:gosec // the seed is to give the same again
		at:   map[string]uint64{}, broken: map[string]bool{},
	}
	switch n % 8 {
	case 1:
		p.door = lines
	case 2:
		p.door = websocket
	case 3:
		p.habit = slowReader
	case 4:
		p.habit, p.door = silent, websocket
	case 6, 7:
		p.User, p.rival = fmt.Sprintf("rivals%03d", n/8+1), true
	}
	p.password = c.cfg.Secret + "-" + p.User
	return p, nil
}

// Players are all of them.
func (c *Crowd) Players() []*Player { return c.players }

// Calm ends what players do to make it hard: no more connections dropped, nobody silent or
// slow.
func (c *Crowd) Calm() { close(c.calm) }

// Hush has nobody begin anything for d: players hear on, and finish what they have begun.
func (c *Crowd) Hush(d time.Duration) { c.hushed.Store(time.Now().Add(d).UnixNano()) }

// hush is for how long nobody is to begin anything.
func (c *Crowd) hush() time.Duration { return time.Until(time.Unix(0, c.hushed.Load())) }

// Quiet ends the asking, and returns once every player is signed in with no command under way,
// all have heard the lobby and the game equally far, and nothing has come for settled. It fails with what is
// missing when ctx ends first.
func (c *Crowd) Quiet(ctx context.Context, settled time.Duration) error {
	close(c.quiet)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := c.settled(settled)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the clients do not come to rest: %w", err)
		}
	}
}

// settled tells what is missing.
func (c *Crowd) settled(within time.Duration) error {
	var lobby uint64
	seen := map[string]bool{} // users: of rivals only one has the session
	for _, p := range c.players {
		p.mu.Lock()
		ready, door := p.ready, p.door
		p.mu.Unlock()
		at, last := p.positions()
		switch {
		case time.Since(last) < within:
			return fmt.Errorf("%s still hears something", p.Name)
		case !ready && !p.rival:
			return fmt.Errorf("%s has no session", p.Name)
		case !ready || door == lines:
			seen[p.User] = seen[p.User] || ready
			continue
		case lobby == 0:
			lobby = at["lobby"]
		case lobby != at["lobby"]:
			return fmt.Errorf("%s has heard the lobby up to %d, another one up to %d", p.Name, at["lobby"], lobby)
		}
		seen[p.User] = true
	}
	for _, p := range c.players {
		if !seen[p.User] {
			return fmt.Errorf("nobody has the session of %s", p.User)
		}
	}
	return nil
}

// Final writes down which connections stand in the end.
func (c *Crowd) Final() {
	for _, p := range c.players {
		p.mu.Lock()
		conn, ready := p.conn, p.ready
		p.mu.Unlock()
		if conn != nil && ready && !done(conn.gone) {
			conn.write(history.Event{Type: history.Final})
		}
	}
}

// Leave ends all connections and closes the histories. It tells the first error of writing
// them.
func (c *Crowd) Leave() error {
	if !done(c.leave) {
		close(c.leave)
	}
	// Who waits for an answer waits no longer.
	c.cancel()
	c.wg.Wait()
	return c.closeFiles()
}

func (c *Crowd) closeFiles() error {
	var errs []error
	for _, p := range c.players {
		errs = append(errs, p.out.Close())
	}
	return errors.Join(errs...)
}

// Secrets are the tokens that the players had, and their passwords: no log may have them.
func (c *Crowd) Secrets() []string {
	all := map[string]bool{}
	for _, p := range c.players {
		all[p.password] = true
		p.mu.Lock()
		for _, t := range p.tokens {
			all[t] = true
		}
		p.mu.Unlock()
	}
	list := make([]string, 0, len(all))
	for s := range maps.Keys(all) {
		list = append(list, s)
	}
	return list
}
