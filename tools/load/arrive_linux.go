package load

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// After clients got in, so long nothing may come, and so long it may take.
const (
	toldFor    = 500 * time.Millisecond
	toldWithin = 2 * time.Minute
)

// arrive lets clients in until there are n, waits until all were told of it, and measures both.
func (f *fleet) arrive(ctx context.Context, s *target, n int, how entry, told func(int)) (Result, error) {
	from := len(f.clients)
	f.retries = 0
	begin, err := f.read(s.pids)
	if err != nil {
		return Result{}, err
	}
	if from == 0 {
		// The first one hears of all others, and so gives their order.
		if err := f.enter(ctx, 1, how, told); err != nil {
			return Result{}, err
		}
		f.channel.settle()
	}
	if err := f.enter(ctx, n, how, told); err != nil {
		return Result{}, err
	}
	allIn := f.since()
	if err := f.quiet(ctx, toldFor, toldWithin); err != nil {
		return Result{}, err
	}
	f.channel.settle()
	end, err := f.read(s.pids)
	if err != nil {
		return Result{}, err
	}
	if n := len(f.waiting); n > 0 {
		f.channel.faults.Lost += n
		f.channel.faults.add("%d clients were told lines that the first one was not", n)
	}
	f.judgeArrivals()
	r := Result{Server: s.name, Mode: Connect, Dialect: f.dialect, Clients: n, Entries: n - from}
	r.between(begin, end)
	r.Seconds = (max(f.channel.lastTold, allIn) - begin.at).Seconds()
	r.AllIn, r.AllTold = (allIn - begin.at).Seconds(), r.Seconds
	r.ToldOfOthers = end.everyone - begin.everyone
	r.perEntry(begin, end)
	r.Retries = f.retries
	r.Faults, f.channel.faults = f.channel.faults, Faults{}
	return r, nil
}

// perEntry fills in what one client's getting in costs.
func (r *Result) perEntry(begin, end reading) {
	if r.Entries > 0 {
		r.PerSecond = float64(r.Entries) / r.AllIn
		r.CPUPerEntry = us(end.server.cpu-begin.server.cpu) / float64(r.Entries)
	}
}

// judgeArrivals looks whether everybody was told of all who came after it, and of nobody else.
func (f *fleet) judgeArrivals() {
	users := make([]string, len(f.clients))
	for i, c := range f.clients {
		users[i] = c.user
	}
	f.channel.arrived(users)
	f.channel.missing()
}

// again lets all clients lose their connections at once and come back, one pass after the other
// for so long. Those who have a token resume: nobody is told of it, so this is what a sign-in by
// token costs, and the loss of the connection before it.
func (f *fleet) again(ctx context.Context, s *target, atOnce int, long time.Duration, told func(int)) (Result, error) {
	which := make([]int, len(f.clients))
	for i := range which {
		which[i] = i
	}
	if !f.dialect.objects() {
		return Result{}, errors.New("tokens are for frames and ws")
	}
	f.retries = 0
	begin, err := f.read(s.pids)
	if err != nil {
		return Result{}, err
	}
	entries := 0
	for f.since()-begin.at < long {
		// In turn, not all first: what a server does at a mass loss is the storm's to show.
		if err := f.getIn(ctx, which, entry{password: password, resume: true, atOnce: atOnce}, told); err != nil {
			return Result{}, err
		}
		entries += len(which)
	}
	end, err := f.read(s.pids)
	if err != nil {
		return Result{}, err
	}
	if err := f.quiet(ctx, quietFor, drainWithin); err != nil {
		return Result{}, err
	}
	f.channel.missing()
	r := Result{Server: s.name, Mode: Connect, Dialect: f.dialect, Clients: len(f.clients), Entries: entries}
	r.between(begin, end)
	r.AllIn = r.Seconds
	r.perEntry(begin, end)
	r.Retries = f.retries
	r.Faults, f.channel.faults = f.channel.faults, Faults{}
	return r, nil
}

// storm lets all clients but a few lose their connections at once, and come back. Those few go on
// talking, and are told by others too; so what was missed is checked, and how long those who
// stayed waited.
func (f *fleet) storm(ctx context.Context, s *target, sp spec, atOnce int, told func(int)) (Result, error) {
	f.channel.begin(nextMarker())
	f.channel.settle()
	if !f.dialect.objects() {
		return Result{}, errors.New("a storm is of clients that resume: of frames or ws")
	}
	stay := len(f.clients) / 10
	if stay < sp.senders {
		return Result{}, fmt.Errorf("a storm of %d clients leaves %d, and %d shall talk", len(f.clients), stay, sp.senders)
	}
	var which []int
	for i := stay; i < len(f.clients); i++ {
		which = append(which, i)
	}
	f.retries = 0
	begin, err := f.read(s.pids)
	if err != nil {
		return Result{}, err
	}
	for _, i := range which {
		f.hangUp(i)
	}
	f.channel.timed = stay
	defer func() { f.channel.timed = 0 }()
	due := begin.at
	f.onPoll = func() error {
		for now := f.since(); due <= now; due += time.Duration(float64(time.Second) / sp.rate) {
			f.say(len(f.channel.sent)%sp.senders, due)
		}
		return f.wake(due)
	}
	err = f.getIn(ctx, which, entry{password: password, resume: true, atOnce: atOnce}, told)
	f.onPoll = nil
	if err != nil {
		return Result{}, err
	}
	end, err := f.read(s.pids)
	if err != nil {
		return Result{}, err
	}
	if err := f.drain(ctx); err != nil {
		return Result{}, err
	}
	latency := &f.channel.latency
	r := Result{
		Server: s.name, Mode: Storm, Dialect: f.dialect, Clients: len(f.clients), Entries: len(which), Senders: sp.senders, Rate: sp.rate,
		P50: ms(latency.quantile(0.5)), P90: ms(latency.quantile(0.9)), P99: ms(latency.quantile(0.99)), Max: ms(latency.most),
	}
	r.between(begin, end)
	r.AllIn = r.Seconds
	r.perEntry(begin, end)
	r.Retries = f.retries
	r.Faults, f.channel.faults = f.channel.faults, Faults{}
	return r, nil
}
