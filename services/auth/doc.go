// Package auth is the service of accounts and sessions: sign-up, sign-in, sign-out, a new
// password, away and alive, and that a user has one live session in the whole hall.
//
// Reach for [Run] or [Start]; the calls are those of gamehall/shared/authapi. It keeps
// accounts in SQL (auth.db) and is the only writer of the bucket "sessions".
//
// # What it promises
//
//   - A name is given once, whatever its case, width or Unicode form, also when many ask
//     at once and on several copies; a name that looks like a taken one is taken.
//   - A password is stored as an argon2id hash in PHC format, salted, and never logged. An
//     unknown name and a wrong password cost the same work and read the same.
//   - At most two passwords are hashed at a time and 32 wait. Whoever comes then is told
//     "busy" at once; requests from trusted addresses wait instead.
//   - Two sign-ins of one user never both win: a session is claimed by compare-and-set on
//     one key, and its epoch is that key's revision. A live session gives way only to a
//     takeover, or when its edge does not say within a second that its connection stands.
//   - The answer to a sign-in comes after "joined" is stored, while the session is still
//     the user's. When it took over from another one, the hall hears that one's "left"
//     first, and its edge was told before.
//   - A connection that was lost and its client's return to the same edge are one write: the edge
//     waits a moment before it tells of the loss. What a resume writes over is taken from the
//     directory, whose being behind the compare-and-set finds; nobody is refused by it.
//   - Of clients whose resumes come in one request each is judged, and answered, as if it had come
//     by itself, by a command id of its own; what the directory is enough to judge is written as one
//     batch.
//   - A session ends in the order: marked as ending, "left" stored, deleted.
//   - What a copy that died began is finished: by the same command, sent again, on any
//     copy, and by every copy's reaper within two looks. "Joined" and "left" are told once
//     for an epoch, by their Nats-Msg-Id, as long as some copy is back within 100 s.
//   - Sessions of an edge whose lease is gone are ended at the reaper's next look, as of
//     the lease's last renewal.
//   - A sign-out that is repeated gets its first answer, from every copy, until the user signs
//     out once more.
//
// # Who owns what
//
// Handlers run on the bus's workers and share nothing but the database, the buckets and
// the places in the queue of hashes. One goroutine, the reaper, looks for what is left to
// do; every copy has one, and compare-and-set keeps them from doing it twice. [Service.Stop]
// waits for all of them.
package auth
