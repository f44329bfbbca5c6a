package storage

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"modernc.org/sqlite" // registers the driver "sqlite", which is Go alone
	sqlite3 "modernc.org/sqlite/lib"
)

// busyTimeout is how long a query waits for another program's lock, in milliseconds.
const busyTimeout = 2000

// sqliteMagic is how every SQLite file begins.
var sqliteMagic = []byte("SQLite format 3\x00")

func openSQLite(ctx context.Context, path string) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := checkFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	err = checkFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = createSQLite(ctx, path)
	}
	if err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite", sqliteDSN(path))
	if err != nil {
		return nil, err
	}
	// One connection is the one writer that SQLite allows. Callers queue for it in Go,
	// first come first served, where several connections would poll for the file's lock
	// and starve each other into "busy". Reads share it: they are look-ups by key that
	// take microseconds, less than what handing them to a second pool would gain.
	pool.SetMaxOpenConns(1)
	pool.SetConnMaxLifetime(0)
	db, err := checkedSQLite(ctx, pool)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return db, nil
}

// checkedSQLite looks for damage before anything is written, then lets gorm in.
func checkedSQLite(ctx context.Context, pool *sql.DB) (*DB, error) {
	if err := quickCheck(ctx, pool); err != nil {
		return nil, err
	}
	db, err := gorm.Open(gormsqlite.New(gormsqlite.Config{Conn: pool}), gormConfig())
	if err != nil {
		return nil, err
	}
	return &DB{DB: db}, nil
}

// sqliteDSN names the file at path, which is absolute, with what every connection needs.
func sqliteDSN(path string) string {
	q := url.Values{
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", busyTimeout),
			"journal_mode(WAL)",
			"synchronous(FULL)",
			"foreign_keys(1)",
		},
		// A transaction takes the write lock when it begins. One that reads first and
		// then wants to write would be refused at once, without the timeout.
		"_txlock": {"immediate"},
		// Without it a time is stored as Go prints it, zone name and all. In UTC this
		// form sorts as the times do.
		"_time_format": {"sqlite"},
		"_timezone":    {"UTC"},
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") { // C:/… on Windows
		path = "/" + path
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	return u.String()
}

// checkFolder makes sure that dir is there and that files can be made in it: SQLite needs
// its log and its index beside the database.
func checkFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("its folder: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("its folder %s is a file", dir)
	}
	probe, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return fmt.Errorf("its folder cannot be written: %w", err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// checkFile looks at the file at path as far as it can without SQLite. The error is
// fs.ErrNotExist only when there is nothing of a database.
func checkFile(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return checkRemains(path)
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a file")
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0) // for writing: fails on a read-only file
	if err != nil {
		return fmt.Errorf("it cannot be written: %w", err)
	}
	defer f.Close()
	magic := make([]byte, len(sqliteMagic))
	n, err := io.ReadFull(f, magic)
	switch {
	case errors.Is(err, io.EOF):
		// SQLite would take an empty file for a new database. We never leave one behind
		// (createSQLite), so what was in it is lost.
		return errors.New("it is empty: a database was cut off here, restore it from a backup or move it away")
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("read: %w", err)
	case !bytes.Equal(magic[:n], sqliteMagic):
		return errors.New("it is not a SQLite database")
	}
	// The hashes of all passwords are in it.
	if info.Mode().Perm()&0o077 != 0 {
		return f.Chmod(0o600)
	}
	return nil
}

// checkRemains tells a database that was never there from one that was lost while its log
// was left, which SQLite would throw away.
func checkRemains(path string) error {
	for _, ext := range []string{"-wal", "-journal"} {
		if info, err := os.Stat(path + ext); err == nil && info.Size() > 0 {
			return fmt.Errorf("it is gone but its log %s is there: restore it from a backup or move the log away", path+ext)
		}
	}
	return fs.ErrNotExist
}

// createSQLite puts an empty database at path, whole or not at all: it is made under
// another name and linked into place. So a file that is empty is never ours from a crash,
// and of two programs that create it at once neither overwrites the other.
func createSQLite(ctx context.Context, path string) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(tmp.Name())) }()
	if err := tmp.Close(); err != nil {
		return err
	}
	pool, err := sql.Open("sqlite", sqliteDSN(tmp.Name()))
	if err != nil {
		return err
	}
	// Connecting switches to the write-ahead log, which writes and syncs the first page.
	if err := errors.Join(pool.PingContext(ctx), pool.Close()); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes the names in dir survive a power loss.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" { // folders cannot be synced there, nor need to be
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// quickCheck reads the whole database and fails when its structure is damaged. It leaves
// out the comparison of indexes with their tables, which would make the start of a large
// hall several times slower.
func quickCheck(ctx context.Context, pool *sql.DB) error {
	var verdict string
	err := pool.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict)
	switch {
	case isSQLiteDamage(err):
		return fmt.Errorf("it is damaged, restore it from a backup or move it away: %w", err)
	case err != nil:
		return err
	case verdict != "ok":
		return fmt.Errorf("it is damaged, restore it from a backup or move it away: %s", verdict)
	}
	return nil
}

// sqliteCode gives the result code of SQLite in err's chain, extended where it has one.
func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return sqlite3.SQLITE_OK
}

// gorm's own translation knows only the error type of the C library's driver.
func isSQLiteDuplicate(err error) bool {
	code := sqliteCode(err)
	return code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}

func isSQLiteBusy(err error) bool {
	primary := sqliteCode(err) & 0xff
	return primary == sqlite3.SQLITE_BUSY || primary == sqlite3.SQLITE_LOCKED
}

// A file system that is full, or whose quota is, shows as FULL when the database grows and as
// a failed write or a failed index when the log does.
func isSQLiteFull(err error) bool {
	switch code := sqliteCode(err); code {
	case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_FSYNC:
		return true
	default:
		return code&0xff == sqlite3.SQLITE_FULL
	}
}

func isSQLiteDamage(err error) bool {
	primary := sqliteCode(err) & 0xff
	return primary == sqlite3.SQLITE_CORRUPT || primary == sqlite3.SQLITE_NOTADB
}
