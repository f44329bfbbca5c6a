// Package load is many players at once, measured: the generator behind hall load, and the
// servers that the hall is compared with.
//
// [Run] does what a [Config] asks for: one measurement of a hall or of a relay, or the table of
// ratios ([Table]). Every run checks exactness: a line that is lost, doubled, or told in another
// order than to the others fails it.
//
// # How it costs little
//
// The generator is one thread and one epoll set for all clients, without a goroutine or a buffer
// per client. What is told to a channel is the same bytes for everybody, so the first client to
// hear a line parses it and adds it to a reference; for all others a read is one comparison with
// that reference, however many lines it has, and a client is a cursor into it. The same
// comparison is the check: another order, a line more or a line less is a difference. A line is
// complete when the last client has it, which is what opens a window.
//
// That the generator is not the limit is measured: its own CPU stands beside each figure, and
// "hall load limit" is a server of one thread with one shared buffer, the least that a fan-out
// through sockets can cost, which the same generator drives several times faster than the hall.
//
// # What is measured
//
// CPU is user and system time of the server's processes and their children as the kernel keeps
// it (/proc/PID/stat), memory is their resident set. Latency is from the time a line was due, not
// from when it was sent, to each client's read, in an open loop: a server that stalls does not
// also stall the measurement (no coordinated omission).
//
// The raw relay is the unit of all ratios: a minimal program with a reader and a writer goroutine
// and a queue per client, all queued bytes in one write, no names, no NATS, nothing stored.
//
// It needs Linux.
package load
