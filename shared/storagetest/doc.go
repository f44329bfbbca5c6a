// Package storagetest gives tests databases of their own. Reach for [Each] first: it runs a
// test on every kind of database that the hall can have.
//
// With `go test` alone that is SQLite. With the build tag postgres it is Postgres, too, and
// there is StartServer, for tests that stop one: a package's server is started at the first
// use, in a temporary folder and on a free port of 127.0.0.1, and stopped by [Main]. It needs
// the programs of PostgreSQL (Debian's package postgresql), and no rights: root runs them as
// the user postgres, or nobody. HALL_TEST_POSTGRES names a server that is there instead, by
// the URL of a user who may make databases. `task test:postgres` does all of it.
//
// Only tests and tools import this package.
package storagetest
