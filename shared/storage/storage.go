package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"
)

// DB is an open database. Its gorm methods may be called by several goroutines; [DB.Retry]
// and [DB.Transact] are what to call them in.
type DB struct {
	*gorm.DB
	schema string // where its tables are in Postgres; empty for SQLite
}

// Option changes how [Open] works.
type Option func(*options)

type options struct{ log *slog.Logger }

// Log says where it is told that Open waits for Postgres. The default is slog.Default.
func Log(log *slog.Logger) Option { return func(o *options) { o.log = log } }

// Open opens the database at a place that [At] gives, or in the file of that path, makes it
// if nothing is there, and runs the migrations that have not run on it yet. Copies of a
// service may do so at once. The caller closes the DB.
//
// A file's folder must exist; the file is readable by its owner alone. Open fails, leaving
// the file as it is, when the file or its folder cannot be written, when the file is no
// intact SQLite database, or when another program keeps it locked ([IsBusy]).
//
// For a Postgres that does not answer, or is starting, Open waits until ctx ends, and says so
// in the log. It fails at once when Postgres refuses the user, the password or the database,
// and when the user may not make what is missing.
//
// Either is refused when it has run a migration that is not among migrations (a newer program
// made it), and when a migration fails.
func Open(ctx context.Context, at string, migrations []*gormigrate.Migration, opts ...Option) (*DB, error) {
	o := options{log: slog.Default()}
	for _, opt := range opts {
		opt(&o)
	}
	if isPostgres(at) {
		return openPostgres(ctx, at, migrations, o.log)
	}
	db, err := openSQLite(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", at, err)
	}
	if err := migrate(ctx, db, migrations); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", at, err), db.Close())
	}
	return db, nil
}

// Close waits for queries under way and closes the database; the write-ahead log goes into
// the file.
func (db *DB) Close() error {
	pool, err := db.DB.DB()
	if err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	if err := pool.Close(); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

// IsDuplicate tells whether err came from a row that a unique column or primary key
// already has.
func IsDuplicate(err error) bool {
	return errors.Is(err, gorm.ErrDuplicatedKey) || isSQLiteDuplicate(err) || isPostgresDuplicate(err)
}

// IsBusy tells whether err came from a database that was locked by somebody else, or out of
// reach, for the whole of the time that is waited for it. The same may succeed later. Of
// SQLite nothing was changed; of Postgres that is not known.
func IsBusy(err error) bool { return isSQLiteBusy(err) || isPostgresBusy(err) }

// IsFull tells whether err came from a disk that took no more. Nothing was changed; the same
// may succeed when there is space again.
func IsFull(err error) bool { return isSQLiteFull(err) || isPostgresFull(err) }

// gormConfig is the same for every kind of database.
func gormConfig() *gorm.Config {
	return &gorm.Config{
		Logger: quiet{},
		// One statement is a transaction by itself. gorm's own around it would hide why one
		// failed that SQLite rolled back at once, as on a full disk: what gorm then gives
		// is the error of its second roll-back.
		SkipDefaultTransaction: true,
		// One zone, so that times compare as they are stored.
		NowFunc: func() time.Time { return time.Now().UTC() },
	}
}
