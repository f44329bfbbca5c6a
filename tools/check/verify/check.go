package verify

import (
	"time"

	"gamehall/tools/check/history"
)

// Options are what a run must have to say anything. The zero Options ask for nothing; use
// [Standard].
type Options struct {
	MinAcked   int
	MinFaults  int
	MaxUnknown float64 // of all commands that change something
	Without    []ID    // invariants that the run was not made to try
}

// Standard is what FAULTS.md asks for.
func Standard() Options { return Options{MinAcked: 1000, MinFaults: 5, MaxUnknown: 0.2} }

// checker is one check of one history.
type checker struct {
	h        *history.History
	run      history.Run
	settings history.Settings
	report   *Report

	log      *log
	channels map[string]string // what the log calls a client's channel
	stints   []*stint
	sessions map[string]*session // by the drivers' names
	ops      []*op
	commands []*command
	keyed    map[string]*command
	byText   map[string]*command
	heard    map[string][]hearing // whispers by text
	resumes  map[*session][]*op   // of which nobody knows whether they went well
	windows  *windows
	nats     []trouble            // see ofNATSAll
	auth     []trouble            // see ofAuth
	edges    map[string][]trouble // see ofEdge
	latency  map[string][]int64
	seen     map[uint64]int64 // when a line was first seen by anybody
}

// Check looks at everything. Its error is about reading the history, never about what is in it.
func Check(h *history.History, o Options) (*Report, error) {
	c := &checker{
		h: h, run: h.Run, settings: h.Run.Settings.WithDefaults(),
		report: &Report{
			Name: h.Run.Name, Seed: h.Run.Seed, Looked: map[ID]int{}, Strictly: map[ID]int{}, start: h.Run.Start,
			Took: time.Duration(h.Run.End - h.Run.Start).Seconds(),
		},
		channels: map[string]string{}, sessions: map[string]*session{}, keyed: map[string]*command{}, byText: map[string]*command{},
		heard: map[string][]hearing{}, latency: map[string][]int64{}, seen: map[uint64]int64{},
		resumes: map[*session][]*op{}, edges: map[string][]trouble{},
	}
	c.nats, c.auth = c.ofNATSAll(), c.ofAuth()
	c.report.Counts.Faults = len(h.Run.Faults)
	c.windows = newWindows(h.Run)
	if err := c.readLog(); err != nil {
		return nil, err
	}
	for _, name := range h.Clients() {
		events, err := h.Events(name)
		if err != nil {
			return nil, err
		}
		c.client(name, events)
	}
	c.gather()
	c.checkOrder()
	c.checkStored()
	c.checkWhispers()
	c.checkSessions()
	c.checkRegister()
	c.checkAccounts()
	c.checkGame()
	c.checkOnline()
	c.checkHeartbeat()
	c.checkLiveness()
	c.checkHygiene()
	c.checkWindows()
	c.summarize()
	c.report.conclude(o)
	return c.report, nil
}

func (c *checker) violate(v Violation) { c.report.violate(v) }

// mono is t by the clock of the run.
func (c *checker) mono(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return c.run.Start + int64(t.Sub(c.run.Wall))
}

// faulty tells whether a fault that keep accepts was at work between from and to, or had been
// within the time after before that.
func (c *checker) faulty(from, to int64, after time.Duration, keep func(history.Fault) bool) bool {
	for _, f := range c.run.Faults {
		if f.From <= to && c.healed(f)+int64(after) >= from && keep(f) {
			return true
		}
	}
	return false
}
