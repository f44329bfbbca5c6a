package load

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"text/tabwriter"
)

// Run measures what cfg asks for and prints it to out. On a terminal, progress is told how far
// it is. It fails when the server was not exact, whatever else it found.
func Run(ctx context.Context, cfg Config, out, progress io.Writer) (err error) {
	if err := cfg.Check(); err != nil {
		return err
	}
	runtime.LockOSThread() // the generator is one thread, and stays where it is
	defer runtime.UnlockOSThread()
	raiseFiles()
	folder, err := os.MkdirTemp("", "hall-load-")
	if err != nil {
		return fmt.Errorf("a folder for the servers: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	b := &bench{cfg: cfg, folder: folder, say: sayer(progress)}
	if cfg.Mode == Ratios {
		return b.table(ctx, out)
	}
	r, err := b.single(ctx)
	b.say("")
	if err != nil {
		return err
	}
	if cfg.JSON {
		err = printJSON(out, r)
	} else {
		err = r.write(out)
	}
	return errors.Join(err, r.Faults.Err())
}

// single measures one mode of one server.
func (b *bench) single(ctx context.Context) (r Result, err error) {
	sp, clients := b.cfg.spec()
	d := b.cfg.Dialect
	if d == "" {
		d = Lines
		if b.cfg.Mode == Storm || b.cfg.Token {
			d = Frames
		}
	}
	s, err := b.target(ctx, d, clients)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	told := func(in int) { b.say("%d of %d clients are in", in, clients) }
	how := entry{password: password, atOnce: b.cfg.AtOnce}
	switch {
	case b.cfg.Mode == Idle:
		return b.idle(ctx, s, clients)
	case b.cfg.Mode == Connect && !b.cfg.Token:
		return s.fleet.arrive(ctx, s.target, clients, how, told)
	}
	if r, err = s.fleet.arrive(ctx, s.target, clients, how, told); err != nil {
		return r, err
	}
	if err := r.Faults.Err(); err != nil {
		return r, err
	}
	b.say("%s: %d clients, %s", b.cfg.Mode, clients, sp.warm+sp.long)
	silent := func(int) {}
	switch b.cfg.Mode {
	case Connect:
		return s.fleet.again(ctx, s.target, b.cfg.AtOnce, sp.long, silent)
	case Storm:
		return s.fleet.storm(ctx, s.target, sp, b.cfg.AtOnce, silent)
	default:
		return s.fleet.run(ctx, s.target, sp)
	}
}

// target finds the server, or starts one.
func (b *bench) target(ctx context.Context, d Dialect, clients int) (*contestant, error) {
	if b.cfg.Address == "" {
		name := cmp.Or(b.cfg.Server, hallName)
		if name == hallName {
			if err := b.accounts(ctx, clients); err != nil {
				return nil, err
			}
		}
		return b.start(ctx, name, d)
	}
	s := &target{name: hallName, address: b.cfg.Address, dialect: d, pids: b.cfg.PIDs, stop: func() error { return nil }}
	if b.cfg.Server != "" && b.cfg.Server != hallName {
		s.name, s.dialect = b.cfg.Server, Bare
	}
	if b.cfg.SignUp {
		if err := makeAccounts(ctx, s, clients, func(done int) { b.say("%d of %d accounts", done, clients) }); err != nil {
			return nil, err
		}
	}
	f, err := newFleet(s.address, s.dialect, newMarker(0))
	if err != nil {
		return nil, err
	}
	return &contestant{s, f}, nil
}

func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// write prints what one measurement found, for people.
func (r Result) write(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(w, name+"\t"+format+"\n", args...) // Flush tells of errors
	}
	row("measured", "%s of the %s: %d clients (%s), %.1f s", r.Mode, r.Server, r.Clients, r.Dialect, r.Seconds)
	if r.Window > 0 {
		row("", "%d senders, %d lines in flight", r.Senders, r.Window)
	}
	if r.Rate > 0 {
		row("", "%d senders, %g lines/s", r.Senders, r.Rate)
	}
	if r.Entries > 0 {
		row("clients that got in", "%d, %.0f/s, %.0f µs of CPU each, %d asked again", r.Entries, r.PerSecond, r.CPUPerEntry, r.Retries)
	}
	if r.AllTold > 0 {
		row("all in, all told", "%.2f s, %.2f s, %d deliveries", r.AllIn, r.AllTold, r.ToldOfOthers)
	}
	if r.Deliveries > 0 {
		row("lines", "%d, %.0f/s", r.Lines, r.LinesPerSecond)
		row("deliveries", "%d, %.0f/s", r.Deliveries, r.DeliveriesPerSecond)
		row("CPU per delivery", "%.3f µs, and %.3f µs of the generator", r.CPUPerDelivery, r.GeneratorCPU)
		row("latency", "p50 %.2f ms, p90 %.2f ms, p99 %.2f ms, most %.2f ms", r.P50, r.P90, r.P99, r.Max)
	}
	if r.RSSPerConnection > 0 {
		row("memory of a connection", "%.2f KiB", r.RSSPerConnection)
	}
	if r.Seconds > 0 {
		row("processors used", "server %.2f, generator %.2f, others %.2f", r.ServerCores, r.GeneratorCores, r.OtherCores)
	}
	if r.Faults.Err() == nil {
		row("exact", "nothing lost, doubled or reordered")
	}
	return w.Flush()
}
