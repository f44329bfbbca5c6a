// Package history is what a run of hall check leaves behind: what every client asked, was
// answered and was told, what was broken meanwhile, and what the stream has in the end. The
// running half writes it, package verify reads it, and nothing else passes between them.
//
// A run is a folder:
//
//	run.json               [Run]: seed, times, settings, faults, processes, findings
//	clients/<name>.jsonl   [Event]: one file a client, in the order in which it happened
//	stream-<node>.jsonl    [Message]: both streams as one NATS node has them in the end
//
// [Create] makes the folder; [Folder.Client] opens a client's [Writer]; [Folder.WriteStream]
// and [Folder.Finish] come last. [Open] reads it again.
//
// # Time
//
// T is in nanoseconds of [Now], the machine's monotonic clock, so that events of several
// processes of one host can be put in order. An invoke is written with the time before its
// first byte is sent; everything else with the time after its last byte was read. Events of
// one client are written in the order of their times. Run.Wall says what the wall clock was at
// Run.Start; wall clocks are compared with each other only within seconds.
//
// # Clients, connections, sessions
//
// A client is one driver: it has a name, a file, and at most one connection at a time. Conn
// counts its connections from 1. Every event of a connection has Client, Conn, Edge and (once
// it is signed in) User and Session.
//
//	conn   a connection stands: Edge, Door (lines, frames or websocket)
//	disc   it is gone: Reason, By. The last event of its Conn
//	final  it still stands after the quiescence, and the client has read everything
//
// disc: By is "client" when the driver ended it on purpose, "server" when the server closed it
// (FIN, RST, close frame, with or without a word before), "network" when the driver's own
// faults cut it (the proxy) or the driver gave it up. Reason is that of the closing event that
// came before (restart, slow_consumer …), or how the socket ended: "eof", "reset", "dead" (no
// answer to a ping), "kill" (the driver dropped it without a word), "quit".
//
// final: written for each connection that is signed in and open when the run ends, after all
// faults are healed, no driver has sent anything for a while, and nothing has come for longer
// than the tail check takes (3 s will do). The checker takes the log's end at that point for
// what the client must have.
//
// A driver that stops reading on purpose writes pause, and resume-reading is unpause; one that
// stops sending heartbeats (but reads on) writes mute after its last byte. Between pause and
// unpause nothing is said about when things arrive.
//
// A session is begun by an ok of signin and gone on with by an ok of resume. Its name,
// Session, is the driver's own: unique in the run, set from the ok of signin on, and set in
// the invoke and the outcome of the resume that continues it, also from another client (a
// token that is used twice). After signout, or a fail of resume with bad_token, it is empty.
// Epoch stays 0: the checker finds it by the joined event whose sequence is Seq of the signin.
//
// # Commands
//
//	invoke  a command is about to be sent
//	ok      its answer says ok
//	fail    its answer is a fault: Code, Retry
//	info    nobody knows: the connection is gone, or the driver stopped waiting
//
// F is the protocol's type: signup, signin, resume, signout, passwd, say, whisper, history,
// onlinetime, who, room.create, room.join, room.quit, room.say, room.list, room.members,
// game21.answer, game21.status, game21.scores, ping. Req counts the commands of a client from
// 1 and links the two; an outcome repeats F, and needs to repeat nothing else. Every invoke
// has exactly one outcome; whatever is under way when its connection is lost is info, before
// the disc. A command without a key that the driver sends again is another command. With a
// key it is another invoke with the same Key and the same Text: the checker takes all attempts
// under one user and key for one command.
//
//	            invoke                       ok
//	signup      User: the name wanted
//	signin      User, Takeover, Wrong        User, Seq, Session
//	resume      Session, Since               User, Seq, Room (of the reply), Session
//	signout
//	say         Text, Key                    Seq
//	room.say    Text, Key, Channel           Seq     (Channel is "room:<name>", or "room:" where
//	                                                 the driver does not know its room)
//	whisper     To, Text, Key
//	room.create Room, Max                    Seq, Room (as its creator wrote it)
//	room.join   Room                         Seq, Room
//	room.quit                                Seq
//	history     Channel, Limit, Before       Events: as recv, without T, Client, Conn
//	who                                      Users, Total
//	onlinetime                               Seconds
//	room.list                                Rooms
//	room.members                             Room, Members
//	game21.answer Expression, Key            Round, Value, Void
//	game21.status                            Open, Round, Numbers, EndsAt, NextAt
//	game21.scores                            Scores, Me
//	ping                                     every heartbeat, too
//
// Text is "<Run.Name>-<client>-<n>", n counted by the client: never the same twice but in a
// retry under one key. What a code "unavailable" says about a command that changes something
// is info for the checker, and the driver records it as it came: fail with the code.
//
// Drivers of lines have no replies with sequences: ok is written with Seq 0 when the line that
// answers has come (for say: the own line).
//
// # What is told
//
// recv is an event of the hall; F is its kind: chat, joined, left, room.chat, room.joined,
// room.left, game21.started, game21.answered, game21.ended, whisper, notice, gap, closing. All
// members are those of the protocol: Channel, Seq, Prev, At, From, To, Text, User (who joined,
// left or answered; the driver's own name is not in it), Round, Numbers, EndsAt, Answers,
// Winner, Expression, Value, Best, Missed, Reason, RetryAfterMS. A driver records what comes
// before it judges it: also what it would drop as a repetition. Drivers of lines give Seq and
// Prev as 0.
//
// # The stream
//
// [Message] is a stored message of HALL_EVENTS or HALL_GAME21, with its headers and its
// payload as it is. Each NATS node's copy is read by itself (from the node, such as by a
// direct get that names it or by its own store), because nodes may differ.
package history
