// Package edge is the hall's front: it holds the players' connections and turns what they
// type into calls of the services, and what the services tell into what players read.
//
// [Start] opens the ports; [Edge.Stop] drains. An edge needs NATS and nothing else; any
// number of edges run side by side, each under an id of its own.
//
// # What it promises
//
//   - One command at a time per connection, in the order typed. A command is answered, with
//     its outcome or with "unavailable", and never vanishes: one that changes something is
//     sent again with the same id for 15 s, and after 2 s the player is told that it takes
//     longer. Lines for the lobby that a client has sent without waiting for answers are one
//     request to chat: stored in their order, each with its own sequence and answer.
//   - A session sees every event of its channels exactly once and in the stream's order,
//     from behind its own join up to before its own leaving, whatever is lost on the way
//     ([hub] finds and fills holes, the last message's too).
//   - A session that reads too slowly is closed and hurts nobody.
//   - An edge that cannot renew its lease for 20 s lets go of its sessions and serves no
//     command of theirs any more.
//   - Nothing that a player typed reaches another terminal as a control character.
//
// # The doors
//
// People speak lines, programs frames on the same port or WebSocket messages on the HTTP port:
// PROTOCOL.md is for those who write one, and a test plays it. A dialect is a reader of commands
// ([lineReader], [frameReader], [messageReader]) and the encoding of what is told ([dialect]);
// the table of commands is one. A session whose client has a token outlives its connection by
// 30 s, and goes on at any edge where it stopped. Auth is told of a lost connection half a second
// later, since most clients are back by then: a loss and a return are one write to the disk ([adrift]).
// Clients that come back at the same time share a request to auth and the look for their rooms
// ([returns]); the old connection of one that comes back to the same edge is closed there, and
// nobody else hears of it. A sign-in by token took 0.45 ms of all processes' time before that and
// 0.15 ms with it and with the [gate] (hall load connect --token).
//
// # The fan-out
//
// An event is encoded once per dialect and appended to its channel's log; a session is a
// cursor into that. A few writers, one for two processors, each own a share of the connections:
// news of a channel wake a writer once, and it makes a round, in which it sends each session
// everything that it has not had in one write. A write never waits: a socket that is full gets a
// goroutine of its own until it has caught up, and a batch that went out in part is finished
// before another begins.
//
// A write to a socket costs some 5 µs of the kernel's time, whether it sends one line or fifty,
// so what a delivery costs is how many lines share a write. After a round that had several lines, or
// during which something was told, what comes next gathers ([rest]): until all that this edge's own
// clients have said is there ([coming]) and nothing more has come for a moment, for three times as long
// as the round took and 10 ms at most; in rounds of fewer sockets ([restFrom]) nothing does. Where each
// line's round is over before the next line, no line waits. With 1,000 clients and 64
// lines in flight all 64 then share each write (hall load --column fan-out-1000): a delivery took
// 0.16 µs of all processes' time, storing included, and the raw relay's 0.29, with 13 lines a write.
//
// Lines that a client has sent at once go to chat in one request ([reading], [chatapi.SayMost]). So
// more of them are under way than there are senders, they reach the log together, and share the
// disk's sync ([streams.Appender]) as they share the writes to the sockets.
//
// An idle connection holds no buffer and no goroutine: an epoll set of the edge's own waits for
// all of them ([poller]; where there is no epoll, and with TLS, a goroutine each), from when it was
// accepted on, and another for sockets that are full. Go's runtime does not know these sockets, which would
// cost as much again outside the heap: [gate] accepts them by itself, and a WebSocket's is taken from the
// runtime (rawSocket). A test bounds what the edge keeps of one. Chunks of a log that every cursor
// has passed are garbage, but for those of the last events, whose places a channel remembers for
// who joins.
//
// # Who owns what
//
// A connection's [reading] carries out its commands, on a goroutine that waits for another
// connection's when nothing more comes ([runners]: 256 at most, for a second or two); it alone touches
// its [lineReader] and [pace]. The hub's goroutine alone appends to
// logs. A writer's goroutine alone sends. Sessions whose connection was lost a moment ago are
// guarded by [adrift]'s mutex, and one goroutine tells auth of them while there are any. The rest
// of a connection is guarded by its mutex, which is never held during a call or a write; where
// several are needed the order is channel, connection, then writer or registry.
package edge
