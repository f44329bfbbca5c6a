package load

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Config is what to measure. Counts and times of 0 are the mode's own.
type Config struct {
	Mode Mode

	Server  string   // which server to start: hall, relay, hops or limit; empty is the hall
	Address string   // of a server that runs, in place of one that is started
	PIDs    []int    // the processes of that one; their CPU and memory, and their children's, are read
	Hall    []string // more flags for the hall that is started

	Dialect Dialect // of a hall; the relays have their own
	Clients int
	Senders int
	Window  int     // lines in flight in all
	Rate    float64 // lines a second in all, in place of a window
	Warm    time.Duration
	For     time.Duration
	AtOnce  int  // clients that get in side by side
	Token   bool // Connect by token
	SignUp  bool // make the accounts first; a hall that is started has none

	Rounds  int      // of the table
	Columns []string // of the table; empty is all
	Against string   // a file of ratios: the table fails when one is twice as bad
	Record  string   // a file to write the ratios to

	JSON bool
}

// Check tells what cannot be measured.
func (c Config) Check() error {
	if !slices.Contains([]Mode{FanOut, Latency, Idle, Connect, Storm, Durable, Ratios}, c.Mode) {
		return fmt.Errorf("%q is none of ratios, fan-out, latency, durable, idle, connect and storm", c.Mode)
	}
	if !slices.Contains([]string{"", hallName, relayName, hopsName, limitName}, c.Server) {
		return fmt.Errorf("--server %s: it can be hall, relay, hops or limit", c.Server)
	}
	if !slices.Contains([]Dialect{"", Lines, Frames, WebSocket}, c.Dialect) {
		return fmt.Errorf("--dialect %s: it can be lines, frames or ws", c.Dialect)
	}
	for _, name := range c.Columns {
		if !slices.ContainsFunc(columns, func(col column) bool { return col.name == name }) {
			return fmt.Errorf("--column %s: there are %s", name, ColumnNames())
		}
	}
	switch {
	case c.Clients < 0 || c.Clients > clientsMost:
		return fmt.Errorf("--clients %d: it can be 1 to %d", c.Clients, clientsMost)
	case c.Senders < 0, c.Window < 0, c.Rate < 0, c.Warm < 0, c.For < 0, c.Rounds < 0, c.AtOnce < 0:
		return errors.New("counts and times are not negative")
	case c.Window > 0 && c.Rate > 0:
		return errors.New("--window and --rate: it is a closed loop or an open one")
	case c.Mode == Ratios && c.Address != "":
		return errors.New("ratios are of servers that are started in turn: leave --tcp out, or measure one mode")
	case len(c.PIDs) > 0 && c.Address == "":
		return errors.New("--pid is of a server that runs: say where, with --tcp")
	case (c.Server != "" && c.Server != hallName) && (c.Mode == Connect || c.Mode == Storm || c.Dialect != ""):
		return fmt.Errorf("--server %s: a relay knows no sign-in and no dialects", c.Server)
	}
	return nil
}

// clientsMost is what the loopback's source addresses and the ports of each are enough for.
const clientsMost = 200_000

// ColumnNames are the names of the table's columns.
func ColumnNames() []string {
	var names []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	return names
}

// spec gives the specification of what a mode measures: the table's own where cfg says nothing.
func (c Config) spec() (s spec, clients int) {
	clients = 1000
	switch c.Mode {
	case Latency, Storm:
		s = spec{senders: fanSenders, rate: 20}
	case Durable:
		s, clients = spec{senders: durableSenders, window: 2 * durableSenders}, durableSenders
	case Idle:
		clients = 5000
	default:
		s = spec{senders: fanSenders, window: fanWindow}
	}
	if c.Clients > 0 {
		clients = c.Clients
	}
	if c.Senders > 0 {
		s.senders = c.Senders
	}
	s.senders = min(s.senders, clients)
	if c.Window > 0 {
		s.window, s.rate = c.Window, 0
	}
	if c.Rate > 0 {
		s.window, s.rate = 0, c.Rate
	}
	s.mode, s.warm, s.long = c.Mode, time.Second, 5*time.Second
	if c.Warm > 0 {
		s.warm = c.Warm
	}
	if c.For > 0 {
		s.long = c.For
	}
	return s, clients
}
