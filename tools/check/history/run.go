package history

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Run is what is known of a run beside what its clients saw.
type Run struct {
	Name string `json:"name"` // begins every text
	Seed uint64 `json:"seed"`

	Wall   time.Time `json:"wall"`   // the wall clock at Start
	Start  int64     `json:"start"`  // [Now] when the drivers began
	Healed int64     `json:"healed"` // when the last fault was healed and its process back
	Quiet  int64     `json:"quiet"`  // when the drivers stopped asking for changes
	End    int64     `json:"end"`    // when the drivers had read everything

	Settings Settings  `json:"settings"`
	Faults   []Fault   `json:"faults"`
	Exits    []Exit    `json:"exits,omitzero"`
	Samples  []Sample  `json:"samples,omitzero"`
	Findings []Finding `json:"findings,omitzero"`
	Whispers []Carried `json:"whispers,omitzero"`
	Nodes    []string  `json:"nodes"`            // whose streams were read: stream-<node>.jsonl
	Scanned  []string  `json:"scanned,omitzero"` // the logs that were searched for findings
}

// Settings are the hall's, as it was started. A zero Duration takes DESIGN.md's value.
type Settings struct {
	Edges    []string `json:"edges"`
	Replicas int      `json:"replicas"` // of the streams
	Copies   int      `json:"copies"`   // of each service

	RoundPeriod   Duration `json:"round_period,omitzero"`   // 0: no rounds
	RoundDuration Duration `json:"round_duration,omitzero"` // 0: no rounds
	Lease         Duration `json:"lease,omitzero"`          // 30 s: an edge without a renewal is dead
	Renew         Duration `json:"renew,omitzero"`          // 5 s: how often it renews
	Fence         Duration `json:"fence,omitzero"`          // 20 s: an edge without a confirmed renewal lets go
	ResumeFor     Duration `json:"resume_for,omitzero"`     // 30 s
	Silence       Duration `json:"silence,omitzero"`        // 30 s: a silent program is closed then …
	SilenceMost   Duration `json:"silence_most,omitzero"`   // 33 s: … and no later
	Reap          Duration `json:"reap,omitzero"`           // 35 s: the users of a dead edge are offline
	EmptyRoom     Duration `json:"empty_room,omitzero"`     // 60 s
}

// WithDefaults fills in what is DESIGN.md's.
func (s Settings) WithDefaults() Settings {
	def := func(d *Duration, v time.Duration) {
		if *d == 0 {
			*d = Duration(v)
		}
	}
	def(&s.Lease, 30*time.Second)
	def(&s.Renew, 5*time.Second)
	def(&s.Fence, 20*time.Second)
	def(&s.ResumeFor, 30*time.Second)
	def(&s.Silence, 30*time.Second)
	def(&s.SilenceMost, 33*time.Second)
	def(&s.Reap, 35*time.Second)
	def(&s.EmptyRoom, time.Minute)
	return s
}

// The kinds of faults.
const (
	Kill      = "kill"      // SIGKILL; To is when the process was started again and ready
	Term      = "term"      // SIGTERM; To is as above
	Stop      = "stop"      // SIGSTOP until To
	Cut       = "cut"       // a link of the proxy: connections closed, new ones refused until To
	Blackhole = "blackhole" // a link of the proxy: nothing gets through until To, nothing is closed
	Delay     = "delay"     // a link of the proxy is slow until To
	StepDown  = "stepdown"  // a stream's leader is asked to go; From and To are the same
	SlowRead  = "slowread"  // a driver stops reading until To
	Drop      = "drop"      // a driver drops its connection without a word
)

// Fault is something that was broken, from From until To ([Now]; 0 when it never was healed).
// Target is a process ("edge-1", "auth-2", "nats-3"), a link ("edge-1/nats", "clients/edge-1")
// or a client.
type Fault struct {
	From   int64  `json:"from"`
	To     int64  `json:"to"`
	Kind   string `json:"kind"`
	Target string `json:"target"`
	Role   string `json:"role,omitzero"` // what it was at From: "leader", "follower"
	Note   string `json:"note,omitzero"`
}

// Exit is a process that ended. Meant says that a fault or the end of the run did it.
type Exit struct {
	T       int64  `json:"t"`
	Process string `json:"process"`
	Status  string `json:"status"` // "exit status 0", "signal: killed"
	Meant   bool   `json:"meant,omitzero"`
}

// Carried is a whisper that an edge was given, by its process's name, on its way to the user To. One
// that is repeated is there once more; some are missing.
type Carried struct {
	T    int64  `json:"t"`
	Edge string `json:"edge"`
	To   string `json:"to"`
	Text string `json:"text"`
}

// When a [Sample] was taken.
const (
	Baseline = "baseline" // all is up, and no client was there yet
	After    = "end"      // all faults healed, clients gone for 10 s
)

// Sample is what a process holds. A process that was started again has another Pid.
type Sample struct {
	T          int64  `json:"t"`
	When       string `json:"when"` // [Baseline], [After], or empty for one in between
	Process    string `json:"process"`
	Pid        int    `json:"pid"`
	Goroutines int    `json:"goroutines,omitzero"` // 0: not known
	FDs        int    `json:"fds,omitzero"`
	RSS        int64  `json:"rss,omitzero"` // bytes
}

// The kinds of [Finding].
const (
	Panic  = "panic"
	Race   = "race"
	Secret = "secret" // a password or a token in a log
)

// Finding is what the scan of the logs found.
type Finding struct {
	Kind    string `json:"kind"`
	Process string `json:"process"`
	Where   string `json:"where"` // file and line
	Text    string `json:"text"`
}

// Message is a stored message. Data is its payload, an object.
type Message struct {
	Stream  string              `json:"stream"` // HALL_EVENTS or HALL_GAME21
	Seq     uint64              `json:"seq"`
	Subject string              `json:"subject"`
	ID      string              `json:"id,omitzero"` // Nats-Msg-Id
	Time    time.Time           `json:"time"`        // the server's, of storing it
	Header  map[string][]string `json:"header,omitzero"`
	Data    jsontext.Value      `json:"data"`
}

// Duration is a time.Duration written as "1m30s".
type Duration time.Duration

// MarshalText writes d.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what MarshalText, or a person, wrote.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}
