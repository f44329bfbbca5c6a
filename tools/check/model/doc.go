// Package model makes up runs of a hall that keeps its promises, for the checker to be tried
// on. [Run] is all of it.
//
// It is a small hall of a few hundred lines with a clock of its own: clients that talk, join
// rooms, whisper, play, vanish, come back, are taken over and fall silent; edges and NATS nodes
// that die. All of it comes from a seed. What it leaves is a history like that of hall check,
// in which nothing is wrong: a checker that finds something there gives false alarms. Package
// alter breaks it in known ways.
package model
