package load

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// reading is what is read at the begin and at the end of what counts.
type reading struct {
	at         time.Duration
	server     usage
	self       time.Duration
	machine    time.Duration
	deliveries uint64
	everyone   uint64
	lines      int
}

// ownCPU is what this process used, user and system.
func ownCPU() (time.Duration, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("own cpu: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

func (f *fleet) read(pids Processes) (r reading, err error) {
	if len(pids) > 0 {
		if r.server, err = pids.usage(); err != nil {
			return r, err
		}
	}
	if r.self, err = ownCPU(); err != nil {
		return r, err
	}
	if r.machine, err = busy(); err != nil {
		return r, err
	}
	r.at, r.deliveries, r.everyone, r.lines = f.since(), f.channel.ourTold, f.channel.everyone, f.channel.complete
	return r, nil
}

// nextMarker is one that no run has had lately, in this process or another.
func nextMarker() marker { return newMarker(uint32(time.Now().UnixNano() / int64(time.Millisecond))) }

// run measures the clients that are in. Faults are in the result; the error is of what kept it
// from measuring.
func (f *fleet) run(ctx context.Context, s *target, sp spec) (Result, error) {
	f.channel.begin(nextMarker())
	f.channel.settle()
	begin, err := f.talk(ctx, s, sp)
	if err != nil {
		return Result{}, err
	}
	end, err := f.read(s.pids)
	if err != nil {
		return Result{}, err
	}
	latency := f.channel.latency
	if err := f.drain(ctx); err != nil {
		return Result{}, err
	}
	r := Result{
		Server: s.name, Mode: sp.mode, Dialect: f.dialect, Clients: f.welcomed,
		Senders: sp.senders, Window: sp.window, Rate: sp.rate,
		P50: ms(latency.quantile(0.5)), P90: ms(latency.quantile(0.9)), P99: ms(latency.quantile(0.99)), Max: ms(latency.most),
		Faults: f.channel.faults,
	}
	f.channel.faults = Faults{}
	r.between(begin, end)
	return r, nil
}

// between fills in what two readings tell.
func (r *Result) between(begin, end reading) {
	r.Seconds = (end.at - begin.at).Seconds()
	r.Lines = end.lines - begin.lines
	r.Deliveries = end.deliveries - begin.deliveries
	server, self := end.server.cpu-begin.server.cpu, end.self-begin.self
	r.LinesPerSecond = float64(r.Lines) / r.Seconds
	r.DeliveriesPerSecond = float64(r.Deliveries) / r.Seconds
	r.ServerCores, r.GeneratorCores = server.Seconds()/r.Seconds, self.Seconds()/r.Seconds
	r.OtherCores = max(0, (end.machine-begin.machine).Seconds()/r.Seconds-r.ServerCores-r.GeneratorCores)
	if r.Deliveries > 0 {
		r.CPUPerDelivery = us(server) / float64(r.Deliveries)
		r.GeneratorCPU = us(self) / float64(r.Deliveries)
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// talk lets the senders speak and gives the reading at which what counts began.
func (f *fleet) talk(ctx context.Context, s *target, sp spec) (begin reading, err error) {
	begun, end, counting := f.since(), time.Duration(0), false
	progress, lately := 0, f.since()
	due := begun
	// On a machine that is very busy nothing may have come in time.
	for !counting || f.since() < end || f.channel.ourTold == begin.deliveries {
		now := f.since()
		if !counting && now >= begun+sp.warm && (sp.window > 0 || f.pause(due-now) || now >= begun+2*sp.warm) {
			if begin, err = f.read(s.pids); err != nil {
				return begin, err
			}
			now = f.since()
			counting, end = true, now+sp.long
			f.channel.latency = histogram{}
		}
		if sp.window > 0 {
			f.fill(sp, now)
		} else {
			for ; due <= now; due = begun + time.Duration(float64(len(f.channel.sent))/sp.rate*float64(time.Second)) {
				f.say(f.sender(sp, len(f.channel.sent)), due)
			}
			if err := f.wake(due); err != nil {
				return begin, err
			}
		}
		if err := f.poll(ctx); err != nil {
			return begin, err
		}
		if f.channel.inFlight() == 0 || f.channel.complete > progress {
			progress, lately = f.channel.complete, f.since()
		} else if f.since()-lately > stalledAfter {
			return begin, fmt.Errorf("nothing came for %s, with %d lines in flight", stalledAfter, f.channel.inFlight())
		}
	}
	return begin, nil
}

// readFor is longer than a reading of all processes takes.
const readFor = 20 * time.Millisecond

// pause tells whether the next line is so far away that a reading makes none late.
func (f *fleet) pause(next time.Duration) bool { return f.channel.inFlight() == 0 && next >= readFor }

// sender is the client that says the line with this number: they take turns, and are spread over
// all clients.
func (f *fleet) sender(sp spec, id int) int {
	return id % sp.senders * (len(f.clients) / sp.senders)
}

// say lets a client say the next line.
func (f *fleet) say(sender int, due time.Duration) {
	id := f.channel.say(int32(sender), due)
	f.send(sender, f.dialect.say(nil, f.channel.marker, id))
}

// fill says so many lines that the window is full. What one sender says at once goes out in one
// write.
func (f *fleet) fill(sp spec, now time.Duration) {
	free := sp.window - f.channel.inFlight()
	if free <= 0 {
		return
	}
	batches := make([][]byte, min(free, sp.senders))
	first := len(f.channel.sent)
	for i := range free {
		sender := f.sender(sp, first+i)
		id := f.channel.say(int32(sender), now)
		at := i % len(batches)
		batches[at] = f.dialect.say(batches[at], f.channel.marker, id)
	}
	for i, batch := range batches {
		f.send(f.sender(sp, first+i), batch)
	}
}

// After a run its lines may take so long to come, and for so long nothing may follow them.
const (
	drainWithin = 15 * time.Second
	quietFor    = 100 * time.Millisecond
)

// drain waits for what is in flight and a little longer, and counts what did not come.
func (f *fleet) drain(ctx context.Context) error {
	for begun := time.Now(); f.channel.inFlight() > 0 && time.Since(begun) < drainWithin; {
		if err := f.poll(ctx); err != nil {
			return err
		}
	}
	if err := f.quiet(ctx, quietFor, drainWithin); err != nil {
		return err
	}
	f.channel.missing()
	return nil
}
