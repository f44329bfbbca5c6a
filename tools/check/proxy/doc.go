// Package proxy breaks networks. A [Link] listens on a port of its own, carries every
// connection to one target, and does to them what networks do: it cuts them, resets them,
// lets nothing through in one direction or in both, delays, is slow, or hands over a few
// bytes at a time.
//
// What is held back is not lost: as with TCP in a real partition, the bytes that were under
// way arrive when the partition heals, unless an end has given up by then. So a process that
// was cut off hears late what it was told, and what it said is heard late.
package proxy
