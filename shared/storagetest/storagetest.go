package storagetest

import (
	"testing"

	"gamehall/shared/storage"
)

// Database is a database of a test's own, as services are told of it.
type Database struct {
	DB   string // for a service's Config.DB
	Data string // for its Config.Data
}

// InFiles tells whether the database is SQLite's.
func (d Database) InFiles() bool { return d.DB == storage.InFiles }

// At is the place of a service's database, for storage.Open.
func (d Database) At(t testing.TB, service string) string {
	t.Helper()
	at, err := storage.At(d.DB, d.Data, service)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// Each runs test as a subtest of its own for every kind of database, side by side.
func Each(t *testing.T, test func(t *testing.T, d Database)) {
	t.Helper()
	for kind, database := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			test(t, database(t))
		})
	}
}

// kinds make databases; they are gone with the test.
var kinds = map[string]func(testing.TB) Database{"sqlite": SQLite}

// SQLite is a folder of a test's own.
func SQLite(t testing.TB) Database {
	t.Helper()
	return Database{DB: storage.InFiles, Data: t.TempDir()}
}

// stop ends what was started for all tests of the package.
var stop = func() {}

// Tests are the tests of a package.
type Tests struct{ m interface{ Run() int } }

// Main makes a package's TestMain end what its tests have started:
//
//	func TestMain(m *testing.M) { os.Exit(storagetest.Main(m).Run()) }
func Main(m interface{ Run() int }) *Tests { return &Tests{m} }

// Run runs the tests and gives the exit code.
func (t *Tests) Run() int {
	defer func() { stop() }()
	return t.m.Run()
}
