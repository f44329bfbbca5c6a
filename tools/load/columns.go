package load

import "time"

// column is one measurement of the table, and the figures that it gives.
type column struct {
	name    string
	life    int // columns of one life share the servers' processes and the clients
	dialect Dialect
	clients int
	spec    spec
	base    string // the server that it is compared with; empty for none
	figures []figure
}

// figure is a number of a measurement, with what is wanted of it.
type figure struct {
	key       string // of the guard's file; empty for those that are too noisy for it
	name      string // {clients} stands for how many there are
	unit      string
	of        func(Result) float64
	must, aim float64 // 0 for none
	want      wanted
	more      bool // a larger one is better
}

// wanted says what must and aim are about.
type wanted int

const (
	ratio      wanted = iota // to the base
	absolute                 // the value itself
	difference               // from the base
)

// The names of the servers.
const (
	hallName  = "hall"
	relayName = "relay"
	hopsName  = "hops"
	limitName = "limit"
)

// The figures' sources.
var (
	cpuPerDelivery = func(r Result) float64 { return r.CPUPerDelivery }
	deliveries     = func(r Result) float64 { return r.DeliveriesPerSecond }
	lines          = func(r Result) float64 { return r.LinesPerSecond }
	p50            = func(r Result) float64 { return r.P50 }
	p99            = func(r Result) float64 { return r.P99 }
	rss            = func(r Result) float64 { return r.RSSPerConnection }
	entries        = func(r Result) float64 { return r.PerSecond }
	cpuPerEntry    = func(r Result) float64 { return r.CPUPerEntry }
	beyond         = func(r Result) float64 { return r.Beyond }
	allTold        = func(r Result) float64 { return r.AllTold }
)

// The senders of the fan-out, and the lines in flight of all of them.
const (
	fanSenders = 10
	fanWindow  = 64
)

// columns are those of the table. Within a life the crowd grows from one to the next.
var columns = []column{
	{
		name: "latency-100", life: 1, dialect: Lines, clients: 100, base: hopsName,
		spec: spec{mode: Latency, senders: fanSenders, rate: 20, warm: time.Second, long: 6 * time.Second},
		figures: []figure{
			{name: "p50, {clients} clients, 20 lines/s", unit: "ms", of: p50, must: 0.5, want: difference},
			{name: "p99, {clients} clients, 20 lines/s", unit: "ms", of: p99, must: 1.15},
		},
	},
	{
		name: "fan-out-1000", life: 1, dialect: Lines, clients: 1000, base: relayName,
		spec: spec{mode: FanOut, senders: fanSenders, window: fanWindow, warm: time.Second, long: 4 * time.Second},
		figures: []figure{
			{key: "fan-out-1000-cpu", name: "CPU per delivery, {clients} clients, 64 lines in flight", unit: "µs", of: cpuPerDelivery, must: 0.65, aim: 0.35},
			{name: "deliveries/s, {clients} clients", unit: "/s", of: deliveries, must: 1.1, aim: 1.6, more: true},
		},
	},
	{
		name: "one-line", life: 1, dialect: Lines, clients: 1000, base: relayName,
		spec: spec{mode: FanOut, senders: fanSenders, window: 1, warm: time.Second, long: 4 * time.Second},
		figures: []figure{
			{key: "one-line-cpu", name: "CPU per delivery, {clients} clients, one line at a time", unit: "µs", of: cpuPerDelivery, must: 1.05, aim: 0.85},
		},
	},
	{
		name: "latency-1000", life: 1, dialect: Lines, clients: 1000, base: relayName,
		spec: spec{mode: Latency, senders: fanSenders, rate: 20, warm: time.Second, long: 6 * time.Second},
		figures: []figure{
			{name: "p50, {clients} clients, 20 lines/s", unit: "ms", of: p50, must: 1.15, aim: 1},
			{name: "p99, {clients} clients, 20 lines/s", unit: "ms", of: p99, must: 1.15, aim: 1},
		},
	},
	{
		name: "idle", life: 2, dialect: Lines, clients: 5000, base: relayName,
		spec: spec{mode: Idle},
		figures: []figure{
			{key: "idle-rss", name: "RSS per idle connection", unit: "KiB", of: rss, must: 6, aim: 2, want: absolute},
			{name: "{clients} sign in and are told of each other", unit: "s", of: allTold, want: absolute},
			{name: "… of that, beyond the sign-ins", unit: "s", of: beyond, must: 10, want: absolute},
		},
	},
	{
		name: "fan-out-5000", life: 2, dialect: Lines, clients: 5000, base: relayName,
		spec: spec{mode: FanOut, senders: fanSenders, window: fanWindow, warm: time.Second, long: 4 * time.Second},
		figures: []figure{
			{name: "CPU per delivery, {clients} clients, 64 lines in flight", unit: "µs", of: cpuPerDelivery, must: 0.65, aim: 0.30},
		},
	},
	{
		name: "durable", life: 3, dialect: Frames, clients: durableSenders,
		spec: spec{mode: Durable, senders: durableSenders, window: 2 * durableSenders, warm: time.Second, long: 4 * time.Second},
		figures: []figure{
			{key: "durable-lines", name: "lines stored/s, 64 senders", unit: "/s", of: lines, must: 3000, aim: 15000, want: absolute, more: true},
		},
	},
	{
		name: "tokens", life: 3, dialect: Frames, clients: 1000,
		spec: spec{mode: Connect, long: 4 * time.Second},
		figures: []figure{
			{name: "sign-ins by token/s", unit: "/s", of: entries, must: 8000, want: absolute, more: true},
			{key: "token-cpu", name: "CPU of a sign-in by token", unit: "µs", of: cpuPerEntry, must: 150, want: absolute},
		},
	},
}

// durableSenders is how many say lines at once for what is stored in a second. Each always has one
// more line waiting at the server, so that it never waits for the generator.
const durableSenders = 64
