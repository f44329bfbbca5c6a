// Package roomapi is the contract of services/room: rooms, who is in them, what is said.
//
// A user is in one room at a time. Everything a room hears is at [Room], in one order; the
// id in the subject is name.RoomID of the room's name, so an edge can listen before its
// user joins.
package roomapi
