// Package storage opens a service's database: SQLite in one file, through gorm, without a
// C compiler. Reach for [Open] first; it checks the file, brings its tables up to date and
// gives a [DB], which its caller closes.
//
// What it promises:
//
//   - What a transaction committed is there after a kill -9 and after a power loss
//     (write-ahead log, synchronous=FULL).
//   - A file that is damaged, empty, foreign, newer than the program or not writable is
//     refused with its path and the reason. Open never puts an empty database in its place.
//   - Migrations run in order, each once, all or none: an interrupted start is repeated.
//   - One writer. [IsBusy] knows the error of a database that another program has locked
//     for longer than two seconds, [IsFull] that of a full disk, [IsDuplicate] that of a
//     unique column.
//   - No value of a query is ever logged.
//
// A DB has one connection. Within a transaction use the tx that you were given: a query
// past it would wait for itself until its context ends.
package storage
