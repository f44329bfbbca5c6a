package load

import "time"

// Config is what to measure. The zero values of times and counts are the mode's own.
type Config struct {
	Server  string   // which server to start: hall, relay, hops or limit; empty with Address
	Address string   // of a server that runs
	PIDs    []int    // its processes, whose CPU and memory are summed with their children's
	Folder  string   // of what is started; a temporary one without it
	Hall    []string // more flags for the hall that is started

	Mode    Mode
	Dialect Dialect
	Clients int
	Senders int
	Window  int
	Rate    float64
	Warm    time.Duration
	For     time.Duration
	SignUp  bool // make the accounts first

	Rounds  int
	Columns []string

	JSON bool
}
