package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// contestant is a server of the table and its clients.
type contestant struct {
	*target
	fleet *fleet
}

// bench runs the table.
type bench struct {
	cfg    Config
	folder string
	say    func(format string, args ...any)
	report Report
}

// end closes the clients' connections and stops the server.
func (c *contestant) end() error {
	c.fleet.close()
	return c.stop()
}

// roundsOf is how many rounds the table has of each column.
const roundsOf = 3

// table measures the hall and the relays in turn, and prints the ratios.
func (b *bench) table(ctx context.Context, out io.Writer) error {
	if b.cfg.Rounds == 0 {
		b.cfg.Rounds = roundsOf
	}
	b.report.Begun, b.report.Machine = time.Now(), machine()
	failed := b.lives(ctx)
	b.report.Seconds = time.Since(b.report.Begun).Seconds()
	b.say("")
	if failed == nil && b.cfg.Record != "" {
		failed = b.report.record(b.cfg.Record)
	}
	if failed == nil && b.cfg.Against != "" {
		failed = b.report.against(b.cfg.Against)
	}
	if b.cfg.JSON {
		return errors.Join(failed, printJSON(out, b.report))
	}
	return errors.Join(failed, b.report.write(out))
}

// lives measures the columns that are wanted, those of one life of the servers after the other's:
// the memory of connections is that of servers which have done nothing before.
func (b *bench) lives(ctx context.Context) error {
	all := map[int][]column{}
	last, most := 0, 0
	for _, c := range columns {
		if len(b.cfg.Columns) > 0 && !slices.Contains(b.cfg.Columns, c.name) {
			continue
		}
		if b.cfg.For > 0 {
			c.spec.long = b.cfg.For
		}
		if b.cfg.Clients > 0 {
			c.clients = min(c.clients, b.cfg.Clients)
		}
		all[c.life] = append(all[c.life], c)
		last, most = max(last, c.life), max(most, c.clients)
	}
	if err := b.accounts(ctx, most); err != nil {
		return err
	}
	for life := range last + 1 {
		if err := b.life(ctx, all[life]); err != nil {
			return err
		}
	}
	return nil
}

// accounts makes them in a life of the hall before those that are measured.
func (b *bench) accounts(ctx context.Context, n int) error {
	hall, err := startHall(ctx, b.folder, Lines, b.cfg.Hall...)
	if err != nil {
		return err
	}
	err = makeAccounts(ctx, hall, n, func(done int) { b.say("%d of %d accounts", done, n) })
	return errors.Join(err, hall.stop())
}

