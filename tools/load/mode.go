package load

// Mode is what is measured.
type Mode string

// The modes.
const (
	FanOut  Mode = "fan-out" // a closed loop: so many lines in flight
	Latency Mode = "latency" // an open loop: so many lines a second
	Idle    Mode = "idle"    // memory of connections that do nothing
	Connect Mode = "connect" // signing in
	Storm   Mode = "storm"   // all connections are lost, and all come back
	Durable Mode = "durable" // lines stored, from many senders
	Ratios  Mode = "ratios"  // the table
)
