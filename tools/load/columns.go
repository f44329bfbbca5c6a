package load

import "time"

// column is one of the table's: what is measured, and which figures of the results are compared.
type column struct {
	Name    string
	clients int
	spec    spec
	base    string // what the ratio is to
	figures []figure
}

// figure is one of a column's.
type figure struct {
	name string
	unit string
	of   func(Result) float64
	must float64 // the ratio that the hall must reach, 0 for none
	aim  float64
	more bool // a larger ratio is better
}

// The names of the servers.
const (
	hallName  = "hall"
	relayName = "relay"
	hopsName  = "hops"
	limitName = "limit"
)

var (
	cpuPerDelivery = func(r Result) float64 { return r.CPUPerDelivery }
	perSecond      = func(r Result) float64 { return r.DeliveriesPerSecond }
	p50            = func(r Result) float64 { return r.P50 }
	p99            = func(r Result) float64 { return r.P99 }
	rss            = func(r Result) float64 { return r.RSSPerConnection }
)

// columns are those of the table that interleave a relay and the hall, smallest crowd first: the
// clients stay from one to the next.
var columns = []column{
	{
		Name: "latency-100", clients: 100, base: hopsName,
		spec: spec{mode: Latency, senders: 10, rate: 20, warm: time.Second, long: 6 * time.Second},
		figures: []figure{
			{name: "p50 at 20 lines/s, 100 clients, to the relay with NATS hops", unit: "ms", of: p50},
			{name: "p99 at 20 lines/s, 100 clients, to the relay with NATS hops", unit: "ms", of: p99, must: 1.15, aim: 1},
		},
	},
	{
		Name: "fan-out-1000", clients: 1000, base: relayName,
		spec: spec{mode: FanOut, senders: 10, window: 64, warm: time.Second, long: 4 * time.Second},
		figures: []figure{
			{name: "CPU per delivery, 1000 clients, 10 senders, 64 lines in flight", unit: "µs", of: cpuPerDelivery, must: 0.65, aim: 0.35},
			{name: "deliveries/s, 1000 clients", unit: "/s", of: perSecond, must: 1.1, aim: 1.6, more: true},
		},
	},
	{
		Name: "one-line", clients: 1000, base: relayName,
		spec: spec{mode: FanOut, senders: 10, window: 1, warm: time.Second, long: 4 * time.Second},
		figures: []figure{
			{name: "CPU per delivery, one line at a time, 1000 clients", unit: "µs", of: cpuPerDelivery, must: 1.05, aim: 0.85},
		},
	},
	{
		Name: "latency-1000", clients: 1000, base: relayName,
		spec: spec{mode: Latency, senders: 10, rate: 20, warm: time.Second, long: 6 * time.Second},
		figures: []figure{
			{name: "p50 at 20 lines/s, 1000 clients", unit: "ms", of: p50, must: 1.15, aim: 1},
			{name: "p99 at 20 lines/s, 1000 clients", unit: "ms", of: p99, must: 1.15, aim: 1},
		},
	},
	{
		Name: "idle", clients: 5000, base: relayName,
		spec: spec{mode: Idle},
		figures: []figure{
			{name: "RSS per idle connection", unit: "KiB", of: rss, must: 6.0 / 6.6, aim: 2.0 / 6.6},
		},
	},
	{
		Name: "fan-out-5000", clients: 5000, base: relayName,
		spec: spec{mode: FanOut, senders: 10, window: 64, warm: time.Second, long: 4 * time.Second},
		figures: []figure{
			{name: "CPU per delivery, 5000 clients, 10 senders, 64 lines in flight", unit: "µs", of: cpuPerDelivery, must: 0.65, aim: 0.30},
		},
	},
}
