// Package storage opens a service's database, through gorm and without a C compiler: SQLite in
// one file, or a schema in a Postgres that copies of the service share. Reach for [At] and
// [Open] first: At says where a service's database is, Open checks it, brings its tables up
// to date and gives a [DB], which its caller closes. [DB.Retry] and [DB.Transact] are what a
// DB is used in; they make both databases promise the same.
//
// What it promises:
//
//   - What was committed is there after a kill -9 and after a power loss (SQLite:
//     write-ahead log, synchronous=FULL; a Postgres that is set otherwise is warned of).
//   - A database that is damaged, empty, foreign, newer than the program or not writable is
//     refused with its name and the reason. Open never puts an empty one in its place.
//   - Migrations run in order, each once, all or none, however many copies start at once: an
//     interrupted start is repeated.
//   - The effect of transactions is as though one came after the other.
//   - [IsBusy] knows the error of a database that others have locked for longer than two
//     seconds, or that is out of reach for longer than ten; [IsFull] that of a full disk,
//     [IsDuplicate] that of a unique column.
//   - A connection to Postgres that is lost, a server that restarts or hands over to its
//     standby, is waited for: what was asked is asked again, so it must be right when it is
//     done twice. An insert finds its row as a duplicate then; an update asks for what it
//     replaces.
//   - No value of a query and no password of an URL is ever logged, or in an error.
//
// SQLite has one connection. Within a transaction use the tx that you were given: a query
// past it would wait for itself until its context ends.
//
// Of Postgres each service has a schema, hall_auth and so on, with a table of migrations of
// its own. It needs PostgreSQL 12 or later, a database in UTF-8, and a user who may make
// schemas in it, or for whom they were made. A pooler in between must keep a session on its
// connection.
package storage
