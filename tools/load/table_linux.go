package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// Comparison is one figure of the table.
type Comparison struct {
	Column string  `json:"column"`
	Figure string  `json:"figure"`
	Unit   string  `json:"unit"`
	Base   string  `json:"base"` // the server that is 1
	Server string  `json:"server"`
	Of     float64 `json:"of"` // the base's median
	Value  float64 `json:"value"`
	Ratio  float64 `json:"ratio"` // the median of the rounds' ratios
	Must   float64 `json:"must,omitempty"`
	Aim    float64 `json:"aim,omitempty"`
	More   bool    `json:"more_is_better,omitempty"`
}

// Report is what a run of the table found.
type Report struct {
	Machine     string       `json:"machine"`
	Begun       time.Time    `json:"begun"`
	Seconds     float64      `json:"seconds"`
	Comparisons []Comparison `json:"comparisons"`
	Results     []Result     `json:"results"`
}

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

// Table measures the hall and the relays in turn, several rounds, and prints the ratios.
func Table(ctx context.Context, cfg Config, out, progress io.Writer) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	raiseFiles()
	folder, err := os.MkdirTemp(cfg.Folder, "hall-load-")
	if err != nil {
		return fmt.Errorf("a folder for the servers: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if cfg.Rounds == 0 {
		cfg.Rounds = 3
	}
	b := &bench{cfg: cfg, folder: folder, say: sayer(progress)}
	b.report.Begun, b.report.Machine = time.Now(), machine()
	failed := b.run(ctx)
	b.report.Seconds = time.Since(b.report.Begun).Seconds()
	b.say("")
	if cfg.JSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return errors.Join(failed, enc.Encode(b.report))
	}
	return errors.Join(failed, b.report.print(out))
}

func (b *bench) wanted(c column) bool {
	return len(b.cfg.Columns) == 0 || slices.Contains(b.cfg.Columns, c.Name)
}

