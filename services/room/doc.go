// Package room owns the rooms of the hall: who is in which, and what is said there.
//
// [Run] is one copy of the service; any number of copies serve side by side. Its commands are
// those of package roomapi. The rules ([Create], [Join], [Quit]) are pure and stand in room.go;
// store.go alone knows the stream.
//
// # What is kept
//
// Two kinds of record in HALL_EVENTS, beside the events that tell of them: a room's ([Room]:
// its name, owner, limit, how many are in it) and a user's ([Membership]: the room it is in,
// since which sequence, by which session, and the answers of its last commands). A room's id
// is made of its name, so that whoever creates that name writes that record.
//
// # What it promises
//
//   - A change writes the user's record, the room's record and the event in one atomic batch
//     (NATS ADR-50), each record only over the one that was read. So record and event are
//     never one without the other, whatever dies in between; of two who create one name one
//     wins; and no more get in than fit.
//   - A line is stored only while its sender's record is the one that was read: the stream
//     itself compares. So a line is never before its sender's join and never after its leave,
//     also when it was held up for long in a process that froze.
//   - A command id gets its first answer again for two minutes, from whichever copy, whatever
//     died since: the user's record remembers it, and the stream remembers lines.
//   - A user whose session ends leaves its room, and the room is told once. The copies share a
//     durable consumer of the lobby; every 30 s, and at the start, each compares the members
//     with the sessions, which finds what nobody was told. A session that takes over leaves
//     the earlier one's room before it joins one.
//   - A room is removed [EmptyAfter] after its last member left; until then its name is taken
//     and it can be joined.
//   - Records outlive the stream's age limit, because they are written again when they are
//     half as old; some copy must run once in that time (15 days). A record that lives for
//     ever (NATS ADR-43) would keep every older one of its kind, too, in a stream that must
//     not be purged.
//   - room.list and room.members show all that was answered before they were asked.
//
// What it cannot promise: a refusal is not stored, so a command that was refused and is sent
// again under its id may succeed the second time. Changes of one room are made one after the
// other, because each counts in the room's record: some 90 a second from one copy and 45 from
// two that compete, measured on two busy cores, where the server stages each batch on disk.
// Lines are not slowed by them (10,000 a second from one sender, there).
//
// # Who owns what
//
// One goroutine feeds the mirror of the records, one hears the lobby, one keeps (removes,
// writes again, compares), one tells edges again that did not hear who entered, and owns what waits
// for that; [Service.Stop] waits for them. Within a copy the changes of one
// room take turns; between copies the stream decides, and whoever lost reads again.
package room
