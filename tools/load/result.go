package load

import "time"

// Result is what one measurement found.
type Result struct {
	Column     string  `json:"column,omitempty"` // of the table
	Server     string  `json:"server"`
	Mode       Mode    `json:"mode"`
	Dialect    Dialect `json:"dialect"`
	Clients    int     `json:"clients"`
	Senders    int     `json:"senders,omitempty"`
	Window     int     `json:"window,omitempty"`
	Rate       float64 `json:"rate,omitempty"`
	Seconds    float64 `json:"seconds"`
	Lines      int     `json:"lines,omitempty"`      // said and told to everybody
	Deliveries uint64  `json:"deliveries,omitempty"` // of them

	LinesPerSecond      float64 `json:"lines_per_second,omitempty"`
	DeliveriesPerSecond float64 `json:"deliveries_per_second,omitempty"`
	CPUPerDelivery      float64 `json:"cpu_us_per_delivery,omitempty"`           // of the server
	GeneratorCPU        float64 `json:"generator_cpu_us_per_delivery,omitempty"` // beside it
	ServerCores         float64 `json:"server_cores,omitempty"`                  // used on average
	GeneratorCores      float64 `json:"generator_cores,omitempty"`

	OtherCores float64 `json:"other_cores"` // used by the rest of the machine

	P50 float64 `json:"p50_ms,omitempty"`
	P90 float64 `json:"p90_ms,omitempty"`
	P99 float64 `json:"p99_ms,omitempty"`
	Max float64 `json:"max_ms,omitempty"`

	RSSPerConnection float64 `json:"rss_kib_per_connection,omitempty"`

	Entries      int     `json:"entries,omitempty"` // clients that got in
	PerSecond    float64 `json:"entries_per_second,omitempty"`
	Retries      int     `json:"retries,omitempty"` // they were told to ask again
	CPUPerEntry  float64 `json:"cpu_us_per_entry,omitempty"`
	AllIn        float64 `json:"all_in_seconds,omitempty"`   // until the last one was welcomed
	AllTold      float64 `json:"all_told_seconds,omitempty"` // until everybody was told of everybody
	Beyond       float64 `json:"beyond_seconds,omitempty"`   // of that, what the sign-ins of a few alone do not take
	ToldOfOthers uint64  `json:"told_of_others,omitempty"`   // deliveries, of joined mostly

	Faults Faults `json:"faults"`
}

// spec is one measurement of clients that are in.
type spec struct {
	mode    Mode
	senders int
	window  int           // lines in flight in all; 0 for a rate
	rate    float64       // lines a second, in all
	warm    time.Duration // before it counts
	long    time.Duration // how long it counts
}
