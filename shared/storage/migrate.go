package storage

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"
)

// migrationsTable has one row per migration that has run, its ID.
const migrationsTable = "migrations"

// migrate runs what has not run yet, in one transaction: killed in between, nothing has
// happened and the next start does it again. The transaction is ours and not gormigrate's,
// which goes on without one when it cannot begin. Who starts at the same time waits for it,
// and then finds nothing to do: SQLite has one writer, Postgres a lock for it.
func migrate(ctx context.Context, db *DB, migrations []*gormigrate.Migration) error {
	opts := &sql.TxOptions{}
	if db.schema != "" {
		// Each statement sees what is committed by then, so all that was done before we
		// had the lock.
		opts.Isolation = sql.LevelReadCommitted
	}
	return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if db.schema != "" {
			if err := lockSchema(tx, db.schema); err != nil {
				return err
			}
		}
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
	}, opts)
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

// TimeType is what a migration that writes its columns out calls the type of a time.
func TimeType(tx *gorm.DB) string {
	if tx.Name() == "postgres" {
		return "timestamptz"
	}
	return "datetime"
}

// Bytewise makes a text column sort by its bytes, as SQLite does it by itself; Postgres would
// sort by the rules of some language. It is for migrations.
func Bytewise(tx *gorm.DB, table, column string) error {
	if tx.Name() != "postgres" {
		return nil
	}
	return tx.Exec(fmt.Sprintf(`ALTER TABLE %q ALTER COLUMN %q TYPE text COLLATE "C"`, table, column)).Error
}