// run starts the servers and measures the columns. The memory of connections is that of
// servers which have done nothing before; so the large crowd has servers of its own.
func (b *bench) run(ctx context.Context) error {
	var small, large []column
	most := 0
	for _, c := range columns {
		if !b.wanted(c) {
			continue
		}
		most = max(most, c.clients)
		if c.clients > 1000 {
			large = append(large, c)
		} else {
			small = append(small, c)
		}
	}
	if most == 0 {
		return nil
	}
	if err := b.accounts(ctx, most); err != nil {
		return err
	}
	return errors.Join(b.group(ctx, small), b.group(ctx, large))
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

// group measures columns with one life of each server.
func (b *bench) group(ctx context.Context, all []column) (err error) {
	if len(all) == 0 {
		return nil
	}
	names := []string{hallName}
	for _, c := range all {
		if !slices.Contains(names, c.base) {
			names = append(names, c.base)
		}
	}
	servers := map[string]*contestant{}
	defer func() {
		for _, s := range servers {
			s.fleet.close()
			err = errors.Join(err, s.stop())
		}
	}()
	for _, name := range names {
		s, err := b.start(ctx, name)
		if err != nil {
			return err
		}
		servers[name] = s
	}
	for _, c := range all {
		if err := b.column(ctx, c, servers); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return nil
}

func (b *bench) start(ctx context.Context, name string) (*contestant, error) {
	var s *target
	var err error
	if name == hallName {
		s, err = startHall(ctx, b.folder, Lines, b.cfg.Hall...)
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
	order := []*contestant{servers[c.base], servers[hallName]}
	results := map[string][]Result{}
	keep := func(r Result, err error) error {
		if err != nil {
			return err
		}
		results[r.Server] = append(results[r.Server], r)
		b.report.Results = append(b.report.Results, r)
		if err := r.Faults.Err(); err != nil {
			return fmt.Errorf("%s: %w", r.Server, err)
		}
		return nil
	}
	if c.spec.mode == Idle {
		for _, s := range order {
			if err := keep(b.idle(ctx, s, c.clients)); err != nil {
				return err
			}
		}
		b.compare(c, results)
		return nil
	}
	for _, s := range order {
		if err := b.crowd(ctx, s, c.clients); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for round := range b.cfg.Rounds {
		for _, s := range order {
			b.say("%s: round %d of %d, %s", c.Name, round+1, b.cfg.Rounds, s.name)
			if err := keep(s.fleet.run(ctx, s.target, c.spec)); err != nil {
				return err
			}
		}
	}
	b.compare(c, results)
	return nil
}

// crowd lets clients in until there are n, and waits until all are told of it.
func (b *bench) crowd(ctx context.Context, s *contestant, n int) error {
	if err := s.fleet.enter(ctx, n, entry{password: password}, func(in int) { b.say("%d of %d clients are in at the %s", in, n, s.name) }); err != nil {
		return err
	}
	return s.fleet.quiet(ctx, 500*time.Millisecond, time.Minute)
}

// firstFew are in before the memory of connections is measured, so that what a server needs for
// its first ones is not counted.
const firstFew = 500

// settleFor is how long a server may tidy up before its memory is read.
const settleFor = 5 * time.Second

// idle measures the memory of connections that say nothing.
func (b *bench) idle(ctx context.Context, s *contestant, n int) (Result, error) {
	var at [2]usage
	for i, to := range []int{firstFew, n} {
		if err := b.crowd(ctx, s, to); err != nil {
			return Result{}, err
		}
		b.say("%d clients are idle at the %s", to, s.name)
		if err := s.fleet.quiet(ctx, settleFor, time.Minute); err != nil {
			return Result{}, err
		}
		var err error
		if at[i], err = s.pids.usage(); err != nil {
			return Result{}, err
		}
	}
	r := Result{Server: s.name, Mode: Idle, Dialect: s.dialect, Clients: n, Faults: s.fleet.channel.faults}
	s.fleet.channel.faults = Faults{}
	r.RSSPerConnection = float64(at[1].rss-at[0].rss) / 1024 / float64(n-firstFew)
	return r, nil
}

func (b *bench) compare(c column, results map[string][]Result) {
	for _, f := range c.figures {
		var base, value, ratio []float64
		for i, r := range results[hallName] {
			to := f.of(results[c.base][i])
			base, value, ratio = append(base, to), append(value, f.of(r)), append(ratio, f.of(r)/to)
		}
		b.report.Comparisons = append(b.report.Comparisons, Comparison{
			Column: c.Name, Figure: f.name, Unit: f.unit, Base: c.base, Server: hallName,
			Of: median(base), Value: median(value), Ratio: median(ratio), Must: f.must, Aim: f.aim, More: f.more,
		})
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

// print prints the table for people.
func (r Report) print(out io.Writer) error {
	if _, err := fmt.Fprintf(out, "%s, %s, %.0f s\n\n", r.Machine, r.Begun.Format(time.DateOnly), r.Seconds); err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "figure\tto\tthere\thall\tratio\tmust\taim\t") // Flush tells of errors
	for _, c := range r.Comparisons {
		must, aim := "", ""
		if c.Must > 0 {
			must = fmt.Sprintf("%.2f %s", c.Must, reached(c.Ratio, c.Must, c.More))
			aim = fmt.Sprintf("%.2f %s", c.Aim, reached(c.Ratio, c.Aim, c.More))
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.2f\t%s\t%s\t\n", c.Figure, c.Base, quantity(c.Of, c.Unit), quantity(c.Value, c.Unit), c.Ratio, must, aim)
	}
	return w.Flush()
}

func reached(ratio, want float64, more bool) string {
	if ratio <= want != more || ratio == want {
		return "yes"
	}
	return "no"
}

// quantity writes a value with its unit.
func quantity(v float64, unit string) string {
	if v >= 10000 {
		return fmt.Sprintf("%.0f k%s", v/1000, unit)
	}
	return fmt.Sprintf("%.3g %s", v, unit)
}
