package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"
)

// DB is an open database. Its gorm methods may be called by several goroutines.
type DB struct{ *gorm.DB }

// Open opens the database in the file at path, makes it if nothing is there, and runs the
// migrations that have not run on it yet. The folder must exist. The file is readable by
// its owner alone.
//
// It fails, leaving the file as it is, when the file or its folder cannot be written, when
// the file is no intact SQLite database, when it has run a migration that is not among
// migrations (a newer program made it), when a migration fails, or when another program
// keeps it locked ([IsBusy]). The caller closes the DB.
func Open(ctx context.Context, path string, migrations []*gormigrate.Migration) (*DB, error) {
	db, err := openSQLite(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	if err := migrate(ctx, db, migrations); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), db.Close())
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
	return errors.Is(err, gorm.ErrDuplicatedKey) || isSQLiteDuplicate(err)
}

// IsBusy tells whether err came from a database that was locked by somebody else for the
// whole of the busy timeout. Nothing was changed; the same may succeed later.
func IsBusy(err error) bool { return isSQLiteBusy(err) }

// IsFull tells whether err came from a disk that took no more. Nothing was changed; the same
// may succeed when there is space again.
func IsFull(err error) bool { return isSQLiteFull(err) }

// migrationsTable has one row per migration that has run, its ID.
const migrationsTable = "migrations"

// migrate runs what has not run yet, in one transaction: killed in between, nothing has
// happened and the next start does it again. The transaction is ours and not gormigrate's,
// which goes on without one when it cannot begin.
func migrate(ctx context.Context, db *DB, migrations []*gormigrate.Migration) error {
	return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := refuseNewer(tx, migrations); err != nil {
			return err
		}
		if len(migrations) == 0 {
			return nil
		}
		m := gormigrate.New(tx, &gormigrate.Options{TableName: migrationsTable}, migrations)
		if err := m.Migrate(); err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		return nil
	})
}

// refuseNewer fails when a migration has run that is not among those known.
func refuseNewer(tx *gorm.DB, known []*gormigrate.Migration) error {
	if !tx.Migrator().HasTable(migrationsTable) {
		return tx.Error
	}
	var unknown []string
	ids := make([]string, 0, len(known)+1)
	ids = append(ids, "") // NOT IN wants at least one; no migration has the empty ID
	for _, m := range known {
		ids = append(ids, m.ID)
	}
	err := tx.Table(migrationsTable).Where("id NOT IN ?", ids).Order("id").Pluck("id", &unknown).Error
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if len(unknown) > 0 {
		return fmt.Errorf("it has run migration %s, which this program does not know: a newer version made it, please run that one",
			strings.Join(unknown, ", "))
	}
	return nil
}

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