// life measures columns with one life of each server.
func (b *bench) life(ctx context.Context, all []column) (err error) {
	servers := map[string]*contestant{}
	defer func() {
		for _, s := range servers {
			err = errors.Join(err, s.end())
		}
	}()
	for _, c := range all {
		for _, name := range []string{c.base, hallName} {
			if name == "" || servers[name] != nil {
				continue
			}
			s, err := b.start(ctx, name, c.dialect)
			if err != nil {
				return err
			}
			servers[name] = s
		}
	}
	for _, c := range all {
		if err := b.column(ctx, c, servers); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// start starts a server of this name, without clients.
func (b *bench) start(ctx context.Context, name string, d Dialect) (*contestant, error) {
	var s *target
	var err error
	if name == hallName {
		s, err = startHall(ctx, b.folder, d, b.cfg.Hall...)
	} else {
		s, err = startRelay(ctx, name, b.folder)
	}
	if err != nil {
		return nil, err
	}
	f, err := newFleet(s.address, s.dialect, newMarker(0))
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return &contestant{s, f}, nil
}

// column measures one column in rounds: the base, the hall, the base, and so on.
func (b *bench) column(ctx context.Context, c column, servers map[string]*contestant) error {
	order := []*contestant{servers[hallName]}
	if c.base != "" {
		order = []*contestant{servers[c.base], servers[hallName]}
	}
	rounds := b.cfg.Rounds
	if c.spec.mode == Idle {
		rounds = 1 // a process begins once
	} else {
		for _, s := range order {
			if err := b.crowd(ctx, s, c.clients); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	results := map[string][]Result{}
	for round := range rounds {
		for _, s := range order {
			b.say("%s: round %d of %d, %s", c.name, round+1, rounds, s.name)
			r, err := b.once(ctx, c, s)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			r.Column = c.name
			results[s.name] = append(results[s.name], r)
			b.report.Results = append(b.report.Results, r)
			if err := r.Faults.Err(); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	b.compare(c, results)
	return nil
}

// once measures a column once.
func (b *bench) once(ctx context.Context, c column, s *contestant) (Result, error) {
	switch c.spec.mode {
	case Idle:
		return b.idle(ctx, s, c.clients)
	case Connect:
		return s.fleet.again(ctx, s.target, b.cfg.AtOnce, c.spec.long, func(int) {})
	default:
		return s.fleet.run(ctx, s.target, c.spec)
	}
}

// crowd lets clients in until there are n, and waits until all are told of it.
func (b *bench) crowd(ctx context.Context, s *contestant, n int) error {
	_, err := b.arrive(ctx, s, n)
	return err
}

func (b *bench) arrive(ctx context.Context, s *contestant, n int) (Result, error) {
	how := entry{password: password, atOnce: b.cfg.AtOnce}
	r, err := s.fleet.arrive(ctx, s.target, n, how, func(in int) { b.say("%d of %d clients are in at the %s", in, n, s.name) })
	return r, errors.Join(err, r.Faults.Err())
}

// firstFew are in before the memory of connections is measured, so that what a server needs for
// its first ones is not counted.
const firstFew = 500

// settleFor is how long a server may tidy up before its memory is read: NATS keeps what was
// written to a stream for 10 s in memory.
const settleFor = 20 * time.Second

// idle measures the memory of connections that say nothing, and how they came.
func (b *bench) idle(ctx context.Context, s *contestant, n int) (r Result, err error) {
	few := min(firstFew, n/2)
	var before, after usage
	first, err := b.settled(ctx, s, few, &before)
	if err != nil {
		return r, err
	}
	if r, err = b.settled(ctx, s, n, &after); err != nil {
		return r, err
	}
	r.Mode = Idle
	r.RSSPerConnection = float64(after.rss-before.rss) / 1024 / float64(n-few)
	r.AllTold += first.AllTold
	r.ToldOfOthers += first.ToldOfOthers
	r.Beyond = max(0, r.AllTold-float64(n)/first.PerSecond)
	return r, nil
}

// settled lets clients in until there are n, and reads what the server uses once it had time to
// tidy up.
func (b *bench) settled(ctx context.Context, s *contestant, n int, uses *usage) (Result, error) {
	r, err := b.arrive(ctx, s, n)
	if err != nil {
		return r, err
	}
	b.say("%d clients are idle at the %s", n, s.name)
	if err := s.fleet.quiet(ctx, settleFor, toldWithin); err != nil {
		return r, err
	}
	*uses, err = s.pids.usage()
	return r, err
}

// compare makes the rows of a column.
func (b *bench) compare(c column, results map[string][]Result) {
	for _, f := range c.figures {
		var base, value, ratios []float64
		for i, r := range results[hallName] {
			value = append(value, f.of(r))
			if c.base != "" {
				to := f.of(results[c.base][i])
				base = append(base, to)
				if to > 0 {
					ratios = append(ratios, f.of(r)/to)
				}
			}
		}
		best := value
		if c.base != "" {
			best = ratios
		}
		b.report.Comparisons = append(b.report.Comparisons, Comparison{
			Column: c.name, Key: f.key, Figure: strings.ReplaceAll(f.name, "{clients}", strconv.Itoa(c.clients)), Unit: f.unit, Base: c.base,
			Of: median(base), Value: median(value), Ratio: median(ratios), Best: bestOf(best, f.more), Must: f.must, Aim: f.aim, Want: f.want, More: f.more,
		})
	}
}

// bestOf is the best of values, 0 of none.
func bestOf(values []float64, more bool) float64 {
	switch {
	case len(values) == 0:
		return 0
	case more:
		return slices.Max(values)
	default:
		return slices.Min(values)
	}
}

// median is the middle one of values, or between the two in the middle; 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}
